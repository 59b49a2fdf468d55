"""random_tree.py - random supervision scenarios for random_scenarios.py.

All that PROTOCOL.md knows may occur, except what no trace could hold:

- a wait without end: a child that hangs has a time limit, and so has each that is slow;
- a race between a child's end and its time limit, or the edge of a restart window: the two are
  far apart, so that a busy machine changes nothing;
- a dynamic child that ignores its restart: OTP 25 keeps it as the child `undefined`, and such a
  supervisor crashes at its own end.

Each scenario prefers some features and has hardly any of others, so that also those meet
that are both rare."""

import random

NAMES = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}2" for letter in "abcdefghijklmn")]
RESTARTS = ["permanent", "transient", "temporary"]
STRATEGIES = ["one_for_one", "rest_for_one", "one_for_all"]
EXITS = ["crash", "crash", "crash", "kill", "kill", "normal", "shutdown", "shutdown:x", "noproc"]
SUPERVISOR_EXITS = [("kill", 3), ("crash", 2), ("normal", 1), ("shutdown", 1), ("shutdown:x", 1)]
OUTCOMES = ["ok", "ok", "ok", "ignore", "error", "crash"]
ODD = ["odd", "odd", "shutdown", "normal", "kill"]

# Shutdown time and way of ending, by turns.  A short time is shorter by far than the end
# takes, and a long one longer.
ENDINGS = [
    ("", "exit", 8), ("", "trap", 7), ("", "late:15", 2), ("", "reason", 4),
    ("0", "exit", 2), ("30", "hang", 3), ("10", "late:300", 3), ("2000", "trap", 2),
    ("2000", "late:15", 1), ("2000", "reason", 1), ("infinity", "exit", 2),
    ("infinity", "trap", 2), ("infinity", "late:15", 1), ("infinity", "reason", 1),
    ("brutal_kill", "exit", 2), ("brutal_kill", "trap", 2), ("brutal_kill", "hang", 1),
    ("brutal_kill", "late:300", 1), ("brutal_kill", "reason", 1),
]
# The shutdown times of dynamic children and how they may end then.
DYNAMIC_ENDINGS = {
    "": ["exit", "trap", "late:15", "reason"],
    "infinity": ["exit", "trap", "late:15", "reason"],
    "2000": ["exit", "trap", "late:15", "reason"],
    "60": ["exit", "hang", "late:600"],
    "0": ["exit"],
    "brutal_kill": ["exit", "trap", "hang", "late:300", "reason"],
}
# Periods of restart windows in seconds, the ms in which one certainly ends and in which it
# certainly does not, twice.
WINDOWS = [([1], 2200, 20), ([2, 3], 4200, 500), ([2], 3200, 500)]


class Tree:
    """A tree as it grows: its lines, and what is known of each path."""

    def __init__(self, seed, number):
        self.random = random.Random(f"scenario {seed} {number}")
        self.lines = []
        self.kinds = {}             # path -> sup, dyn or worker
        self.automatic = set()      # the supervisors with an auto_shutdown
        self.limits_below = {}      # dyn path -> the shutdown time of its children
        self.names = list(NAMES)
        self.window = self.pick(*WINDOWS) if self.chance(0.08) else None
        self.tastes = {}

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, *values):
        return self.random.choice(values)

    def weighed(self, choices):
        """One of (value, weight); how often a value comes also depends on the scenario's taste."""
        weights = []
        for value, weight in choices:
            key = str(value)
            if key not in self.tastes:
                self.tastes[key] = self.pick(0.1, 0.5, 1, 1, 2, 4)
            weights.append(weight * self.tastes[key])
        return self.random.choices([value for value, _ in choices], weights)[0]

    # ---- options -------------------------------------------------------------------------

    def worker(self, significant):
        """The options of a worker below a static supervisor."""
        options = []
        restart = self.pick(*RESTARTS) if self.chance(0.45) else None
        if restart is not None:
            options.append(f"restart={restart}")
        limit, ending = self.weighed([((limit, ending), weight)
                                      for limit, ending, weight in ENDINGS])
        if limit:
            options.append(f"shutdown={limit}")
        options += self.ending(ending)
        if self.chance(0.25):
            options.append(f"start={self.starts(OUTCOMES)}")
        return options + self.significant(restart, significant)

    def ending(self, ending):
        if ending == "exit":
            return []
        return [f"on_shutdown={f'reason:{self.pick(*ODD)}' if ending == 'reason' else ending}"]

    def starts(self, later):
        first = "ok" if self.chance(0.95) else self.pick(*OUTCOMES)
        rest = [self.pick(*later) for _ in range(self.random.randrange(4))]
        return ",".join([first, *rest, *(["ok"] if self.chance(0.6) else [])])

    def significant(self, restart, allowed):
        good = allowed and restart in ("transient", "temporary") and self.chance(0.6)
        return ["significant=true"] if good else []

    def limits(self, root):
        """Of restarts; in a short window so few that they fit in, however slow the group is."""
        if self.window is not None:
            return [f"intensity={self.pick(0, 1, 1, 2, 3)}", f"period={self.pick(*self.window[0])}"]
        intensity = self.pick(1, 4, 20, 20, 50) if root else self.pick(0, 1, 1, 2, 3, 5, 20)
        return [f"intensity={intensity}", "period=3600"]

    def supervisor_as_child(self, significant):
        options = []
        restart = self.pick("transient", "temporary") if self.chance(0.3) else None
        if restart is not None:
            options.append(f"restart={restart}")
        return options + self.significant(restart, significant)

    def supervisor(self, path, above):
        """The options of a supervisor; above: the path of its own, if it has one."""
        options = [f"strategy={self.weighed([(strategy, 1) for strategy in STRATEGIES])}",
                   *self.limits(above is None)]
        automatic = path in self.automatic if path in self.kinds else self.chance(0.25)
        if automatic:       # as before, if it is started again: its children may be significant
            options.append(f"auto_shutdown={self.pick('any_significant', 'all_significant')}")
            self.automatic.add(path)
        if above is not None:
            options += self.supervisor_as_child(above in self.automatic)
        return options

    def dynamic(self, path, above):
        options = [*self.limits(False), f"child_restart={self.pick(*RESTARTS)}"]
        limit = self.pick(*DYNAMIC_ENDINGS) if self.chance(0.5) else ""
        limit = self.limits_below.setdefault(path, limit)
        if limit:
            options.append(f"child_shutdown={limit}")
        return options if above is None else [
            *options, *self.supervisor_as_child(above in self.automatic)]

    def supervisor_shutdown(self):
        limit = self.weighed([("", 12), ("brutal_kill", 1), ("9000", 1)])
        return [f"shutdown={limit}"] if limit else []

    # ---- the tree ----------------------------------------------------------------------------

    def add(self, kind, path, options):
        self.kinds[path] = kind
        self.lines.append(" ".join([kind, path, *options]))

    def root(self):
        kind = self.random.choices(["sup", "dyn", "worker"], [95, 4, 1])[0]
        if kind == "sup":
            self.grow("root", None, 0)
        elif kind == "dyn":
            self.add("dyn", "root", self.dynamic("root", None))
        else:
            options = self.worker(False)
            while "on_shutdown=hang" in options:    # nobody would kill it
                options = self.worker(False)
            self.add("worker", "root", options)

    def grow(self, path, above, depth):
        """A supervisor with its children."""
        options = self.supervisor(path, above)
        slow = above is not None and self.window is None and self.chance(0.03)
        if slow:
            options.append("shutdown=200")
        elif above is not None:
            options += self.supervisor_shutdown()
        self.add("sup", path, options)
        for _ in range(self.random.randint(1 if depth == 0 else 0, 2 if slow else 5)):
            if self.names:
                self.child(f"{path}/{self.names.pop(0)}", path, 9 if slow else depth + 1)
        if slow and self.names:     # its youngest child takes longer than it has itself
            self.add("worker", f"{path}/{self.names.pop(0)}",
                     ["shutdown=infinity", "on_shutdown=late:600"])

    def child(self, path, above, depth):
        chance = self.random.random()
        if chance < 0.25 and depth < 5:
            self.grow(path, above, depth)
        elif chance < 0.4 and depth < 9:
            self.add("dyn", path, [*self.dynamic(path, above), *self.supervisor_shutdown()])
        else:
            self.add("worker", path, self.worker(above in self.automatic))


class Steps:
    """The steps that happen to a tree."""

    def __init__(self, tree):
        self.tree = tree
        self.lines = []
        self.started = 0
        self.short_waits = 0        # since a window last ended
        self.long_waits = 0

    def place(self, *kinds):
        places = [path for path, kind in self.tree.kinds.items() if kind in kinds]
        return self.tree.pick(*places) if places else None

    def child_of(self, sup):
        """The id of a child of it, most of the time one that there is."""
        below = [path.rsplit("/", 1)[1] for path in self.tree.kinds
                 if path.rsplit("/", 1)[0] == sup and path != sup]
        return self.tree.pick(*below) if below and self.tree.chance(0.93) else "nosuch"

    # ---- one step each; None: there is nothing to do it to -------------------------------

    def exit(self):
        path = self.place("worker")
        return path and f"exit {path} {self.tree.weighed([(reason, 1) for reason in EXITS])}"

    def end_supervisor(self):
        """Killed, or ended by itself; mostly not the root, behind whose end not much happens."""
        path = self.place("sup", "dyn")
        if path is None or (path == "root" and not self.tree.chance(0.2)):
            return None
        return f"exit {path} {self.tree.weighed(SUPERVISOR_EXITS)}"

    def on_child(self, *verbs):
        sup = self.place("sup")
        return sup and f"{self.tree.pick(*verbs)} {sup} {self.child_of(sup)}"

    def manage(self):
        return self.on_child("terminate_child", "terminate_child", "restart_child",
                             "restart_child", "delete_child")

    def look(self):
        if self.tree.chance(0.3):
            return self.on_child("get_childspec")
        sup = self.place("sup", "dyn")
        return sup and f"{self.tree.pick('which_children', 'count_children')} {sup}"

    def start_child(self):
        """A new one, or one that is there; of that kind, then, or a worker."""
        sup = self.place("sup")
        if sup is None:
            return None
        child = self.child_of(sup) if self.tree.chance(0.25) else "nosuch"
        if child == "nosuch":
            self.started += 1
            child = f"x{self.started}"
        path = f"{sup}/{child}"
        known = self.tree.kinds.get(path)
        kind = self.tree.random.choices(["worker", "sup", "dyn"], [80, 12, 8])[0]
        if known is not None and kind != "worker":
            kind = known
        if kind == "worker":
            options = self.tree.worker(sup in self.tree.automatic)
        elif kind == "sup":
            options = self.tree.supervisor(path, sup) + self.tree.supervisor_shutdown()
        else:
            options = self.tree.dynamic(path, sup) + self.tree.supervisor_shutdown()
        self.tree.kinds.setdefault(path, kind)
        return " ".join(["start_child", sup, child, kind, *options])

    def start_dynamic(self):
        dyn = self.place("dyn")
        if dyn is None:
            return None
        if self.started == 0 or self.tree.chance(0.95):
            self.started += 1
        name = f"t{self.started}"
        options = self.tree.ending(self.tree.pick(*DYNAMIC_ENDINGS[self.tree.limits_below[dyn]]))
        if self.tree.chance(0.3):
            later = [outcome for outcome in OUTCOMES if outcome != "ignore"]
            options.append(f"start={self.tree.starts(later)}")
        self.tree.kinds[f"{dyn}/{name}"] = "worker"
        return " ".join(["dyn_start", dyn, name, *options])

    def terminate_dynamic(self):
        paths = [path for path in self.tree.kinds
                 if self.tree.kinds.get(path.rpartition("/")[0]) == "dyn"]
        if not paths:
            return None
        dyn, name = self.tree.pick(*paths).rsplit("/", 1)
        return f"dyn_terminate {dyn} {name}"

    def on_other_kind(self):
        """What only a supervisor of the other kind can do."""
        dyn = self.place("dyn")
        sup = self.place("sup")
        if sup is not None and self.tree.chance(0.3):
            return f"dyn_terminate {sup} {self.child_of(sup)}"
        verb = self.tree.pick("terminate_child", "restart_child", "delete_child", "get_childspec")
        return dyn and f"{verb} {dyn} t{self.tree.pick(1, 2, 3)}"

    def advance(self):
        """Far from where a window of whole seconds might end sooner or later."""
        if self.tree.window is None:
            return None if self.tree.chance(0.9) else "advance 20"
        _, long, short = self.tree.window
        if self.short_waits < 2 and self.tree.chance(0.7):
            self.short_waits += 1
            return f"advance {short}"
        self.short_waits = 0
        self.long_waits += 1
        return f"advance {long}" if self.long_waits <= 2 else None

    def step(self):
        make = self.tree.weighed([
            ("exit", 46), ("end_supervisor", 4), ("manage", 17), ("look", 11), ("start_child", 11),
            ("start_dynamic", 9), ("terminate_dynamic", 3), ("on_other_kind", 1), ("advance", 5)])
        line = getattr(self, make)()
        if line is not None:
            self.lines.append(line)


def scenario(seed, number):
    """The text of that scenario of the seed."""
    tree = Tree(seed, number)
    tree.root()
    steps = Steps(tree)
    for _ in range(tree.random.randint(4, 22) if tree.chance(0.95) else 60):
        steps.step()
    return "\n".join([*tree.lines, "---", *steps.lines, ""])
