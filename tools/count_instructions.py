#!/usr/bin/env python3
"""count_instructions.py - instructions for each operation, and whether they have grown.

    tools/count_instructions.py PROGRAM COMPILER            prints the counts
    tools/count_instructions.py PROGRAM COMPILER --check    compares them with the kept ones (TAP)
    tools/count_instructions.py PROGRAM COMPILER --renew    keeps them

PROGRAM is build/bin/instructions.  It runs under valgrind with two numbers of operations, and what
one costs is the difference divided by that of the numbers: the counts repeat exactly.  They are
kept in bench/instructions/counts.tsv with the compiler that they belong to; with another one, or
without valgrind, there is nothing to compare and the check is skipped (status 77).  More than 5 %
above what is kept fails."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

KEPT = pathlib.Path(__file__).resolve().parent.parent / "bench/instructions/counts.tsv"
FEW, MANY = 500, 2500
TOLERANCE = 0.05
SKIPPED = 77


def instructions_of_run(program, case, number):
    """All instructions of one run."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
               program, case, str(number)]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         check=False, env={"PATH": os.environ["PATH"]})
    total = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or total is None:
        sys.exit(f"count_instructions: {' '.join(command)}: status {run.returncode}\n{run.stderr}")
    return int(total[1])


def count(program):
    """The (case, what it is, instructions of one operation) of all cases."""
    listing = subprocess.run([program, "list"], capture_output=True, text=True, check=True)
    cases = [line.split("\t") for line in listing.stdout.splitlines()]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = {(case, number): pool.submit(instructions_of_run, program, case, number)
                for case, _ in cases for number in (FEW, MANY)}
    return [(case, what, (runs[case, MANY].result() - runs[case, FEW].result()) / (MANY - FEW))
            for case, what in cases]


def read_kept():
    """The compiler that the kept counts belong to, and the counts by case."""
    compiler, kept = None, {}
    for line in KEPT.read_text(encoding="utf-8").splitlines():
        if line.startswith("# compiler: "):
            compiler = line.removeprefix("# compiler: ")
        elif not line.startswith("#"):
            case, instructions, _ = line.split("\t")
            kept[case] = float(instructions)
    return compiler, kept


def write_kept(compiler, counts):
    lines = ["# Instructions of one operation; `make renew-instructions` writes this file.",
             f"# compiler: {compiler}"]
    lines += [f"{case}\t{instructions:.1f}\t{what}" for case, what, instructions in counts]
    KEPT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def check(counts, kept):
    """Prints a line of TAP for each case; how many have grown."""
    failed = 0
    print(f"1..{len(counts)}")
    for number, (case, what, instructions) in enumerate(counts, 1):
        before = kept.get(case)
        if before is None:
            said, good = "not kept yet: make renew-instructions", False
        else:
            change = instructions / before - 1
            said, good = f"{instructions:.0f}, kept {before:.0f}, {change:+.1%}", change <= TOLERANCE
            if change < -TOLERANCE:
                said += " (make renew-instructions keeps the gain)"
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {what}: {said}")
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("compiler")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--renew", action="store_true")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("there is no valgrind to count with")
        return SKIPPED
    kept_for, kept = read_kept() if KEPT.exists() else (None, {})
    if options.check and kept_for != options.compiler:
        print(f"the counts that are kept are of {kept_for}, this is {options.compiler}")
        return SKIPPED
    counts = count(os.path.abspath(options.program))
    if options.renew:
        write_kept(options.compiler, counts)
    if options.check:
        return 1 if check(counts, kept) > 0 else 0
    for case, what, instructions in counts:
        print(f"{instructions:10.1f}  {case:14} {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
