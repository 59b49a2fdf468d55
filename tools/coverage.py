#!/usr/bin/env python3
"""coverage.py - what of src/ the tests have run through, and why not the rest.

    tools/coverage.py DIRECTORY [--all]

DIRECTORY is a build directory with -Db_coverage=true in which the tests have run; `make coverage`
does both.  gcovr reads the counters.  Prints a table of lines and branches by directory (with --all, by
file) and checks

  * that at least 95 % of the lines in src/ were run through;
  * that each line that was not is in tests/not_covered.txt, with the reason.

Status 1 if not.  A branch that only an assertion would take (COP_ASSERT, COP_DEBUG, assert) does not
count: it is there not to be taken.

tests/not_covered.txt: a file's name in the first column; below it, behind `| `, lines of that file as
they stand there, as often as they may be missing, and indented, behind the lines that it is for, the
reason."""

import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
REASONS = ROOT / "tests" / "not_covered.txt"
LINES_PERCENT_MIN = 95.0
ASSERTIONS = r".*\b(COP_ASSERT|COP_DEBUG|assert|FUZZ_CHECK)\b.*"


def measure(directory):
    """gcovr's report."""
    command = ["gcovr", "--root", ROOT, "--object-directory", directory, "--filter", f"{ROOT}/src/",
               "--exclude-branches-by-pattern", ASSERTIONS, "--exclude-unreachable-branches",
               "--json", "-"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, cwd=directory)
    if done.returncode != 0:
        sys.exit(f"coverage: gcovr failed:\n{done.stderr}")
    files = json.loads(done.stdout)["files"]
    if not files:
        sys.exit(f"coverage: there are no counters in {directory}; have the tests run?")
    return {file["file"]: file["lines"] for file in files}


class Count:
    """Lines and branches, and how many of them were taken."""

    def __init__(self):
        self.lines = self.run = self.branches = self.taken = 0

    def add(self, lines):
        counted = [line for line in lines if not line["gcovr/noncode"]]
        self.lines += len(counted)
        self.run += sum(line["count"] > 0 for line in counted)
        branches = [branch for line in counted for branch in line["branches"]]
        self.branches += len(branches)
        self.taken += sum(branch["count"] > 0 for branch in branches)

    def row(self, name):
        def share(part, whole):
            return f"{100 * part / whole:6.1f} %" if whole else "        "
        return (f"{name:40} {self.run:6,} of {self.lines:6,} {share(self.run, self.lines)}"
                f" {self.taken:7,} of {self.branches:6,} {share(self.taken, self.branches)}")


def print_table(files, by_file):
    rows, total = collections.defaultdict(Count), Count()
    for name, lines in files.items():
        rows[name if by_file else str(pathlib.Path(name).parent)].add(lines)
        total.add(lines)
    print(f"{'':40} {'lines':>25} {'branches':>26}")
    for name in sorted(rows):
        print(rows[name].row(name))
    print(total.row("all"))
    return total


def read_reasons():
    """By file how often each text is listed, and the faults of the list."""
    listed, faults = collections.defaultdict(collections.Counter), []
    name, waiting, explained = None, [], True
    for number, line in enumerate(REASONS.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("| ") and name is not None:
            if explained:
                waiting = []
            waiting.append(line[2:].strip())
            listed[name][waiting[-1]] += 1
            explained = False
        elif line[0].isspace() and waiting:
            explained = True
        elif not line[0].isspace():
            if not explained:
                faults.append(f"{REASONS.name}:{number}: no reason for the lines above")
            name, waiting, explained = line.strip(), [], True
            if not (ROOT / name).exists():
                faults.append(f"{REASONS.name}:{number}: there is no {name}")
        else:
            faults.append(f"{REASONS.name}:{number}: a reason for nothing")
    return listed, faults


def check_reasons(files):
    """What has no reason, and what has one and is not there any more."""
    listed, faults = read_reasons()
    excused = 0
    for name, lines in files.items():
        source = [line.strip() for line in
                  (ROOT / name).read_text(encoding="utf-8").splitlines()]
        left = listed.get(name, collections.Counter())
        faults += [f"{REASONS.name}: {name} has no line {text}" for text in left
                   if text not in source]
        for line in lines:
            text = source[line["line_number"] - 1]
            if line["gcovr/noncode"] or line["count"] > 0 or re.fullmatch(r"[{}]*;?", text):
                continue
            if left[text] > 0:
                left[text] -= 1
                excused += 1
            else:
                faults.append(f"{name}:{line['line_number']}: not run through: {text}")
    return excused, faults


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    files = measure(pathlib.Path(sys.argv[1]).resolve())
    total = print_table(files, "--all" in sys.argv[2:])
    excused, faults = check_reasons(files)
    percent = 100 * total.run / total.lines
    if percent < LINES_PERCENT_MIN:
        faults.append(f"{percent:.1f} % of the lines: fewer than {LINES_PERCENT_MIN} %")
    print()
    for fault in faults:
        print(fault)
    print(f"{total.lines - total.run} lines not run through, {excused} of them with a reason; "
          f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
