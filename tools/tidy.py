#!/usr/bin/env python3
"""tidy.py - the rules of style that a machine can hold, each with its reason.

Prints file:line of each breach; status 1 if there is one."""

import pathlib
import re
import sys

LINE_MAX = 100        # two files fit side by side
FUNCTION_MAX = 70     # a function fits on a screen
FILE_MAX = 600        # a file has one subject
TEST_FILE_MAX = 700   # and a test file its stories

# Directories a rule holds in.  The behaviours are not BELOW: they are processes as a user's are.
SOURCE = ("src/", "include/")
BELOW = ("src/base/", "src/platform/", "src/runtime/")
WITHOUT_EXAMPLES = ("src/", "include/", "tests/", "bench/")
EVERYWHERE = (*WITHOUT_EXAMPLES, "examples/")

# Banned calls: name, where, why and what to use instead.
BANNED = [
    ("sprintf", EVERYWHERE, "does not know the buffer's size: snprintf"),
    ("vsprintf", EVERYWHERE, "does not know the buffer's size: vsnprintf"),
    ("strcpy", EVERYWHERE, "does not know the buffer's size: memcpy of a known length"),
    ("strcat", EVERYWHERE, "does not know the buffer's size: snprintf"),
    ("strncpy", EVERYWHERE, "may leave out the final NUL: memcpy of a known length"),
    ("gets", EVERYWHERE, "does not know the buffer's size: fgets"),
    ("atoi", EVERYWHERE, "says nothing of a wrong number: strtol"),
    ("strtok", EVERYWHERE, "keeps its state in a global: strtok_r"),
    ("system", EVERYWHERE, "starts a shell, which no part of this needs"),
    ("alloca", EVERYWHERE, "a process's stack is small: an array of known size, or the arena"),
    ("assert", BELOW, "would pass for a crash of the process that runs: COP_ASSERT"),
    ("rand", EVERYWHERE, "is not repeated by a seed: cop_random, copi_random_next"),
    ("random", EVERYWHERE, "is not repeated by a seed: cop_random, copi_random_next"),
    ("printf", SOURCE, "the library never prints: cop_log"),
    ("fprintf", SOURCE, "the library never prints: cop_log"),
    ("puts", SOURCE, "the library never prints: cop_log"),
    ("fputs", SOURCE, "the library never prints: cop_log"),
    ("perror", SOURCE, "the library never prints: cop_log"),
    ("exit", SOURCE, "a library does not end its program: cop_halt"),
    ("sleep", WITHOUT_EXAMPLES, "blocks the scheduler thread, and tests never wait so: cop_sleep"),
    ("usleep", WITHOUT_EXAMPLES, "blocks the scheduler thread, and tests never wait so: cop_sleep"),
    ("nanosleep", WITHOUT_EXAMPLES, "blocks the scheduler thread, and tests never wait so: cop_sleep"),
    ("clock_gettime", SOURCE, "time comes through one interface: copi_clock_ns"),
    ("gettimeofday", SOURCE, "time comes through one interface: copi_clock_ns"),
    ("time", SOURCE, "time comes through one interface: copi_clock_ns"),
]

# (file, call): why it may.
EXEMPT = {
    ("src/platform/linux.c", "clock_gettime"): "this is that interface",
    ("src/runtime/exits.c", "exit"): "it is defined there",
    ("src/runtime/log.c", "fprintf"): "cop_log_stderr, the sink that a program may choose",
}

LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX)\b")
CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments_and_strings(text):
    """The text with those blanked, its lines where they were."""
    return COMMENT_OR_STRING.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def check_lines(name, lines):
    """Columns, tabs, spaces at the end, leftovers, the header comment, the file's length."""
    if not lines or not re.match(rf"/\* {re.escape(pathlib.Path(name).name)} - \S", lines[0]):
        yield 1, f"the first line should say what the file is: /* {pathlib.Path(name).name} - ..."
    limit = TEST_FILE_MAX if name.startswith("tests/") else FILE_MAX
    if len(lines) > limit:
        yield len(lines), f"the file has {len(lines)} lines, more than {limit}"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX:
            yield number, f"{len(line)} columns, more than {LINE_MAX}"
        if "\t" in line:
            yield number, "a tab: indentation is 4 spaces"
        if line != line.rstrip():
            yield number, "spaces at the end of the line"
        leftover = LEFTOVER.search(line)
        if leftover:
            yield number, f"a leftover {leftover[0]}: do it or drop it"


def check_functions(lines):
    """The length of functions: a brace alone in the first column opens one, another closes it."""
    start = 0
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start > 0:
            if number - start + 1 > FUNCTION_MAX:
                yield start, f"a function of {number - start + 1} lines, more than {FUNCTION_MAX}"
            start = 0


def check_calls(name, text):
    """Calls of banned functions."""
    banned = {call: reason for call, where, reason in BANNED
              if name.startswith(where) and (name, call) not in EXEMPT}
    for number, line in enumerate(without_comments_and_strings(text).splitlines(), 1):
        for call in CALL.findall(line):
            if call in banned:
                yield number, f"{call}: {banned[call]}"


def check_file(path, name):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    yield from check_lines(name, lines)
    if name.startswith("src/"):
        yield from check_functions(lines)
    yield from check_calls(name, text)
    if not text.endswith("\n"):
        yield len(lines), "no newline at the end of the file"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    files = [path for place in EVERYWHERE for path in sorted((root / place).rglob("*.[ch]"))]
    faults = 0
    for path in files:
        name = path.relative_to(root).as_posix()
        for number, fault in sorted(check_file(path, name)):
            print(f"{name}:{number}: {fault}")
            faults += 1
    print(f"{len(files)} files, {faults} faults")
    return 0 if files and faults == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
