#!/usr/bin/env python3
"""run.py [--seeds N] SCENARIO SIGNALS - plays all recorded scenarios and histories and compares.

The two arguments are the programs.  Everything is played in a copy of the recorded files, so that
the source tree stays as it is.  With --seeds each is played N times in simulation, in random orders
and with random interruptions, and must come to what was recorded every time; those that
one_order.txt names are left out.  Says ok or not ok for each file and ends with the count; status 1
if a single one differs."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import compare  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))    # an emulator, in a cross build


def in_one_order():
    """The files that come to what was recorded in one order only: FILE, and the reason."""
    lines = (HERE / "one_order.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if line and not line.startswith(("#", " "))}


def difference(reference, seeds):
    """How what was played beside a reference differs from it, or None."""
    if not reference.exists():
        return "there is no reference"
    if seeds is None:
        return compare.difference(reference, "cop")
    traces = sorted(reference.parent.glob(f"{reference.stem}.[0-9]*.cop"))
    for trace in traces:
        ending = trace.name[len(reference.stem) + 1:]
        text = compare.difference(reference, ending)
        if text is not None:
            return f"seed {ending.split('.')[0]}: {text}"
    return None if traces else "it was not played"


def play(program, recorded, ending, place, seeds):
    """Plays a copy of the recorded files; the name and the difference, or None, of each."""
    copy = place / recorded
    shutil.copytree(HERE / recorded, copy)
    files = sorted(copy.glob(f"*.{ending}"))
    if seeds is not None:
        left_out = in_one_order()
        files = [file for file in files if f"{recorded}/{file.stem}" not in left_out]
    if not files:
        yield recorded, "there are no files"
    options = [] if seeds is None else ["--seeds", seeds]
    played = subprocess.run([*WRAPPER, program, *options, *files], check=False)
    if played.returncode != 0:
        yield recorded, f"{program} ended with status {played.returncode}"
    for file in files:
        yield f"{recorded}/{file.stem}", difference(file.with_suffix(".otp"), seeds)


def main():
    arguments, seeds = sys.argv[1:], None
    if arguments[:1] == ["--seeds"]:
        seeds, arguments = arguments[1], arguments[2:]
    if len(arguments) != 2:
        sys.exit(__doc__)
    scenario, signals = (str(pathlib.Path(path).resolve()) for path in arguments)
    with tempfile.TemporaryDirectory() as place:
        results = [*play(scenario, "scenarios", "scn", pathlib.Path(place), seeds),
                   *play(signals, "signals", "sig", pathlib.Path(place), seeds)]
    for number, (name, fault) in enumerate(results, 1):
        print(f"ok {number} - {name}" if fault is None else f"not ok {number} - {name}: {fault}")
    failed = sum(fault is not None for _, fault in results)
    print(f"1..{len(results)}")
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
