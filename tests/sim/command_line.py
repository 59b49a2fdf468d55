#!/usr/bin/env python3
"""command_line.py SIM - what `sim` makes of its command line.

What is wrong gets status 2, a complaint and no run; what is right runs as many schedules as asked
for; and when it is killed its child goes with it."""

import os
import shlex
import signal
import subprocess
import sys

WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))    # an emulator, in a cross build
USAGE = "usage: sim "
SECONDS = 100

WRONG = [
    (["--bogus"], USAGE),
    (["foo"], USAGE),
    (["--seeds"], USAGE),
    (["--seeds", "1", "2"], USAGE),
    (["--seeds", ""], "--seeds is a whole number from 1 to 1000000000, not ''"),
    (["--seeds", "x"], "not 'x'"),
    (["--seeds", "0"], "not '0'"),
    (["--seeds", "-1"], "not '-1'"),
    (["--seeds", "1e3"], "not '1e3'"),
    (["--seeds", " 1"], "not ' 1'"),
    (["--seeds", "99999999999999999999"], "not '99999999999999999999'"),
    (["--first", "x"], "--first is a whole number from 1 to "),
    (["--first", "18446744073709551615"], "not '18446744073709551615'"),
    (["--story", "foo"], "--story is history or chaos, not 'foo'"),
]
RIGHT = [
    (["--help"], USAGE),
    (["-h"], USAGE),
    (["--seeds", "10"], "20 schedules, "),
    (["--seeds", "10", "--story", "chaos", "--first", "7"], "10 schedules, "),
    (["--seeds=10", "--story=history", "--first=18446744072709551615"], "10 schedules, "),
]


def run(sim, arguments):
    return subprocess.run([*WRAPPER, sim, *arguments], check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=SECONDS)


def judge(sim, arguments, status, where, expected):
    """What is wrong with a run, or nothing."""
    result = run(sim, arguments)
    if result.returncode != status:
        return f"status {result.returncode}, not {status}: {result.stderr}"
    if expected not in getattr(result, where):
        return f"there is no {expected!r} in {getattr(result, where)!r}"
    if status != 0 and result.stdout:
        return f"it printed {result.stdout!r}"
    return None


def judge_progress(sim):
    lines = run(sim, ["--seeds", "20"]).stderr.splitlines()
    right = [line.split(" seeds")[0] for line in lines] == [f"{n} of 20" for n in range(2, 21, 2)]
    return None if right else f"the progress is {lines}"


def judge_kill(sim):
    """The pipe has its end when nobody holds it any more: neither sim nor its child."""
    if not os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
        return None                      # this kernel does not say when there is one
    with subprocess.Popen([*WRAPPER, sim, "--seeds", "1000000"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            while not file.read():
                file.seek(0)
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            return "its child lives on"
        return None if process.returncode == -signal.SIGTERM else f"status {process.returncode}"


def main():
    sim = sys.argv[1]
    faults = [(arguments, judge(sim, arguments, 2, "stderr", said)) for arguments, said in WRONG]
    faults += [(arguments, judge(sim, arguments, 0, "stdout", said)) for arguments, said in RIGHT]
    faults += [("progress", judge_progress(sim)), ("killed", judge_kill(sim))]
    for what, fault in faults:
        if fault is not None:
            print(f"sim {what}: {fault}")
    return 1 if any(fault is not None for _, fault in faults) else 0


if __name__ == "__main__":
    sys.exit(main())
