"""random_tree.py - random supervision scenarios for random_scenarios.py.

A scenario that Erlang/OTP can't play is never written: a supervisor only ever ends by being
killed, and a child that hangs has a time limit."""

import random

LETTERS = "abcdefghijklmnopqrstuvwxyz"
RESTARTS = ["permanent", "transient", "temporary"]
STRATEGIES = ["one_for_one", "rest_for_one", "one_for_all"]
REASONS = ["crash", "crash", "crash", "kill", "kill", "normal", "shutdown", "shutdown:x"]
OUTCOMES = ["ok", "ok", "ok", "ignore", "error", "crash"]


class Tree:
    """A tree as it grows: its lines, and what is known of each path."""

    def __init__(self, number):
        self.random = random.Random(f"scenario {number}")
        self.lines = []
        self.kinds = {}             # path -> sup, dyn or worker
        self.names = list(LETTERS)
        self.timed = self.random.random() < 0.1     # short periods, and time passes

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, *values):
        return self.random.choice(values)

    # ---- options -------------------------------------------------------------------------

    def worker_options(self, significant=False):
        options = []
        restart = self.random.choice(RESTARTS) if self.chance(0.45) else None
        if restart is not None:
            options.append(f"restart={restart}")
        options += self.ending()
        if self.chance(0.25):
            options.append(f"start={self.starts()}")
        if significant and restart in ("transient", "temporary") and self.chance(0.6):
            options.append("significant=true")
        return options

    def ending(self):
        """How it ends when it is told to; hanging only where it is killed soon."""
        return self.random.choice([
            [], [], [], [], ["on_shutdown=trap"], ["on_shutdown=trap"], ["on_shutdown=trap"],
            ["shutdown=30", "on_shutdown=hang"], ["on_shutdown=late:15"],
            ["on_shutdown=reason:odd"], ["on_shutdown=reason:shutdown"],
            ["shutdown=40", f"on_shutdown={self.pick('trap', 'late:15', 'reason:odd')}"],
            ["shutdown=brutal_kill"], ["shutdown=brutal_kill", "on_shutdown=trap"],
            ["shutdown=0"], ["shutdown=infinity"], ["shutdown=infinity", "on_shutdown=trap"],
            ["shutdown=10", "on_shutdown=late:40"],
        ])

    def starts(self):
        first = "ok" if self.chance(0.85) else self.random.choice(OUTCOMES)
        rest = [self.random.choice(OUTCOMES) for _ in range(self.random.randrange(4))]
        last = ["ok"] if self.chance(0.6) else []
        return ",".join([first, *rest, *last])

    def limits(self, root):
        intensity = self.pick(1, 4, 8, 20) if root else self.pick(0, 1, 1, 2, 3, 3, 5)
        period = self.pick(1, 2, 3) if self.timed else 3600
        return [f"intensity={intensity}", f"period={period}"]

    # ---- the tree ----------------------------------------------------------------------------

    def add(self, kind, path, options):
        self.kinds[path] = kind
        self.lines.append(" ".join([kind, path, *options]))

    def child_options(self, significant):
        """Of a supervisor as a child."""
        options = []
        if self.chance(0.25):
            options.append(f"restart={self.pick('transient', 'temporary')}")
            if significant and self.chance(0.6):
                options.append("significant=true")
        if self.chance(0.05):
            options.append("shutdown=brutal_kill")
        return options

    def supervisor(self, path, depth, significant=False):
        root = depth == 0
        options = [f"strategy={self.random.choice(STRATEGIES)}", *self.limits(root)]
        auto = self.pick("any_significant", "all_significant") if self.chance(0.25) else None
        if auto is not None:
            options.append(f"auto_shutdown={auto}")
        if not root:
            options += self.child_options(significant)
        self.add("sup", path, options)
        for _ in range(self.random.randint(1 if root else 0, 5)):
            if self.names:
                self.child(f"{path}/{self.names.pop(0)}", depth + 1, auto is not None)

    def child(self, path, depth, significant):
        chance = self.random.random()
        if chance < 0.25 and depth < 4:
            self.supervisor(path, depth, significant)
        elif chance < 0.4:
            self.dynamic(path, significant)
        else:
            self.add("worker", path, self.worker_options(significant))

    def dynamic(self, path, significant):
        options = [*self.limits(False), f"child_restart={self.random.choice(RESTARTS)}"]
        if self.chance(0.4):
            options.append(f"child_shutdown={self.pick('brutal_kill', '40', '40', '0')}")
        self.add("dyn", path, options + self.child_options(significant))


class Steps:
    """The steps that happen to a tree."""

    def __init__(self, tree):
        self.tree = tree
        self.lines = []
        self.started = 0

    def places(self, *kinds):
        return [path for path, kind in self.tree.kinds.items() if kind in kinds]

    def place(self, *kinds):
        places = self.places(*kinds)
        return self.tree.random.choice(places) if places else None

    def child_of(self, sup):
        """The id of a child of it, most of the time one that there is."""
        below = [path.rsplit("/", 1)[1] for path in self.tree.kinds
                 if path.rsplit("/", 1)[0] == sup and path != sup]
        return self.tree.random.choice(below) if below and self.tree.chance(0.93) else "nosuch"

    # ---- one step each; None: there is nothing to do it to -------------------------------

    def exit(self):
        path = self.place("worker")
        return path and f"exit {path} {self.tree.random.choice(REASONS)}"

    def kill_supervisor(self):
        """Mostly not the root, behind whose end nothing much happens."""
        path = self.place("sup", "dyn")
        return f"exit {path} kill" if path != "root" or self.tree.chance(0.2) else None

    def on_child(self, *verbs):
        sup = self.place("sup")
        return f"{self.tree.random.choice(verbs)} {sup} {self.child_of(sup)}"

    def manage(self):
        return self.on_child("terminate_child", "terminate_child", "restart_child",
                             "restart_child", "delete_child")

    def look(self):
        if self.tree.chance(0.3):
            return self.on_child("get_childspec")
        return f"{self.tree.pick('which_children', 'count_children')} {self.place('sup', 'dyn')}"

    def start_child(self):
        sup = self.place("sup")
        child = self.child_of(sup) if self.tree.chance(0.2) else None
        if child in (None, "nosuch"):
            self.started += 1
            child = f"x{self.started}"
        kind, options = "worker", self.tree.worker_options()
        if self.tree.chance(0.05):
            kind, options = "sup", self.tree.limits(False)
        self.tree.kinds.setdefault(f"{sup}/{child}", kind)
        return " ".join(["start_child", sup, child, kind, *options])

    def start_dynamic(self):
        dyn = self.place("dyn")
        if dyn is None:
            return None
        self.started += 1
        options = [option for option in self.tree.worker_options()
                   if option.startswith(("start=", "on_shutdown=")) and "hang" not in option]
        self.tree.kinds[f"{dyn}/t{self.started}"] = "worker"
        return " ".join(["dyn_start", dyn, f"t{self.started}", *options])

    def terminate_dynamic(self):
        paths = [path for path in self.tree.kinds
                 if self.tree.kinds.get(path.rpartition("/")[0]) == "dyn"]
        if not paths:
            return None
        dyn, name = self.tree.random.choice(paths).rsplit("/", 1)
        return f"dyn_terminate {dyn} {name}"

    def on_dynamic(self):
        """What only a supervisor of the other kind can do."""
        dyn = self.place("dyn")
        verb = self.tree.pick("terminate_child", "restart_child", "delete_child", "get_childspec")
        return dyn and f"{verb} {dyn} t{self.tree.pick(1, 2, 3)}"

    def advance(self):
        """Far from where a window of whole seconds might end sooner or later."""
        return f"advance {self.tree.pick(20, 100, 4200)}" if self.tree.timed else None

    def step(self):
        make = self.tree.random.choices(
            [self.exit, self.kill_supervisor, self.manage, self.look, self.start_child,
             self.start_dynamic, self.terminate_dynamic, self.on_dynamic, self.advance],
            [46, 3, 17, 11, 11, 7, 2, 1, 4])[0]
        line = make()
        if line is not None:
            self.lines.append(line)


def scenario(number):
    """The text of the scenario with that number."""
    tree = Tree(number)
    tree.supervisor("root", 0)
    steps = Steps(tree)
    for _ in range(tree.random.randint(4, 22)):
        steps.step()
    return "\n".join([*tree.lines, "---", *steps.lines, ""])
