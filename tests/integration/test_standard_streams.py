#!/usr/bin/env python3
"""test_standard_streams.py BENCH SCENARIO SIGNALS EXAMPLE - output that cannot be written.

What a program could not print is a failure that it names; a standard stream that is closed when
it starts is not taken for a file that it opens.  Prints TAP."""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))    # an emulator, in a cross build
HISTORY = "spawn p\n"


def run(command, closed=(), stdout=subprocess.PIPE, directory=None):
    """Runs a program without the descriptors that are closed for it."""
    def close():
        for descriptor in closed:
            os.close(descriptor)
    return subprocess.run([*WRAPPER, *command], stdin=subprocess.DEVNULL, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, cwd=directory, check=False,
                          timeout=60, preexec_fn=close)


def faults_of_printing(command):
    """A program that prints something; yields what is wrong."""
    name = pathlib.Path(command[0]).name
    complaint = "standard output could not" if "seed" in name else f"{name}: standard output: "
    result = run(command)
    if result.returncode != 0 or result.stdout == "":
        yield f"status {result.returncode}, prints {result.stdout!r}"
    with open("/dev/full", "w", encoding="utf-8") as full:
        for what, result in (("a full disk", run(command, stdout=full)),
                             ("a closed output", run(command, closed=[1]))):
            if result.returncode != 1 or not result.stderr.startswith(complaint):
                yield f"{what}: status {result.returncode}, says {result.stderr!r}"


def faults_of_playing(signals):
    """A player that has a complaint and no standard stream plays on; yields what is wrong."""
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        (place / "wrong.sig").write_text("jump p\n")
        (place / "right.sig").write_text(HISTORY)
        traces = []
        for closed in ([], [0, 1, 2]):
            result = run([signals, "right.sig", "wrong.sig"], closed=closed, directory=place)
            if result.returncode != 2:
                yield f"{closed} closed: status {result.returncode}"
            traces.append((place / "right.cop").read_text())
        if traces[0] != traces[1] or traces[0] == "":
            yield f"the trace is {traces[1]!r} instead of {traces[0]!r}"


def main():
    bench, scenario, signals, example = (os.path.abspath(path) for path in sys.argv[1:])
    cases = [(f"{pathlib.Path(command[0]).name} {' '.join(command[1:])}".strip(),
              faults_of_printing(command))
             for command in ([bench, "list"], [bench, "--help"], [scenario, "--help"],
                             [signals, "--help"], [example])]
    cases.append(("a trace without standard streams", faults_of_playing(signals)))
    failed = 0
    print(f"1..{len(cases)}")
    for number, (name, faults) in enumerate(cases, 1):
        faults = list(faults)
        failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {number} - {name}")
        for fault in faults:
            print(f"# {fault}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
