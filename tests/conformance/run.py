#!/usr/bin/env python3
"""run.py SCENARIO SIGNALS - plays all recorded scenarios and histories and compares.

The two arguments are the programs.  Everything is played in a copy of the recorded files, so that
the source tree stays as it is.  Says ok or not ok for each file and ends with the count; status 1
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


def play(program, recorded, ending, place):
    """Plays a copy of the recorded files; the name and the difference, or None, of each."""
    copy = place / recorded
    shutil.copytree(HERE / recorded, copy)
    files = sorted(copy.glob(f"*.{ending}"))
    if not files:
        yield recorded, "there are no files"
    played = subprocess.run([*WRAPPER, program, *files], check=False)
    if played.returncode != 0:
        yield recorded, f"{program} ended with status {played.returncode}"
    for file in files:
        reference = file.with_suffix(".otp")
        if reference.exists():
            yield f"{recorded}/{file.stem}", compare.difference(reference, "cop")
        else:
            yield f"{recorded}/{file.stem}", "there is no reference"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    scenario, signals = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:])
    with tempfile.TemporaryDirectory() as place:
        results = [*play(scenario, "scenarios", "scn", pathlib.Path(place)),
                   *play(signals, "signals", "sig", pathlib.Path(place))]
    for number, (name, fault) in enumerate(results, 1):
        print(f"ok {number} - {name}" if fault is None else f"not ok {number} - {name}: {fault}")
    failed = sum(fault is not None for _, fault in results)
    print(f"1..{len(results)}")
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
