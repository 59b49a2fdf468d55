#!/usr/bin/env python3
"""check_examples.py PROGRAM...: runs the seed's examples and holds what they print against the .txt
beside their source.  Also checks the table in docs/seed.md: every example is in it, and the part of
its source that stands for the seed's block (up to the line "on stage") has at most one and a half
times the block's lines.  Prints TAP."""
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))    # an emulator, in a cross build
SEED = ROOT / "examples" / "seed"
ROW = re.compile(r"^\|[^|]*\| `(?P<program>[0-9][0-9a-z_]*)` \| (?P<block>[0-9]+) \| (?P<here>[0-9]+) \|", re.M)


def block_lines(source):
    """The lines of the part that stands for the block: no head comment, no include, no stage."""
    text = re.sub(r"\A/\*.*?\*/\n", "", source.read_text(), count=1, flags=re.S)
    text = text.split("/* ---- on stage ---- */")[0]
    lines = [line for line in text.splitlines() if not line.startswith("#include")]
    return len("\n".join(lines).strip().splitlines())


def faults_of(source, directory, table):
    program = directory / ("seed_" + source.stem)
    expected = source.with_suffix(".txt")
    if not expected.exists():
        return [f"no {expected.name}"]
    run = subprocess.run([*WRAPPER, program], capture_output=True, text=True, timeout=60)
    faults = []
    if run.returncode != 0:
        faults.append(f"status {run.returncode}: {run.stderr.strip()}")
    if run.stdout != expected.read_text():
        faults.append(f"prints something else than {expected.name}:\n{run.stdout}")
    if source.stem not in table:
        faults.append("is not in docs/seed.md")
    else:
        block, here = table[source.stem]
        if here != block_lines(source):
            faults.append(f"docs/seed.md says {here} lines, it has {block_lines(source)}")
        if block_lines(source) > 1.5 * block:
            faults.append(f"{block_lines(source)} lines for a block of {block}")
    return faults


def main():
    directory = pathlib.Path(sys.argv[1]).parent
    table = {row["program"]: (int(row["block"]), int(row["here"]))
             for row in ROW.finditer((ROOT / "docs" / "seed.md").read_text())}
    sources = sorted(SEED.glob("[0-9]*.c"))
    failed = 0
    print(f"1..{len(sources)}")
    for number, source in enumerate(sources, 1):
        faults = faults_of(source, directory, table)
        failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {number} - {source.stem}")
        for fault in faults:
            print("\n".join("# " + line for line in fault.splitlines()))
    return failed != 0 or not sources


if __name__ == "__main__":
    sys.exit(main())
