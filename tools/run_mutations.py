#!/usr/bin/env python3
"""run_mutations.py - mistakes made by hand, each of which the simulation must find.

    tools/run_mutations.py DIRECTORY [NAME...]

The source is copied to DIRECTORY and built there once.  Then each of tests/mutations/NAME.patch is
applied, what it changes is built, `sim` has SEEDS seeds, two stories each, to find it, and the patch
is taken out again.  Prints how many it took and the shortest plan; status 1 if one was not found."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = 50000           # of two stories: 100,000 histories
SECONDS = 1800
LEFT_OUT = shutil.ignore_patterns("build*", ".git", "__pycache__")
OPTIONS = ["-Dtests=disabled", "-Dexamples=disabled"]


def run(command, directory, log):
    """Runs a command with its output in a log; whether it went well."""
    environment = {**os.environ, "CCACHE_BASEDIR": str(directory), "CCACHE_NOHASHDIR": "1"}
    return subprocess.run(command, cwd=directory, check=False, stdin=subprocess.DEVNULL,
                          stdout=log, stderr=subprocess.STDOUT, env=environment).returncode == 0


def prepare(directory):
    """Makes build/bin/sim of a copy; whether it could."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(ROOT, directory, ignore=LEFT_OUT)
    with open(directory / "mutation.log", "w", encoding="utf-8") as log:
        return (run(["meson", "setup", "build", *OPTIONS], directory, log) and
                run(["ninja", "-C", "build", "bin/sim"], directory, log))


def build(patch, directory):
    """Makes build/bin/sim of the mutated copy; whether it could."""
    with open(directory / "mutation.log", "a", encoding="utf-8") as log:
        return (run(["patch", "-p1", "--fuzz=0", "-i", patch], directory, log) and
                run(["ninja", "-C", "build", "bin/sim"], directory, log))


def take_out(patch, directory):
    """Whether the copy is again as it was."""
    with open(directory / "mutation.log", "a", encoding="utf-8") as log:
        return run(["patch", "-R", "-p1", "--fuzz=0", "-i", patch], directory, log)


def simulate(directory):
    """(whether it was found, what `sim` printed)."""
    result = subprocess.run([directory / "build/bin/sim", "--seeds", str(SEEDS)], check=False,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, timeout=SECONDS)
    return result.returncode == 1, result.stdout


def main():
    top = pathlib.Path(sys.argv[1]).resolve()
    patches = sorted((ROOT / "tests/mutations").glob("*.patch"))
    patches = [patch for patch in patches if patch.stem in sys.argv[2:] or not sys.argv[2:]]
    survivors = 0
    if not prepare(top):
        sys.exit(f"the copy cannot be built, see {top}/mutation.log")
    for patch in patches:
        if not build(patch, top):
            sys.exit(f"{patch.stem}: cannot be built, see {top}/mutation.log")
        found, said = simulate(top)
        survivors += not found
        schedules = re.search(r"^(\d+) schedules", said, re.M)
        print(f"{patch.stem}: {'found' if found else 'NOT FOUND'} after "
              f"{schedules[1] if schedules else '?'} schedules")
        if found:
            print("".join(f"    {line}\n" for line in said.splitlines()[:12]), end="", flush=True)
        if not take_out(patch, top):
            sys.exit(f"{patch.stem}: cannot be taken out, see {top}/mutation.log")
    print(f"{len(patches)} mutations, {survivors} not found")
    return 0 if patches and survivors == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
