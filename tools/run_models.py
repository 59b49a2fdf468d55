#!/usr/bin/env python3
"""run_models.py - checks the models of tests/models with spin.

    tools/run_models.py [--time SECONDS] [NAME...]

Which bounds a model must hold within, and which mutants of it must fail, is in the table below;
what each means, in the model's first comment.  A mutant that holds is a failure: the model would not have
found that mistake.  Prints the states of each run and how long it took; the last line is
`N passed, N failed`."""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

MODELS = pathlib.Path(__file__).resolve().parent.parent / "tests/models"

# Options of spin, and whether the model holds with them.
RUNS = {
    "mailbox": [
        ("LIVES=1", True),
        ("PUSHES=1", True),
        ("SWEEPS=1 PUSHES=1 LIVES=1", True),
        ("WAIT_IN_TWO_STEPS", False),
        ("QUEUE_IF_EMPTY", False),
        ("NO_NUDGE PUSHES=1 LIVES=1", False),
        ("LOOK_FIRST PUSHES=1 LIVES=1", False),
        ("SWEEP_NO_WAKE SWEEPS=1 PUSHES=1 LIVES=1", False),
    ],
    "biased_lock": [
        ("", True),
        ("OWNER=6 OTHER=3", True),
        ("FENCE_IS_FULL", True),
        ("NO_HEAVY_FENCE", False),
        ("RELAXED_UNLOCK", False),
        ("NO_WAIT", False),
        ("NO_FULL_FENCE", False),
        ("BUSY_WHILE_WAITING", False),
        ("NO_MUTEX", False),
        ("EARLY_UNLOCK", False),
    ],
    "shared_lock": [
        ("", True),
        ("NO_EXCHANGE", False),
        ("NO_SECOND_LOOK", False),
        ("WRITER_NO_EXCHANGE", False),
        ("NO_WAIT", False),
        ("BIAS_TOO_LATE", False),
    ],
    "lookup": [
        ("", True),
        ("NO_SECOND_LOOK", False),
        ("ODD_IS_GOOD", False),
        ("NO_ODD", False),
        ("RELAXED_WORDS", False),
        ("RELAXED_END", False),
    ],
    "park": [
        ("", True),
        ("SCHEDULERS=1", True),
        ("NO_HEAVY_FENCE", False),
        ("NO_TOKEN", False),
        ("NO_WATCHER", False),
        ("DEEP_SLEEP", False),
        ("NO_LAST_LOOK", False),
    ],
    "deputy": [
        ("", True),
        ("BACK_NO_UNPARK POSTS=2 LOOKS=2", False),
        ("MARK_FIRST", False),
        ("NO_UNPARK", False),
        ("NO_HEAVY_FENCE", False),
        ("HOME_ALONE POSTS=2 LOOKS=2", False),
    ],
    "direct": [
        ("SENDS=2 SWITCHES=2", True),
        ("SENDS=1 SWITCHES=3", True),
        ("SETTLE_FIRST", False),
        ("LEFT_FIRST", False),
        ("KEEP_LEFT", False),
        ("ERASE_LEFT", False),
        ("CLAIM_LATE SENDS=2", False),
        ("KEEP_CHOSEN", False),
    ],
}

# Safety alone: a deadlock is one of its breaches.  Stored states are compressed (COLLAPSE).
COMPILE = ["cc", "-w", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=2048", "-o", "pan", "pan.c"]
CHECK = ["./pan", "-m1000000", "-w24", "-n"]


def check(name, options, level, limit):
    """Whether it held, and its states; the checker compiled at that level.  Raises RuntimeError if the search was cut short."""
    with tempfile.TemporaryDirectory() as place:
        for model in MODELS.glob("*.pml"):
            shutil.copy(model, place)
        defines = ["-D" + option for option in options.split()]
        for command in (["spin", *defines, "-a", f"{name}.pml"], [*COMPILE, level], CHECK):
            run = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False,
                                 timeout=limit)
            if run.returncode != 0 and command is not CHECK:
                raise RuntimeError(f"{command[0]}: {run.stdout}{run.stderr}")
    errors = re.search(r"errors: (\d+)", run.stdout)
    states = re.search(r"(\d+) states, stored", run.stdout)
    if errors is None or states is None or "max search depth too small" in run.stdout:
        raise RuntimeError(f"the search was cut short: {run.stdout}{run.stderr}")
    if errors[1] == "0" and "Search not completed" in run.stdout:
        raise RuntimeError("the search was not completed")
    return errors[1] == "0", int(states[1])


def main():
    parser = argparse.ArgumentParser(description="checks the models with spin")
    parser.add_argument("--time", type=int, default=120, help="seconds for one run")
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(RUNS))
    arguments = parser.parse_args()
    passed = failed = 0
    for name in arguments.names:
        for options, must_hold in RUNS[name]:
            start = time.monotonic()
            try:
                level = "-O1" if must_hold else "-O0"      # a mutant fails soon
                held, states = check(name, options, level, arguments.time)
                good = held == must_hold
                what = f"{'holds' if held else 'is breached'}, {states:,} states"
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                good, what = False, str(error)
            seconds = time.monotonic() - start
            print(f"{'ok    ' if good else 'FAILED'} {name} {options}: {what}, {seconds:.1f} s",
                  flush=True)
            passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
