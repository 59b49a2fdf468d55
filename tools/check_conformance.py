#!/usr/bin/env python3
"""check_conformance.py - docs/conformance.md names every line of the list, and tests that are there.

A row of a table in that page is

    | number | name | what pins it | remark |

and what pins it is `n/a`, `open`, or one or more `file.c: test`, with a semicolon between them and
the file relative to tests/.  Each number of the list must be there once and no other; each test
must be a START_TEST of its file that the file also adds to its suite; each test file must be in
tests/meson.build.  Prints what is wrong, and how many lines are pinned, n/a and open; status 1 if
anything is wrong."""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "conformance.md"
TESTS = ROOT / "tests"

# The numbers of the list, section by section.
SECTIONS = [(1, 85), (101, 131), (141, 151), (161, 163), (201, 207), (211, 241), (251, 263),
            (271, 280), (291, 306)]

ROW = re.compile(r"^\| *(\d+) *\| *([^|]+?) *\| *([^|]*?) *\| *([^|]*?) *\|$")
NAMED = re.compile(r"^([\w/]+\.c): (\w+)$")


def rows():
    """The rows of the page: (line, number, name, what pins it, remark)."""
    for line, text in enumerate(PAGE.read_text(encoding="utf-8").splitlines(), 1):
        row = ROW.match(text)
        if row:
            yield line, int(row[1]), row[2], row[3], row[4]
        elif re.match(r"^\| *\d", text):
            yield line, None, "", text, ""


def is_built(file):
    """Whether tests/meson.build makes that test file."""
    kind, name = file.rsplit("/", 1)
    name = re.sub(r"^test_(\w+)\.c$", r"\1", name)
    text = (TESTS / "meson.build").read_text(encoding="utf-8")
    return f"'{kind}/test_{name}.c'" in text or f"    '{name}',\n" in text


class Sources:
    """The test files, each read once."""

    def __init__(self):
        self.texts = {}

    def fault(self, named):
        """What is wrong with a `file.c: test`; None if nothing is."""
        match = NAMED.match(named)
        if not match:
            return f"'{named}' is no `file.c: test`"
        file, test = match.groups()
        if file not in self.texts:
            path = TESTS / file
            self.texts[file] = path.read_text(encoding="utf-8") if path.exists() else None
        text = self.texts[file]
        if text is None:
            return f"there is no tests/{file}"
        if not is_built(file):
            return f"tests/{file} is not in tests/meson.build"
        if f"START_TEST({test})" not in text:
            return f"tests/{file} has no test {test}"
        if len(re.findall(rf"\b{test}\b", text)) < 2:
            return f"tests/{file} does not add {test} to its suite"
        return None


def check_row(sources, pins, remark):
    """Its kind, and what is wrong with it."""
    if pins in ("n/a", "open"):
        return pins, [] if remark else [f"{pins} without a reason"]
    faults = [sources.fault(named.strip()) for named in pins.split(";")]
    return "pinned", [fault for fault in faults if fault]


def main():
    expected = {number for first, last in SECTIONS for number in range(first, last + 1)}
    sources, seen, kinds, faults = Sources(), set(), collections.Counter(), []
    for line, number, name, pins, remark in rows():
        if number is None:
            faults.append(f"{line}: not a row of four columns: {pins}")
            continue
        if number in seen:
            faults.append(f"{line}: {number} is there twice")
        if number not in expected:
            faults.append(f"{line}: the list has no {number}")
        seen.add(number)
        kind, wrong = check_row(sources, pins, remark)
        kinds[kind] += 1
        faults += [f"{line}: {number} {name}: {fault}" for fault in wrong]
    faults += [f"1: {number} is missing" for number in sorted(expected - seen)]
    for fault in faults:
        print(f"{PAGE.relative_to(ROOT)}:{fault}")
    print(", ".join(f"{kinds[kind]} {kind}" for kind in ("pinned", "n/a", "open")))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
