"""random_history.py - random signal histories for random_scenarios.py."""

import random

EXITS = ["boom", "boom", "shutdown", "normal", "kill", "killed", "noproc", "noconnection",
         "shutdown:x"]
NAMES = ["n1", "n2", "n3"]
STEPS = [   # and how often they come, times the taste of the history
    ("spawn", 5), ("spawn_link", 7), ("spawn_monitor", 6), ("link", 14), ("unlink", 7),
    ("monitor", 13), ("demonitor", 6), ("trap", 5), ("end", 9), ("exit2", 13), ("send", 4),
    ("names", 10), ("alias", 3), ("use_alias", 5), ("alive", 1),
]


class History:
    """The steps so far and what they may refer to; it guesses who lives, as a step at a dead
    process is worth playing too."""

    def __init__(self, seed, number):
        self.random = random.Random(f"history {seed} {number}")
        self.lines = []
        self.processes = []
        self.dead = set()
        self.monitors = []      # their owners; a guess
        self.aliases = []
        self.weights = [weight * self.pick([0.1, 0.5, 1, 1, 2, 4]) for _, weight in STEPS]

    def pick(self, values):
        return self.random.choice(values)

    def process(self):
        if self.random.random() < 0.01:
            return "nobody"
        living = [process for process in self.processes if process not in self.dead]
        return self.pick(living if living and self.random.random() < 0.85 else self.processes)

    def new_process(self):
        self.processes.append(f"p{len(self.processes) + 1}")
        return self.processes[-1]

    def flag(self, word, probability=0.5):
        return f" {word}" if self.random.random() < probability else ""

    def spawn(self):
        return f"spawn {self.new_process()}{self.flag('trap', 0.6)}"

    def spawn_link(self):
        return f"spawn_link {self.process()} {self.new_process()}{self.flag('trap')}"

    def spawn_monitor(self):
        owner = self.process()
        self.monitors.append(owner)
        return f"spawn_monitor {owner} {self.new_process()}{self.flag('trap')}"

    def two(self, verb):
        return f"{verb} {self.process()} {self.process()}"

    def link(self):
        return self.two("link")

    def unlink(self):
        return self.two("unlink")

    def monitor(self):
        owner = self.process()
        self.monitors.append(owner)
        if self.random.random() < 0.2:
            return f"monitor_name {owner} {self.pick(NAMES)}"
        return f"monitor {owner} {self.process()}"

    def reference(self, owners, letter):
        """A process and a reference, most of the time its own."""
        if not owners or self.random.random() < 0.15:
            return self.process(), f"{letter}{self.random.randint(1, len(owners) + 2)}"
        number = self.random.randrange(len(owners))
        return owners[number], f"{letter}{number + 1}"

    def demonitor(self):
        owner, ref = self.reference(self.monitors, "m")
        return f"demonitor {owner} {ref}{self.flag('flush')}"

    def trap(self):
        return f"trap {self.process()} {self.pick(['on', 'off'])}"

    def end(self):
        process = self.process()
        self.dead.add(process)
        verb = self.random.choices(["exit", "error", "return"], [3, 1, 1])[0]
        reason = {"exit": f" {self.pick(EXITS)}", "error": " bad", "return": ""}[verb]
        return f"{verb} {process}{reason}"

    def exit2(self):
        other, reason = self.process(), self.pick(EXITS)
        if reason == "kill":
            self.dead.add(other)
        return f"exit2 {self.process()} {other} {reason}"

    def send(self):
        return f"{self.two('send')} hi"

    def names(self):
        verb = self.random.choices(["register", "unregister", "whereis", "send_name"],
                                   [6, 3, 3, 4])[0]
        if verb == "whereis":
            return f"whereis {self.pick(NAMES)}"
        text = " yo" if verb == "send_name" else ""
        return f"{verb} {self.process()} {self.pick(NAMES)}{text}"

    def alias(self):
        owner = self.process()
        self.aliases.append(owner)
        return f"alias {owner}{self.flag('reply')}"

    def use_alias(self):
        owner, alias = self.reference(self.aliases, "a")
        if self.random.random() < 0.35:
            return f"unalias {owner} {alias}"
        return f"send_alias {self.process()} {alias} z"

    def alive(self):
        return f"alive {self.process()}"

    def step(self):
        make = self.random.choices([step for step, _ in STEPS], self.weights)[0]
        self.lines.append(getattr(self, make)())


def history(seed, number):
    """The text of that history of the seed."""
    story = History(seed, number)
    for _ in range(story.random.randint(3, 6)):
        story.lines.append(story.spawn())
    for _ in range(story.random.randint(5, 40)):
        story.step()
    return "\n".join([*story.lines, ""])
