#!/usr/bin/env python3
"""run.py SCENARIO SIGNALS - plays all recorded scenarios and histories and compares.

The two arguments are the programs.  Everything is played in a copy of the recorded files, so that
the source tree stays as it is.  Ends with the counts; status 1 if a single one differs."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def play(program, recorded, ending, copy):
    """Plays the directory's files in the copy; how many of them there are, and if all passed."""
    shutil.copytree(HERE / recorded, copy)
    files = sorted(copy.glob(f"*.{ending}"))
    references = sorted(copy.glob("*.otp"))
    print(f"{recorded}: {len(files)} files", flush=True)
    if not files or len(files) != len(references):
        print(f"{recorded}: {len(references)} references for {len(files)} files")
        return False
    played = subprocess.run([program, *map(str, files)], check=False)
    compared = subprocess.run([sys.executable, HERE / "compare.py", copy, "cop"], check=False)
    if played.returncode != 0:
        print(f"{program}: status {played.returncode}")
    return played.returncode == 0 and compared.returncode == 0


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    scenario, signals = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:])
    with tempfile.TemporaryDirectory() as place:
        results = [play(scenario, "scenarios", "scn", pathlib.Path(place) / "scenarios"),
                   play(signals, "signals", "sig", pathlib.Path(place) / "signals")]
    sys.exit(0 if all(results) else 1)


main()
