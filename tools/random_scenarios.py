#!/usr/bin/env python3
"""random_scenarios.py - plays random scenarios and signal histories on Erlang/OTP and on Coppice.

Makes files in the style of the recorded ones, plays each on the real OTP, on one scheduler
and on two, and on this project's players, and holds the traces against each other.  The same
seed gives the same files.

    tools/random_scenarios.py --seed 7 --count 200
    tools/random_scenarios.py --seed 7 --count 50 --kind signals --directory found
    tools/random_scenarios.py --seed 7 --only 123 --kind scenarios

Where OTP answers in more than one way, or in another way than Coppice, it is asked twelve times
more, and Coppice has to answer in one of the ways that OTP does.  A file that OTP doesn't play to
its end is replaced by the next one.  Both are counted.

status: 0 all agree; 1 some differ, or a player failed: the files are kept; 2 something is missing
or wrong with the options; 130 interrupted"""

import argparse
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "conformance"))
import compare  # noqa: E402
import random_history  # noqa: E402
import random_otp  # noqa: E402
import random_tree  # noqa: E402

BATCH = 500             # files between two reports
ROUNDS = [1, 2]         # the numbers of schedulers that OTP plays all with
MORE_ROUNDS = [1, 2, 4]     # and what is in doubt, MORE times each
MORE = 4
PLAYER_SECONDS = 600
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

KINDS = {   # ending of the files, the oracle and its function, our player, the generator
    "scenarios": ("scn", ("otp_oracle", "patient"), ["scenario", "--patient"],
                  random_tree.scenario),
    "signals": ("sig", ("signal_oracle", "main"), ["signals"], random_history.history),
}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="which files (1)")
    parser.add_argument("--count", type=int, default=100, help="files of each kind (100)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="that file of the seed alone")
    parser.add_argument("--kind", choices=[*KINDS, "both"], default="both")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build" / "bin",
                        help="where the players are (build/bin)")
    parser.add_argument("--directory", type=pathlib.Path,
                        help="where the files go; kept (default: a temporary one)")
    parser.add_argument("--no-otp", action="store_true",
                        help="only play, to find a crash or a wait without end")
    options = parser.parse_args()
    if options.count < 1:
        parser.error("--count should be at least 1")
    return options


class Run:
    """All files of one kind."""

    def __init__(self, kind, options, place):
        self.ending, oracle, (player, *self.switches), self.generate = KINDS[kind]
        self.kind, self.options = kind, options
        self.place = place / kind
        self.place.mkdir(parents=True, exist_ok=True)
        self.player = options.programs.resolve() / player
        self.oracle = None if options.no_otp else random_otp.Oracle(*oracle, place / "otp")
        self.number = 1 if options.only is None else options.only   # of the next file
        self.count = options.count if options.only is None else 1
        self.equal = self.varied = self.differ = self.unanswered = 0
        self.crashed = False        # the player, behind its last file
        self.started = time.monotonic()

    def play(self):
        """Until there are enough files, or OTP has not played as many."""
        while self.left() > 0 and self.unanswered <= self.count:
            self.play_batch(self.write_files(min(BATCH, self.left())))
            print(self.standing(), flush=True)
            if self.options.only is not None:
                break

    def left(self):
        return self.count - self.equal - self.differ

    def is_good(self):
        return self.equal == self.count and not self.crashed

    def stop(self):
        if self.oracle is not None:
            self.oracle.stop()

    def standing(self):
        verb = "played" if self.oracle is None else "equal"
        text = f"{self.kind}: {self.equal} of {self.count} {verb}, {self.differ} differ"
        if self.varied:
            text += f"; to {self.varied} of them OTP itself has more than one answer"
        if self.unanswered:
            text += f"; {self.unanswered} that OTP doesn't play to the end replaced by others"
        return f"{text} ({time.monotonic() - self.started:.0f} s)"

    def write_files(self, count):
        files = []
        for _ in range(count):
            file = (self.place / f"s{self.options.seed}-{self.number:04d}.{self.ending}").resolve()
            file.write_text(self.generate(self.options.seed, self.number))
            for ending in (".otp", ".cop"):
                file.with_suffix(ending).unlink(missing_ok=True)
            files.append(file)
            self.number += 1
        return files

    # ---- one batch -----------------------------------------------------------------------

    def play_batch(self, files):
        answers = [[] for _ in files]
        if self.oracle is not None:
            for schedulers in ROUNDS:
                self.ask_otp(files, answers, schedulers)
            for file, of_file in zip(files, answers):
                if len(of_file) < len(ROUNDS):
                    self.unanswered += 1
                    print(f"  {file.stem}: OTP doesn't play it to its end; another is played "
                          f"instead of it: {file}", flush=True)
            answered = [pair for pair in zip(files, answers) if len(pair[1]) == len(ROUNDS)]
            files, answers = [file for file, _ in answered], [of_file for _, of_file in answered]
        faults = self.play_here(files)
        if self.oracle is not None:
            self.ask_again(files, answers)
        for file, of_file in zip(files, answers):
            self.judge(file, of_file, faults.get(file))

    def ask_otp(self, files, answers, schedulers):
        """Adds the traces that OTP gives."""
        for of_file, text in zip(answers, self.oracle.play(files, schedulers)):
            if text is not None:
                of_file.append(text)

    def ask_again(self, files, answers):
        """About the files where OTP varies or this project's trace is not OTP's."""
        doubtful = [(file, of_file) for file, of_file in zip(files, answers)
                    if any(self.difference(file, text) for text in of_file)]
        for schedulers in MORE_ROUNDS if doubtful else []:
            self.ask_otp(*zip(*(doubtful * MORE)), schedulers)

    def play_here(self, files):
        """What went wrong, by file; a player that crashed goes on behind the file."""
        faults = {}
        fault = self.run_player(files)
        missing = [file for file in files if not file.with_suffix(".cop").exists()]
        if fault is not None and not missing:
            self.crashed = True
            print(f"  {fault}", flush=True)
        for file in missing:
            fault = self.run_player([file])
            if fault is not None or not file.with_suffix(".cop").exists():
                faults[file] = fault or "no trace"
        return faults

    def run_player(self, files):
        """What went wrong, or None."""
        try:
            run = subprocess.run([self.player, *self.switches, *files], check=False,
                                 stderr=subprocess.PIPE, text=True, timeout=PLAYER_SECONDS)
        except subprocess.TimeoutExpired:
            return f"{self.player.name} does not end"
        if run.returncode == 0:
            return None
        return f"{self.player.name}: status {run.returncode} {run.stderr.strip()}".rstrip()

    # ---- comparing -----------------------------------------------------------------------

    def trace(self, file, text):
        return compare.in_order(text.splitlines(), compare.dynamic_supervisors(file))

    def difference(self, file, text):
        """Between one of OTP's traces and this project's, or None."""
        trace = file.with_suffix(".cop")
        if not trace.exists():
            return "no trace"
        return compare.first_difference(self.trace(file, text),
                                        self.trace(file, trace.read_text()))

    def judge(self, file, answers, fault):
        """Counts the file, and says what is wrong with it."""
        ways = {tuple(self.trace(file, text)) for text in answers}
        differences = [self.difference(file, text) for text in answers]
        self.varied += len(ways) > 1
        if fault is None and (self.oracle is None or None in differences):
            self.equal += 1
            if self.options.directory is None and self.options.only is None:
                self.remove(file)
            return
        self.differ += 1
        if answers:
            file.with_suffix(".otp").write_text(answers[0])
        print(f"  {file.stem}: {fault or differences[0]}")
        if len(ways) > 1:
            print(f"    OTP answered in {len(ways)} ways, {len(answers)} times, never so")
        print(f"    file: {file}, with .otp and .cop beside it\n"
              f"    again: tools/random_scenarios.py --kind {self.kind} --seed "
              f"{self.options.seed} --only {file.stem.rpartition('-')[2].lstrip('0')}", flush=True)

    def remove(self, file):
        for ending in (f".{self.ending}", ".cop"):
            file.with_suffix(ending).unlink(missing_ok=True)


def check_tools(options, kinds):
    """Ends the program if something is not there."""
    if not options.no_otp and (shutil.which("erlc") is None or shutil.which("erl") is None):
        print("Erlang/OTP is missing (Debian's erlang-base); or say --no-otp", file=sys.stderr)
        sys.exit(2)
    for kind in kinds:
        player = options.programs / KINDS[kind][2][0]
        if not player.exists():
            print(f"{player} is missing: run make, or say --programs", file=sys.stderr)
            sys.exit(2)


def interrupt(*_):
    """Only once: what it takes to end in order is short."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    options = arguments()
    kinds = list(KINDS) if options.kind == "both" else [options.kind]
    check_tools(options, kinds)
    for number in INTERRUPTS:
        signal.signal(number, interrupt)
    place = options.directory or pathlib.Path(tempfile.mkdtemp(prefix="scenarios-"))
    runs, status = [], 0
    try:
        for kind in kinds:
            runs.append(Run(kind, options, place))
            runs[-1].play()
    except KeyboardInterrupt:
        status = 130
        print("interrupted", *[run.standing() for run in runs], sep="\n  ")
    except subprocess.CalledProcessError as error:
        print(f"Erlang/OTP can't be used: {error}", file=sys.stderr)
        status = 2
    finally:
        for run in runs:
            run.stop()
    if not all(run.is_good() for run in runs) and status == 0:
        status = 1
    if options.directory is None and options.only is None and not any(run.differ for run in runs):
        shutil.rmtree(place, ignore_errors=True)
    else:
        print(f"the files are in {place}")
    sys.exit(status)


if __name__ == "__main__":
    main()
