#!/usr/bin/env python3
"""players.py SCENARIO SIGNALS - what the two players say when their input is wrong.

Each case is a file and the complaint it must get, with status 2 and no trace; and one file that
is right must be played although one before it is not."""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))    # an emulator, in a cross build
TREE = "sup root\nworker root/a\n"

SCENARIO_CASES = [
    ("", "the line --- between tree and steps is missing"),
    ("sup root\n", "the line --- between tree and steps is missing"),
    ("---\n", "there is no tree above"),
    ("tree root\n---\n", "'tree' should be sup, dyn or worker"),
    ("sup\n---\n", "should be KIND PATH key=value..."),
    ("sup root\nworker root/a/b\n---\n", "'root/a/b' has no parent above"),
    ("sup root\nworker root/a\nworker root/a/b\n---\n", "'root/a' can't have children here"),
    (TREE + "worker root/a\n---\n", "'root/a' is there twice"),
    ("sup root period=0\n---\n", "'0' is no value for period"),
    ("sup root intensity=-1\n---\n", "'-1' is no value for intensity"),
    ("sup root intensity=99999999999999999999\n---\n", "is no value for intensity"),
    ("sup root strategy=one\n---\n", "'one' is no value for strategy"),
    ("sup root colour=red\n---\n", "there is no option 'colour'"),
    ("sup root period\n---\n", "'period' should be key=value"),
    ("sup root\nworker root/a start=ok,maybe\n---\n", "'ok,maybe' is no value for start"),
    ("sup root\nworker root/a on_shutdown=late\n---\n", "'late' is no value for on_shutdown"),
    ("sup root\nworker root/a shutdown=soon\n---\n", "'soon' is no value for shutdown"),
    (TREE + "---\nbreak root/a\n", "there is no step 'break'"),
    (TREE + "---\nexit root/a\n", "should be exit PATH REASON"),
    (TREE + "---\nexit root/a normal now\n", "should be exit PATH REASON"),
    (TREE + "---\nadvance soon\n", "'soon' should be a number of ms"),
    (TREE + "---\nstart_child root b server\n", "'server' should be sup, dyn or worker"),
    (TREE + "---\nstart_child root b worker shutdown\n", "'shutdown' should be key=value"),
]

SIGNAL_CASES = [
    ("spawn p\njump p\n", "there is no step 'jump'"),
    ("spawn\n", "should be spawn P [trap]"),
    ("spawn p later\n", "should be spawn P [trap]"),
    ("spawn p\ntrap p maybe\n", "'maybe' should be on or off"),
    ("spawn p\nexit2 p p\n", "should be exit2 P Q REASON"),
    ("spawn p\nsend p p two words\n", "should be send P Q TEXT"),
]


def run(program, *files):
    return subprocess.run([*WRAPPER, program, *files], capture_output=True, text=True, check=False,
                          timeout=60)


def wrong_line(text):
    """The line that each case is wrong in: the last one, but for a bad tree above a good ---."""
    lines = text.splitlines()
    return len(lines) - (1 if len(lines) > 1 and lines[-1] == "---" else 0)


def check_cases(program, ending, cases, good, place):
    """The complaints; yields what is wrong."""
    right = place / f"right.{ending}"
    right.write_text(good)
    for number, (text, complaint) in enumerate(cases):
        file = place / f"wrong{number}.{ending}"
        file.write_text(text)
        result = run(program, file, right)
        lines = result.stderr.splitlines()
        where = f"{file}:{wrong_line(text)}: "
        if result.returncode != 2:
            yield f"{text!r}: status {result.returncode}"
        if len(lines) != 1 or complaint not in lines[0] or not lines[0].startswith(where):
            yield f"{text!r}: says {result.stderr!r} instead of {where}...{complaint}"
        if file.with_suffix(".cop").exists():
            yield f"{text!r}: left a trace"
        trace = right.with_suffix(".cop")
        if not trace.exists() or not trace.read_text().startswith("> "):
            yield f"{text!r}: the file after it was not played"
        trace.unlink(missing_ok=True)


def check_usage(program, place):
    """The command line; yields what is wrong."""
    checks = [(["--help"], 0, "usage: "), (["--nonsense"], 2, "unknown option --nonsense"),
              ([], 2, "no file given"), ([place / "missing"], 2, "No such file or directory"),
              ([place], 2, "Is a directory")]
    for arguments, status, text in checks:
        result = run(program, *arguments)
        if result.returncode != status or text not in result.stdout + result.stderr:
            yield f"{arguments}: status {result.returncode}, says {result.stderr!r}"


def check_hang(program, place):
    """A child that hangs for ever under a shutdown without limit is noticed; yields what is wrong."""
    file = place / "hang.scn"
    file.write_text("sup root\nworker root/a shutdown=infinity on_shutdown=hang\n---\n"
                    "terminate_child root a\n")
    result = run(program, file)
    if result.returncode != 1 or f"{file}:4: 'terminate_child root a' never settles" not in \
            result.stderr:
        yield f"a hanging child: status {result.returncode}, says {result.stderr!r}"


def check_patient(program, place):
    """With --patient a step waits for an orphan that takes its time; yields what is wrong."""
    file = place / "orphan.scn"
    file.write_text("sup root\nsup root/a restart=temporary\n"
                    "worker root/a/b on_shutdown=late:500\n---\nexit root/a kill\nadvance 9\n")
    for switches, expected in (([], []), (["--patient"], ["exit root/a kill"])):
        run(program, *switches, file)
        steps = file.with_suffix(".cop").read_text().split("> ")
        ends = [step.splitlines()[0] for step in steps if "down root/a/b 1 killed" in step]
        if ends != expected:
            yield f"an orphan, {switches}: it ends in the steps {ends}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    scenario, signals = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        faults = [*check_usage(scenario, place), *check_usage(signals, place),
                  *check_cases(scenario, "scn", SCENARIO_CASES, TREE + "---\n", place),
                  *check_cases(signals, "sig", SIGNAL_CASES, "spawn p\n", place),
                  *check_hang(scenario, place), *check_patient(scenario, place)]
    for fault in faults:
        print(fault)
    print(f"{len(SCENARIO_CASES) + len(SIGNAL_CASES)} wrong files, {len(faults)} faults")
    sys.exit(1 if faults else 0)


main()
