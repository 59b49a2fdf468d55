#!/usr/bin/env python3
"""run_mutations.py - mistakes made by hand, each of which the simulation must find.

    tools/run_mutations.py DIRECTORY [--seeds N] [NAME...]

The source is copied to DIRECTORY, which is made for it, and built there once.  That copy must pass
the first tenth of the seeds, or what is found later means nothing.  Then each of
tests/mutations/NAME.patch is applied, what it changes is built, `sim` has N seeds (50000) of two
stories each to find it, and the patch is taken out again.

Found is what made a check fail: `sim` says which.  Prints that, how many schedules it took and the
shortest plan; status 1 if one was not found."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATCHES = ROOT / "tests/mutations"
SEEDS = 50000           # of two stories: 100,000 histories
SECONDS = 1800
SAID_LINES = 12
STAMP = "mutations.stamp"       # in a directory that was made here, and may be removed
LEFT_OUT = shutil.ignore_patterns("build*", ".git", "__pycache__")
OPTIONS = ["-Dtests=disabled", "-Dexamples=disabled"]
FAILED = 1              # sim's status for that; others are not a finding
FAILURE = re.compile(r'^(?:seed \d+: )?"(.*)" failed', re.M)


def run(command, directory):
    """Runs a command with its output in a log; whether it went well."""
    environment = {**os.environ, "CCACHE_BASEDIR": str(directory), "CCACHE_NOHASHDIR": "1"}
    with open(directory / "mutation.log", "a", encoding="utf-8") as log:
        return subprocess.run(command, cwd=directory, check=False, stdin=subprocess.DEVNULL,
                              stdout=log, stderr=subprocess.STDOUT, env=environment).returncode == 0


def make_directory(directory):
    """An empty one in the place of an older one; what is in any other is not ours to remove."""
    if (directory / STAMP).is_file():
        shutil.rmtree(directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        sys.exit(f"run_mutations: {directory} was not made by this program and is not empty: it is left alone")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / STAMP).touch()


def copy_source(directory):
    def left_out(place, names):
        itself = {name for name in names if pathlib.Path(place) / name == directory}
        return LEFT_OUT(place, names) | itself
    shutil.copytree(ROOT, directory, ignore=left_out, dirs_exist_ok=True)


def prepare(directory):
    """Makes build/bin/sim of a copy; whether it could."""
    make_directory(directory)
    copy_source(directory)
    return (run(["meson", "setup", "build", *OPTIONS], directory) and
            run(["ninja", "-C", "build", "bin/sim"], directory))


def build(patch, directory):
    """Makes build/bin/sim of the mutated copy; whether it could."""
    return (run(["patch", "-p1", "--fuzz=0", "-i", patch], directory) and
            run(["ninja", "-C", "build", "bin/sim"], directory))


def take_out(patch, directory):
    """Whether the copy is again as it was."""
    return run(["patch", "-R", "-p1", "--fuzz=0", "-i", patch], directory)


def simulate(directory, seeds):
    """The status of `sim`, None when it took too long, and what it printed."""
    with open(directory / "mutation.log", "a", encoding="utf-8") as log:
        try:
            result = subprocess.run([directory / "build/bin/sim", "--seeds", str(seeds)],
                                    check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=log, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return None, ""
    return result.returncode, result.stdout


def outcome(status, said):
    """What came of it in a word, and whether that is a check that failed."""
    failure = FAILURE.search(said)
    if status == FAILED and failure:
        return f'found by "{failure[1]}"', True
    if status is None:
        return f"NOT FOUND within {SECONDS} s", False
    return "NOT FOUND" if status == 0 else f"NOT FOUND, sim ended with status {status}", False


def show(said):
    print("".join(f"    {line}\n" for line in said.splitlines()[:SAID_LINES]), end="", flush=True)


def pass_control(directory, seeds):
    """The copy as it is must pass; ends the program if it does not."""
    status, said = simulate(directory, seeds)
    if status != 0:
        show(said)
        how = "takes too long" if status is None else f"fails (status {status})"
        sys.exit(f"run_mutations: the source without any mutation {how} in simulation, "
                 f"see {directory}/mutation.log")
    print(f"no mutation: seeds 1 to {seeds} pass", flush=True)


def survives(patch, directory, seeds):
    """Whether the simulation does not find this one."""
    if not build(patch, directory):
        sys.exit(f"run_mutations: {patch.stem} cannot be built, see {directory}/mutation.log")
    status, said = simulate(directory, seeds)
    word, found = outcome(status, said)
    schedules = re.search(r"^(\d+) schedules", said, re.M)
    print(f"{patch.stem}: {word}" + (f" after {schedules[1]} schedules" if schedules else ""),
          flush=True)
    if found:
        show(said)
    if not take_out(patch, directory):
        sys.exit(f"run_mutations: {patch.stem} cannot be taken out, see {directory}/mutation.log")
    return not found


def read_options():
    names = sorted(path.stem for path in PATCHES.glob("*.patch"))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="these mutations alone")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="for each mutation")
    options = parser.parse_intermixed_args()
    if options.seeds < 10:
        parser.error("--seeds is 10 at least")
    for name in options.names:
        if name not in names:
            parser.error(f"there is no mutation {name}, but {', '.join(names)}")
    options.names = options.names or names
    return options


def main():
    options = read_options()
    top = options.directory.resolve()
    if not prepare(top):
        sys.exit(f"run_mutations: the copy cannot be built, see {top}/mutation.log")
    pass_control(top, options.seeds // 10)
    survivors = sum(survives(PATCHES / f"{name}.patch", top, options.seeds)
                    for name in options.names)
    print(f"{len(options.names)} mutations, {survivors} not found")
    return 0 if options.names and survivors == 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("run_mutations: interrupted", file=sys.stderr)
        sys.exit(130)
