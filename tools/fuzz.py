#!/usr/bin/env python3
"""fuzz.py - lets libFuzzer look for bytes that break a harness, or keeps what it has found out.

    tools/fuzz.py DIRECTORY [--seconds N] [--only NAME,NAME...]
    tools/fuzz.py DIRECTORY --keep [--only NAME,NAME...]

DIRECTORY is a build directory with -Dfuzz=true; `make fuzz` makes it.  Each harness in tests/fuzz
gets N seconds (60), as many at a time as there are processors, and a line at its end.  It begins with
its corpus, tests/fuzz/corpus/NAME, and with what was found interesting before, DIRECTORY/fuzz/NAME.

Input that ends a harness otherwise than by its return, or takes too long, is kept as
DIRECTORY/fuzz/found/NAME-HASH, made shorter as far as that is quickly done, and printed with what the
harness said and the command that tries it again.  Status 1 then.  Ctrl-C ends it with status 130.

--keep renews the corpus from both: what reaches most, a few KB of it."""

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import struct
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
RECORDED = {"scenario": ("tests/conformance/scenarios", "*.scn"),
            "signals": ("tests/conformance/signals", "*.sig")}
LENGTH_MAX = {"calls": 400, "plan": 300, "report": 2000, "input": 4000, "scenario": 2500,
              "signals": 1500}
KEPT_BYTES = 8000            # of a corpus
KEPT_FILE_COSTS = 50         # bytes: few long files rather than many short ones
INPUT_SECONDS = 20           # more for one input is a hang
SHORTEN_SECONDS = 30
SAID_LINES = 25
LOOK_SECONDS = 0.2           # after Ctrl-C the harnesses end so soon
USUAL = ["-entropic=0", "-rss_limit_mb=4000", f"-timeout={INPUT_SECONDS}", "-use_value_profile=0",
         "-print_final_stats=1", "-close_fd_mask=1", "-reload=0", "-len_control=0"]


NOISE = re.compile(r"#\d+\s|INFO:|stat::|MS: |0x|\S*artifact_pre|=====")
TROUBLE = re.compile(r"ERROR: |runtime error:|^fuzz: |^coppice: ")


interrupted = threading.Event()      # by Ctrl-C; the harnesses are in sessions of their own


class Interrupted(Exception):
    """Of a harness, that was killed therefore."""


class Harness:
    """A program of the build directory and its places there."""

    def __init__(self, directory, program):
        self.name = program.name.removeprefix("fuzz_")
        self.program = program
        self.corpus = CORPUS / self.name
        self.place = directory / "fuzz" / self.name
        self.found = directory / "fuzz" / "found"
        self.place.mkdir(parents=True, exist_ok=True)
        self.found.mkdir(exist_ok=True)
        self.tried = directory / "fuzz" / f"{self.name}.input"
        self.log = directory / "fuzz" / f"{self.name}.log"

    def environment(self):
        """Which must not differ from the one that the harness sets for itself."""
        kept = {key: value for key, value in os.environ.items() if not key.endswith("SAN_OPTIONS")}
        return {**kept, "FUZZ_INPUT": str(self.tried)}

    def run(self, arguments, log, limit=None):
        """Its status, -1 when it took too long."""
        until = None if limit is None else time.monotonic() + limit
        status = None
        with log.open("wb") as output, \
                subprocess.Popen([self.program, *arguments], stdout=output,
                                 stderr=subprocess.STDOUT, env=self.environment(),
                                 cwd=self.place.parent, start_new_session=True) as process:
            while status is None and not interrupted.is_set():
                try:
                    status = process.wait(LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    if until is not None and time.monotonic() > until:
                        break
            if status is None:           # with what it has started: merging, it starts itself
                os.killpg(process.pid, signal.SIGKILL)
        if interrupted.is_set():
            raise Interrupted
        return -1 if status is None else status

    def seeds(self):
        more = [ROOT / RECORDED[self.name][0]] if self.name in RECORDED else []
        return [place for place in [self.corpus, *more] if place.is_dir()]

    def recorded(self):
        """The files of other tests that it can read as well."""
        if self.name not in RECORDED:
            return []
        place, ending = RECORDED[self.name]
        return sorted((ROOT / place).glob(ending))

def said(log):
    """What a harness has said of itself, without libFuzzer's progress."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if line and not NOISE.match(line)]
    first = next((i for i, line in enumerate(kept) if TROUBLE.search(line)),
                 max(len(kept) - SAID_LINES, 0))
    return kept[first:first + SAID_LINES]


def fails(harness, data):
    """Whether these bytes end the harness badly, by themselves."""
    one = harness.place.parent / f"{harness.name}.one"
    log = harness.log.with_suffix(".again")
    one.write_bytes(data)
    return harness.run([f"-timeout={INPUT_SECONDS}", "-close_fd_mask=1", one], log,
                       INPUT_SECONDS * 2) != 0


def shorten(harness, data):
    """Leaves out pieces, halves first, for as long as it still fails; stops after some time."""
    until = time.monotonic() + SHORTEN_SECONDS
    size = len(data) // 2
    while size > 0 and time.monotonic() < until:
        at = len(data) - size
        while at > -size and time.monotonic() < until:
            shorter = data[:max(at, 0)] + data[max(at, 0) + size:]
            if len(shorter) < len(data) and fails(harness, shorter):
                data = shorter
            at -= size
        size //= 2
    return data


def keep_found(harness):
    """The file with the bytes that were being tried, made short; None if they fail no more."""
    raw = harness.tried.read_bytes()
    size = struct.unpack_from("<Q", raw)[0]
    data = raw[8:8 + size]
    again = False
    try:
        again = fails(harness, data)
        if again:
            data = shorten(harness, data)
            fails(harness, data)         # what is said is that of the short one
    except Interrupted:
        again = False                    # it is kept as it was found
    path = harness.found / f"{harness.name}-{hashlib.sha256(data).hexdigest()[:8]}"
    path.write_bytes(data)
    return path, again


def statistics(log):
    text = log.read_text(encoding="utf-8", errors="replace")
    runs = re.findall(r"^stat::number_of_executed_units:\s*(\d+)", text, re.M) or \
        re.findall(r"^#(\d+)\s", text, re.M)
    reached = re.findall(r"cov: (\d+)", text)
    return int(runs[-1]) if runs else 0, int(reached[-1]) if reached else 0


def fuzz(harness, seconds):
    """Returns the harness, how many inputs were tried and whether nothing was found."""
    begin = time.monotonic()
    status = harness.run([*USUAL, f"-max_total_time={seconds}",
                          f"-max_len={LENGTH_MAX.get(harness.name, 1000)}",
                          f"-artifact_prefix={harness.place.parent}/libfuzzer-",
                          harness.place, *harness.seeds()], harness.log)
    runs, reached = statistics(harness.log)
    spent = time.monotonic() - begin
    line = f"{harness.name:10} {runs:9,} inputs in {spent:4.0f} s, {reached:6,} places reached"
    if status == 0:
        print(f"{line}: nothing found", flush=True)
        return runs, True
    path, again = keep_found(harness)
    log = harness.log.with_suffix(".again") if again else harness.log
    print(f"{line}: FOUND (status {status})\n"
          f"    input:     {path} ({path.stat().st_size} bytes)\n"
          f"    try again: {harness.program} {path}"
          f"{'' if again else '    (which alone does not fail)'}\n" +
          "\n".join(f"    | {text[:200]}" for text in said(log)), flush=True)
    return runs, False


def reached_by(harness, files):
    """The places in the code that each of the files reaches, as libFuzzer's merge notes them."""
    place = harness.place.parent / f"{harness.name}.merge"
    shutil.rmtree(place, ignore_errors=True)
    for part in ("known", "kept"):
        (place / part).mkdir(parents=True)
    for path in files:
        shutil.copy(path, place / "known")
    notes = place / "notes"
    status = harness.run([*USUAL, "-merge=1", f"-merge_control_file={notes}", place / "kept",
                          place / "known"], harness.log)
    if status != 0:
        return None
    lines = notes.read_text(encoding="utf-8").splitlines()
    names = [pathlib.Path(line).name for line in lines[2:2 + int(lines[0])]]
    reached = {name: set() for name in names}
    for line in lines[2 + int(lines[0]):]:
        kind, number, *places = line.split()
        if kind == "COV":
            reached[names[int(number)]] = {int(point, 16) for point in places}
    return reached


def keep(harness):
    """Renews the corpus: file by file the one that reaches most for its size that is not yet reached,
    also not by what other tests play, as long as there is room."""
    harness.corpus.mkdir(parents=True, exist_ok=True)
    files = [*harness.place.iterdir(), *harness.corpus.iterdir(), *harness.recorded()]
    data = {path.name: path.read_bytes() for path in files}
    reached = reached_by(harness, files)
    if reached is None:
        print(f"{harness.name}: merging failed; see {harness.log}")
        return 0, False
    done = set().union(*(reached[path.name] for path in harness.recorded()))
    chosen, room = [], KEPT_BYTES
    while True:
        worth = {name: len(places - done) / (len(data[name]) + KEPT_FILE_COSTS)
                 for name, places in reached.items() if len(data[name]) <= room}
        best = max(worth, key=worth.get, default=None)
        if best is None or worth[best] == 0:
            break
        chosen.append(data[best])
        room -= len(data[best])
        done |= reached[best]
    for old in harness.corpus.iterdir():
        old.unlink()
    for content in chosen:
        (harness.corpus / hashlib.sha256(content).hexdigest()[:8]).write_bytes(content)
    print(f"{harness.name:10} {len(chosen):4} files, {KEPT_BYTES - room:6,} bytes, "
          f"{len(done):,} of {len(set().union(*reached.values())):,} places")
    return len(chosen), True


def read_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60, help="for each harness, 1 at least")
    parser.add_argument("--only", default="", help="these harnesses alone")
    parser.add_argument("--keep", action="store_true", help="renew the corpus")
    options = parser.parse_args()
    if options.seconds < 1:              # 0 is for ever to libFuzzer
        parser.error("--seconds is 1 at least")
    return options


def find_harnesses(directory, wanted):
    """All that were built in the directory, or those of these names."""
    programs = {path.name.removeprefix("fuzz_"): path.resolve()
                for path in sorted((directory / "tests" / "fuzz").glob("fuzz_*"))
                if path.is_file() and os.access(path, os.X_OK)}
    if not programs:
        sys.exit(f"fuzz: there are no harnesses in {directory}; `make fuzz` builds them")
    for name in wanted:
        if name not in programs:
            sys.exit(f"fuzz: there is no harness {name}, but {', '.join(programs)}")
    return [Harness(directory.resolve(), path) for name, path in programs.items()
            if not wanted or name in wanted]


def interrupt(_signal, _frame):
    interrupted.set()


def main():
    options = read_options()
    harnesses = find_harnesses(options.directory,
                               [name for name in options.only.split(",") if name])
    print(f"{len(harnesses)} harnesses, {options.seconds} s each" if not options.keep else
          f"the corpus of {len(harnesses)} harnesses", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    work = keep if options.keep else lambda harness: fuzz(harness, options.seconds)
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        try:
            results = list(pool.map(work, harnesses))
        except Interrupted:
            interrupted.set()
    if interrupted.is_set():
        print("fuzz: interrupted", file=sys.stderr)
        sys.exit(130)
    broken = sum(not well for _, well in results)
    if not options.keep:
        print(f"{sum(runs for runs, _ in results):,} inputs, {broken} found")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
