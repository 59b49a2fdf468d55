#!/usr/bin/env python3
"""test_benchmarks.py BENCH - every benchmark still runs, and its counts and sums are right.

Each case does a tenth of its work once, on two schedulers; its own checks end it with another status
than 0.  What it prints must be figures as bench/peers/README.md has them.  Prints TAP."""

import os
import re
import subprocess
import sys

FIGURE = re.compile(r"([a-z_0-9.]+)\.s2\t([0-9.]+)\t([A-Za-z/]+)\t([0-9]+)")
TIMEOUT_SECONDS = 120


def faults_of(bench, case):
    """Runs a case; yields what is wrong."""
    try:
        run = subprocess.run([bench, "2", case], stdin=subprocess.DEVNULL, capture_output=True,
                             text=True, check=False, timeout=TIMEOUT_SECONDS,
                             env={**os.environ, "PEERS_QUICK": "yes"})
    except subprocess.TimeoutExpired:
        yield f"not done after {TIMEOUT_SECONDS} s"
        return
    if run.returncode != 0:
        yield f"status {run.returncode}: {run.stderr[-300:]}"
    if run.stdout == "":
        yield "no figures"
    for line in run.stdout.splitlines():
        figure = FIGURE.fullmatch(line)
        if figure is None or float(figure[2]) <= 0 or int(figure[4]) <= 0:
            yield f"no figure: {line!r}"


def main():
    bench = sys.argv[1]
    listing = subprocess.run([bench, "list"], capture_output=True, text=True, check=True)
    cases = listing.stdout.split()
    failed = 0
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        faults = list(faults_of(bench, case))
        failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {number} - {case}", flush=True)
        for fault in faults:
            print(f"# {fault}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
