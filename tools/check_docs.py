#!/usr/bin/env python3
"""check_docs.py - the C code in the documentation compiles, runs and prints what it says.

    tools/check_docs.py PKG_CONFIG_DIRECTORY COMPILER...

In README.md and docs/, a fenced block marked `c` that has a main is a program: it is compiled and
linked as a user would, with the flags that pkg-config gives, and run; if the next fenced block is
marked `text`, its standard output must be exactly that, and otherwise its status must be 0.  A
block without a main must compile after an #include <coppice/coppice.h>.  What is not meant to
compile belongs in a block without a mark."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^```(\w*)\s*$")
MAIN = re.compile(r"^int main\(", re.M)
RUN_SECONDS = 60
WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror",
            "-Wno-unused-parameter"]     # of callbacks in short examples


def blocks_of(path):
    """The fenced blocks of a file: (mark, line number, text)."""
    mark, start, text = None, 0, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if fence and mark is None:
            mark, start, text = fence[1], number, []
        elif fence:
            yield mark, start, "".join(f"{content}\n" for content in text)
            mark = None
        elif mark is not None:
            text.append(line)
    if mark is not None:
        yield "unclosed", start, ""


def package_flags(directory, what):
    environment = {**os.environ, "PKG_CONFIG_PATH": directory}
    return subprocess.run(["pkg-config", what, "coppice"], env=environment, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()


def compile_block(code, compiler, directory, output):
    """Compiles a program into output, or a fragment to nothing; what the compiler said if bad."""
    source = output.with_suffix(".c")
    arguments = [*compiler, *WARNINGS, "-O2", "-g", *package_flags(directory, "--cflags")]
    if MAIN.search(code):
        source.write_text(code, encoding="utf-8")
        arguments += [source, "-o", output, *package_flags(directory, "--libs")]
    else:
        source.write_text("#include <coppice/coppice.h>\n" + code, encoding="utf-8")
        arguments += ["-Wno-unused", "-fsyntax-only", source]
    result = subprocess.run(arguments, check=False, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    return None if result.returncode == 0 else result.stdout


def run_program(program, expected):
    """What is wrong with the run, or None."""
    try:
        result = subprocess.run([program], check=False, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                timeout=RUN_SECONDS, cwd=program.parent)
    except subprocess.TimeoutExpired:
        return f"did not end within {RUN_SECONDS} s"
    if expected is None:
        if result.returncode != 0:
            return f"ended with status {result.returncode}:\n{result.stderr}"
    elif result.stdout != expected:
        return f"printed\n{result.stdout}instead of\n{expected}and on stderr\n{result.stderr}"
    return None


def check_file(path, compiler, directory, scratch):
    """The faults of a file as (line, text), after each block a None."""
    blocks = list(blocks_of(path))
    for index, (mark, line, code) in enumerate(blocks):
        if mark == "unclosed":
            yield line, "this fence is not closed"
        if mark != "c":
            continue
        program = scratch / f"{path.stem}_{line}"
        following = blocks[index + 1] if index + 1 < len(blocks) else ("", 0, "")
        expected = following[2] if following[0] == "text" else None
        said = compile_block(code, compiler, directory, program)
        if said is not None:
            yield line, f"does not compile:\n{said}"
        elif MAIN.search(code):
            yield line, run_program(program, expected)
        else:
            yield line, None


def main():
    directory, compiler = sys.argv[1], sys.argv[2:]
    root = pathlib.Path(__file__).resolve().parent.parent
    files = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    blocks, faults = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        for path in files:
            for line, fault in check_file(path, compiler, directory, pathlib.Path(scratch)):
                blocks += 1
                if fault is not None:
                    print(f"{path.relative_to(root)}:{line}: {fault}")
                    faults += 1
    print(f"{len(files)} files, {blocks} blocks of C, {faults} faults")
    return 0 if blocks and faults == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
