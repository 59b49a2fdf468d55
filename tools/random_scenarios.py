#!/usr/bin/env python3
"""random_scenarios.py - plays random scenarios and signal histories on Erlang/OTP and on Coppice.

Writes files in the style of the recorded ones, plays each on the real OTP, if there is one, and on
this project's players, and holds the traces against each other.  What OTP itself does not answer
the same way twice (a race) or at all (a wait without end) is left out and counted.  The same
seed gives the same files.

    tools/random_scenarios.py --seed 7 --count 200
    tools/random_scenarios.py --seed 7 --count 50 --kind signals --directory found

With differences, the files are kept and the status is 1."""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import random_history
import random_tree

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFORMANCE = ROOT / "tests" / "conformance"
STALL_SECONDS = 12      # without a new trace, OTP waits for something that never comes

KINDS = {   # ending of the files, the oracle's module, our player, the generator
    "scenarios": ("scn", "otp_oracle", "scenario", random_tree.scenario),
    "signals": ("sig", "signal_oracle", "signals", random_history.history),
}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the first file (1)")
    parser.add_argument("--count", type=int, default=100, help="files of each kind (100)")
    parser.add_argument("--kind", choices=[*KINDS, "both"], default="both")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build" / "bin",
                        help="where the players are (build/bin)")
    parser.add_argument("--directory", type=pathlib.Path,
                        help="where the files go; kept (default: a temporary one)")
    parser.add_argument("--no-otp", action="store_true",
                        help="only play, to find a crash or a wait without end")
    return parser.parse_args()


# ---- Erlang/OTP ------------------------------------------------------------------------------

def compile_oracles(place):
    place.mkdir(parents=True, exist_ok=True)
    for _, oracle, _, _ in KINDS.values():
        subprocess.run(["erlc", "-o", place, CONFORMANCE / f"{oracle}.erl"], check=True)


def play_on_otp(oracle, beams, files, schedulers):
    """Plays the files; a run that stalls is killed and goes on behind the file it stalled in."""
    left = list(files)
    while left:
        run = subprocess.Popen(["erl", "+S", str(schedulers), "-noshell", "-pa", beams, "-run",
                                oracle, "main", *left], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, cwd=beams)
        last = time.monotonic()
        while run.poll() is None and time.monotonic() - last < STALL_SECONDS:
            time.sleep(0.05)
            while left and left[0].with_suffix(".otp").exists():
                left.pop(0)
                last = time.monotonic()
        if run.poll() is None:
            run.kill()
        run.wait()
        left = [file for file in left if not file.with_suffix(".otp").exists()][1:]


def record(oracle, beams, files):
    """The files that OTP answers the same way on one scheduler and on two."""
    stable = []
    play_on_otp(oracle, beams, files, 1)
    first = {file: read(file.with_suffix(".otp")) for file in files}
    for file in files:
        file.with_suffix(".otp").unlink(missing_ok=True)
    answered = [file for file in files if first[file] is not None]
    play_on_otp(oracle, beams, answered, 2)
    for file in answered:
        if read(file.with_suffix(".otp")) == first[file]:
            stable.append(file)
        else:
            file.with_suffix(".otp").unlink(missing_ok=True)
    return stable


def read(path):
    return path.read_text() if path.exists() else None


# ---- both --------------------------------------------------------------------------------------

def write_files(place, kind, seed, count):
    ending, _, _, generate = KINDS[kind]
    place.mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(seed, seed + count):
        file = (place / f"r{number:06d}.{ending}").resolve()
        file.write_text(generate(number))
        file.with_suffix(".otp").unlink(missing_ok=True)
        file.with_suffix(".cop").unlink(missing_ok=True)
        files.append(file)
    return files


def play_kind(kind, options, place, with_otp):
    """Generates, plays and compares one kind; whether all is well."""
    _, oracle, player, _ = KINDS[kind]
    files = write_files(place / kind, kind, options.seed, options.count)
    if with_otp:
        beams = place / "beams"
        compile_oracles(beams)
        stable = record(oracle, beams.resolve(), files)
        print(f"{kind}: {len(files)} files, {len(files) - len(stable)} left out", flush=True)
        files = stable
    played = subprocess.run([options.programs.resolve() / player, *files], check=False, timeout=600)
    if played.returncode != 0:
        print(f"{player}: status {played.returncode}")
    if not with_otp:
        print(f"{kind}: {len(files)} files played, not compared: Erlang/OTP is not installed"
              if not options.no_otp else f"{kind}: {len(files)} files played")
        return played.returncode == 0
    compared = subprocess.run([sys.executable, CONFORMANCE / "compare.py", place / kind, "cop"],
                              check=False)
    return played.returncode == 0 and compared.returncode == 0


def main():
    options = arguments()
    with_otp = not options.no_otp and shutil.which("erlc") is not None
    kinds = list(KINDS) if options.kind == "both" else [options.kind]
    for kind in kinds:
        if not (options.programs / KINDS[kind][2]).exists():
            sys.exit(f"{options.programs / KINDS[kind][2]} is missing: run make, or say --programs")
    place = options.directory or pathlib.Path(tempfile.mkdtemp(prefix="scenarios-"))
    results = [play_kind(kind, options, place, with_otp) for kind in kinds]
    if all(results) and options.directory is None:
        shutil.rmtree(place)
    else:
        print(f"the files are in {place}")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
