#!/usr/bin/env python3
"""run_tests.py - runs the tests of a build directory and says what ran.

    tools/run_tests.py DIRECTORY [--without FILE] [OPTION OF MESON TEST...]

Meson runs the programs.  A program that reports its cases in TAP, as Check does with
CK_TAP_LOG_FILE_NAME=-, counts case by case; any other counts as one.  A program that ends badly
without a failed case (a time-out, a crash, a leak found at its exit) counts as one failed.

FILE names what can't work where the tests run, each with an indented line that says why.  A whole
program, as it is printed here, is not run; the failure of a case is not counted.  Both are printed with
the reason.

The last line is `N passed, N failed`; status 0 only if something passed and nothing failed."""

import json
import pathlib
import re
import subprocess
import sys

TAP_CASE = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*(.*)$")
TAP_PLAN = re.compile(r"^1\.\.(\d+)")
CHECK_CASE = re.compile(r"^[^:]*:[^:]*:(\w+): (.*)$")     # file:suite:name: what happened
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\t\x20-\x7e\xa0-\U0010ffff]")
OUTPUT_SHOWN = 80                                         # lines of a failed program's output


def name_and_message(text):
    """A TAP line's name and what it says, Check's underscores made spaces."""
    case = CHECK_CASE.match(text)
    if case is None:
        return text, ""
    return case[1].replace("_", " "), case[2]


def read_cases(output):
    """The (passed, name, message) of each TAP line, and the planned number of them or None."""
    cases, planned = [], None
    for line in output.splitlines():
        plan = TAP_PLAN.match(line)
        if plan:
            planned = int(plan[1])
        case = TAP_CASE.match(line)
        if case:
            cases.append((case[1] is None, *name_and_message(case[2])))
    return cases, planned


def read_exclusions(path):
    """The reason of each name in the file."""
    reasons, name = {}, None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace():
            reasons[name] = f"{reasons[name]} {line.strip()}".strip()
        else:
            name = line.strip()
            reasons[name] = ""
    return reasons


def program_of(suite, name):
    return f"{suite} {name}".replace("_", " ")


def split_programs(directory, exclusions):
    """The names that Meson has for the programs to run, and those that are not."""
    listed = subprocess.run(["meson", "introspect", "--tests", directory], check=True,
                            stdout=subprocess.PIPE).stdout
    names = {program_of(test["suite"][0].split(":")[1], test["name"]): test["name"]
             for test in json.loads(listed)}
    left_out = [program for program in sorted(names) if program in exclusions]
    return [names[program] for program in names if program not in exclusions], left_out


def judge(run):
    """A program's cases; one for the program itself if it has none or ended badly."""
    cases, planned = read_cases(run["stdout"])
    if planned is not None and planned != len(cases):
        cases.append((False, f"{len(cases)} of {planned} cases reported", ""))
    good = run["result"] in ("OK", "EXPECTEDFAIL")
    if good and not cases:
        cases.append((True, "", ""))
    if not good and all(passed for passed, _, _ in cases):
        cases.append((False, f"the program: {run['result']}, status {run['returncode']}", ""))
    return cases


def print_output(run):
    """The end of what a failed program said."""
    lines = (run["stdout"] + run.get("stderr", "")).splitlines()
    lines = [line for line in lines if not re.match(r"^ok\b|^1\.\.", line)]
    if len(lines) > OUTPUT_SHOWN:
        print(f"    | ... {len(lines) - OUTPUT_SHOWN} lines more")
    for line in lines[-OUTPUT_SHOWN:]:
        print(f"    | {CONTROL.sub('', line)[:300]}")


def report_program(program, run, exclusions):
    """Prints a program's cases; how many passed, failed, and failed with a reason to."""
    passes = failures = excused = 0
    for passed, name, message in judge(run):
        label = program + (f": {name}" if name else "")
        reason = exclusions.get(label)
        if passed:
            passes += 1
            print(f"ok    {label}")
        elif reason:
            excused += 1
            print(f"skip  {label}: {reason}")
        else:
            failures += 1
            print(f"FAIL  {label}" + (f"\n      {message}" if message else ""))
    if failures > 0:
        print_output(run)
    return passes, failures, excused


def report(runs, exclusions):
    """Prints every program with its cases; how many passed, failed, and failed with a reason to."""
    totals = (0, 0, 0)
    for run in sorted(runs, key=lambda run: run["name"]):
        program = program_of(*re.fullmatch(r"\w+:(\w+) / (.*)", run["name"]).groups())
        if run["result"] == "SKIP":
            print(f"skip  {program}: {run['stdout'].strip()}")
            continue
        counts = report_program(program, run, exclusions)
        totals = tuple(map(sum, zip(totals, counts)))
    return totals


def main():
    directory, options = sys.argv[1], sys.argv[2:]
    exclusions, names, left_out = {}, [], []
    if options[:1] == ["--without"]:
        exclusions = read_exclusions(pathlib.Path(options[1]))
        names, left_out = split_programs(directory, exclusions)
        options = options[2:]
        if any(name in options for name in names):
            names = [name for name in names if name in options]
            options = [option for option in options if option not in names]
    log = pathlib.Path(directory, "meson-logs", "testlog.json")
    log.unlink(missing_ok=True)
    status = subprocess.run(["meson", "test", "-C", directory, "--no-rebuild", *names, *options],
                            check=False).returncode
    runs = []
    if log.exists():
        with log.open(encoding="utf-8") as lines:
            runs = [json.loads(line) for line in lines]
    print("\nWhat ran:\n")
    passed, failed, excused = report(runs, exclusions)
    for program in left_out:
        print(f"skip  {program}: {exclusions[program]}")
    if failed == 0 and status != 0 and excused == 0:
        failed = 1
        print(f"FAIL  meson test ended with status {status}")
    print(f"\n{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
