#!/usr/bin/env python3
"""coverage.py - what of src/ the tests have run through, and why not the rest.

DIRECTORY is a build directory with -Db_coverage=true in which the tests have run; `make coverage`
does both.  gcovr reads the counters in it, and no others.  Prints a table of lines and branches by
directory (with --all, by file) and checks

  * that at least 95 % of the lines in src/ were run through;
  * that each line that was not is in tests/not_covered.txt, with the reason;
  * that each line that is in tests/not_covered.txt was not, if the list does not say that it is
    run through sometimes.

Status 1 if not; 2 if there is nothing to measure, or an option that it does not know.

What does not count: a branch that only an assertion would take (COP_ASSERT, COP_DEBUG, assert), for
it is there not to be taken; and a function that src/ calls nowhere but in `if (COPI_HOSTILE ...)`, for
no such build calls it (`make test-hostile` is for those).

tests/not_covered.txt: a file's name in the first column; below it, behind `| `, lines of that file as
they stand there, as often as they may be missing, and indented, behind the lines that it is for, the
reason.  `[never]` or `[sometimes]`, alone on a line, is for all that follows up to the next of them."""

import argparse
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
HOSTILE_CALL = re.compile(r"\bif \(COPI_HOSTILE\b[^;{}]*\)\s*(\w+)\(")
KINDS = ("never", "sometimes")


def give_up(message):
    print(f"coverage: {message}", file=sys.stderr)
    sys.exit(2)


def source_of(name):
    return (ROOT / name).read_text(encoding="utf-8").splitlines()


def measure(directory):
    """The lines of each file, as gcovr reports them."""
    command = ["gcovr", "--root", ROOT, "--object-directory", directory, "--filter", f"{ROOT}/src/",
               "--exclude-branches-by-pattern", ASSERTIONS, "--exclude-unreachable-branches",
               "--json", "-", directory]
    try:
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, cwd=directory)
    except FileNotFoundError:
        give_up("there is no gcovr; COVERAGE=yes tools/setup.sh installs it")
    if done.returncode != 0:
        give_up(f"gcovr failed:\n{done.stderr}")
    files = {file["file"]: [line for line in file["lines"] if not line["gcovr/noncode"]]
             for file in json.loads(done.stdout)["files"]}
    if not any(line["count"] > 0 for lines in files.values() for line in lines):
        give_up(f"there are no counters in {directory}; have the tests run?")
    return files


# ---- the hostile build's functions ---------------------------------------------------------------

def hostile_functions():
    """The names of the functions that are called nowhere but in `if (COPI_HOSTILE ...)`."""
    paths = sorted(ROOT.glob("src/**/*.[ch]"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    hostile = collections.Counter(HOSTILE_CALL.findall(text))
    # a call is indented, a declaration or a definition is not
    return [name for name, calls in hostile.items()
            if len(re.findall(rf"^[ \t].*?\b{name}\b", text, re.MULTILINE)) == calls]


def lines_of_function(source, name):
    """The numbers of the lines of its definition; none if it is not in this file."""
    begin = None
    for number, line in enumerate(source, 1):
        if begin is None and re.match(rf"\S.*\b{name}\(", line):
            begin = number
        elif begin is not None and line.startswith("}"):
            return range(begin, number + 1)
        if begin is not None and line.endswith(";") and not line[0].isspace():
            begin = None                       # a declaration
    return range(0)


def leave_out_hostile(files):
    names = hostile_functions()
    for file, lines in files.items():
        source = source_of(file)
        out = {number for name in names for number in lines_of_function(source, name)}
        files[file] = [line for line in lines if line["line_number"] not in out]


# ---- the table -----------------------------------------------------------------------------------

class Count:
    """Lines and branches, and how many of them were taken."""

    def __init__(self):
        self.lines = self.run = self.branches = self.taken = 0

    def add(self, lines):
        self.lines += len(lines)
        self.run += sum(line["count"] > 0 for line in lines)
        branches = [branch for line in lines for branch in line["branches"]]
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


# ---- the reasons ---------------------------------------------------------------------------------

class Reasons:
    """The list: by file, the numbers of the lines in it at which each text stands, by kind."""

    def __init__(self):
        self.listed = collections.defaultdict(
            lambda: {kind: collections.defaultdict(list) for kind in KINDS})
        self.faults = []
        self.kind = self.name = None
        self.unexplained = self.has_lines = False
        for number, line in enumerate(REASONS.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                self.read_line(number, line)
        if self.unexplained:
            self.fault("the end", "no reason for the lines above")

    def fault(self, number, what):
        self.faults.append(f"{REASONS.name}:{number}: {what}")

    def read_line(self, number, line):
        if line.startswith("| "):
            if self.name is None:
                self.fault(number, "a line of no file")
            else:
                self.listed[self.name][self.kind][line[2:].strip()].append(number)
            self.unexplained = self.has_lines = True
        elif line[0].isspace():
            if not self.has_lines:
                self.fault(number, "a reason for nothing")
            self.unexplained = False
        else:
            if self.unexplained:
                self.fault(number, "no reason for the lines above")
            self.unexplained = self.has_lines = False
            self.read_heading(number, line.strip())

    def read_heading(self, number, text):
        self.name = None
        if text[0] == "[" and text[1:-1] in KINDS:
            self.kind = text[1:-1]
        elif self.kind is None:
            self.fault(number, "neither [never] nor [sometimes] stands above")
        elif not (ROOT / text).is_file():
            self.fault(number, f"there is no {text}")
        else:
            self.name = text


def check_file(name, lines, listed):
    """How many of its lines that were not run through have a reason, and the faults."""
    source = [line.strip() for line in source_of(name)]
    faults = [f"{REASONS.name}:{number}: {name} has no line {text}" for kind in KINDS
              for text, numbers in listed[kind].items() for number in numbers if text not in source]
    left = {kind: {text: len(numbers) for text, numbers in listed[kind].items()} for kind in KINDS}
    excused = 0
    for line in lines:
        text = source[line["line_number"] - 1]
        if line["count"] > 0 or re.fullmatch(r"[{}]*;?", text):
            continue
        kind = next((kind for kind in KINDS if left[kind].get(text, 0) > 0), None)
        if kind is None:
            faults.append(f"{name}:{line['line_number']}: not run through: {text}")
        else:
            left[kind][text] -= 1
            excused += 1
    for text, count in left["never"].items():
        if count > 0 and text in source:
            numbers = listed["never"][text]
            faults.append(f"{REASONS.name}:{numbers[-1]}: {name}: run through ({count} of "
                          f"{len(numbers)} listed): {text}")
    return excused, faults


def check_reasons(files):
    """How many lines have a reason; what has none, and the reasons that are for nothing."""
    reasons = Reasons()
    excused, faults = 0, reasons.faults
    faults += [f"{REASONS.name}: {name} was not measured" for name in reasons.listed
               if name not in files]
    for name, lines in files.items():
        excused_here, faults_here = check_file(name, lines, reasons.listed[name])
        excused += excused_here
        faults += faults_here
    return excused, faults


def main():
    summary, details = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(description=summary.split(" - ", 1)[1], epilog=details,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)
    parser.add_argument("directory", metavar="DIRECTORY", type=pathlib.Path,
                        help="the build directory")
    parser.add_argument("--all", action="store_true", help="a table by file")
    options = parser.parse_args()
    if not (options.directory / "build.ninja").is_file():
        parser.error(f"{options.directory} is no build directory")

    files = measure(options.directory.resolve())
    leave_out_hostile(files)
    total = print_table(files, options.all)
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
