#!/usr/bin/env python3
"""run_benchmarks.py - runs the benchmarks, here and on the peers, and writes what they measured.

    tools/run_benchmarks.py BUILD [--peers erlang,elixir,go,caf] [--cases CASE,...]
                            [--schedulers 1,2] [--table] [--rounds N] [--quick]

BUILD/bin/bench and bench/peers/*/peer have one interface (bench/peers/README.md).  The cases are
the outer loop and the runtimes the inner one, so that what is compared runs close together in time.
Each runs in a fresh program.  With --table only what the table of ratios needs (bench/rows.tsv) is
run: two schedulers, and one where a row says so, in about half the time.  Written are

    BUILD/bench.tsv   runtime, figure, value, unit, operations; the median of the rounds; before
                      them, after a #, what was run and on what
    BUILD/bench.raw   the same of every round
    BUILD/bench.log   the spread of each figure, and what failed

Progress goes to stderr.  Status 1 if a run failed: a wrong count or sum, a crash, a time-out."""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench/peers"
ROWS = ROOT / "bench/rows.tsv"
TWO_SCHEDULERS_ONLY = ("idle_", "pingpong_cross", "dyn_start_part_")
TIMEOUT_SECONDS = 240
VERSIONS = {
    "erlang": ["erl", "-noinput", "-eval", 'io:format("OTP ~s, erts ~s", [erlang:system_info('
               'otp_release), erlang:system_info(version)]), halt().'],
    "elixir": ["elixir", "--short-version"],
    "go": ["go", "version"],
    "caf": ["dpkg-query", "-W", "-f", "${Version}", "libcaf-dev"],
}


class Runtime:
    """One of those that are compared: how to call it and which cases it has."""

    def __init__(self, name, command):
        self.name, self.command = name, command
        listing = subprocess.run([*command, "list"], stdout=subprocess.PIPE, text=True, check=True)
        self.cases = listing.stdout.split()


def build_peer(name):
    if name == "elixir":                          # it is measured by the Erlang peer's harness
        subprocess.run([PEERS / "erlang/peer", "build"], check=True)
    subprocess.run([PEERS / name / "peer", "build"], check=True)
    return Runtime(name, [str(PEERS / name / "peer")])


def first_line(command):
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    return output.splitlines()[0].strip() if output else "unknown"


def conditions(runtimes, options):
    """What was run and on what, one line each."""
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            yield f"processor: {line.partition(':')[2].strip()}"
            break
    yield f"cpus: {os.cpu_count()}"
    yield f"system: {os.uname().sysname} {os.uname().release} {os.uname().machine}"
    for runtime in runtimes:
        if runtime.name in VERSIONS:
            yield f"{runtime.name}: {first_line(VERSIONS[runtime.name])}"
    yield f"rounds: {options.rounds}"
    yield f"load before: {os.getloadavg()[0]:.1f}"
    if options.quick:
        yield "quick: a tenth of the work, once; the figures mean nothing"


def plan(runtimes, options):
    """The runs in order: (case, schedulers, runtime)."""
    wanted = options.cases.split(",") if options.cases else None
    known = list(dict.fromkeys(case for runtime in runtimes for case in runtime.cases))
    figures = re.split(r"[\t,]", ROWS.read_text(encoding="utf-8"))
    for case in wanted or []:
        if case not in known:
            sys.exit(f"run_benchmarks: no case is called '{case}'")
    for _ in range(options.rounds):
        for case in wanted or known:
            for schedulers in options.schedulers.split(","):
                if schedulers == "1" and case.startswith(TWO_SCHEDULERS_ONLY):
                    continue
                if options.table and schedulers == "1" and f"{case}.s1" not in figures:
                    continue
                for runtime in runtimes:
                    if case in runtime.cases:
                        yield case, schedulers, runtime


def run_one(case, schedulers, runtime, log):
    """The lines (figure, value, unit, operations) of one run; None if it failed."""
    log.write(f"## {runtime.name} {case} s{schedulers} load {os.getloadavg()[0]:.2f}\n")
    log.flush()
    try:
        run = subprocess.run([*runtime.command, schedulers, case], stdout=subprocess.PIPE,
                             stderr=log, text=True, check=False, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        log.write(f"FAILED: not done after {TIMEOUT_SECONDS} s\n")
        return None
    if run.returncode != 0 or not run.stdout:
        log.write(f"FAILED: status {run.returncode}\n")
        return None
    return [line.split("\t") for line in run.stdout.splitlines()]


def run_all(runs, raw, log, write):
    """Runs them, and calls write(values by (runtime, figure), units) after each, so that what was
    measured is there when the rest is interrupted; returns how many failed."""
    values, units, failed, start = {}, {}, 0, time.monotonic()
    for number, (case, schedulers, runtime) in enumerate(runs):
        passed = time.monotonic() - start
        left = f", about {passed / number * (len(runs) - number) / 60:.0f} min left" if number else ""
        print(f"[{number + 1}/{len(runs)}] {case}, {schedulers} scheduler(s), {runtime.name}{left}",
              file=sys.stderr, flush=True)
        lines = run_one(case, schedulers, runtime, log)
        if lines is None:
            print(f"FAILED: {runtime.name} {case} s{schedulers}, see {log.name}", file=sys.stderr)
            failed += 1
            continue
        for figure, value, unit, operations in lines:
            raw.write("\t".join((runtime.name, figure, value, unit, operations)) + "\n")
            raw.flush()
            values.setdefault((runtime.name, figure), []).append(float(value))
            units[runtime.name, figure] = unit, operations
        write(values, units)
    return failed


def write_medians(path, said, values, units):
    with open(path, "w", encoding="utf-8") as file:
        for line in said:
            file.write(f"# {line}\n")
        for key, all_values in values.items():
            median = statistics.median(all_values)
            number = f"{median:.0f}" if median >= 1000 else f"{median:.3f}"
            file.write("\t".join((*key, number, *units[key])) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--peers", default="")
    parser.add_argument("--cases", default="")
    parser.add_argument("--schedulers", default="1,2")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    build = pathlib.Path(options.build).resolve()
    os.environ["PEERS_BUILD"] = str(build / "peers")
    os.environ.pop("PEERS_QUICK", None)
    if options.quick:
        os.environ["PEERS_QUICK"] = "1"
    runtimes = [Runtime("coppice", [str(build / "bin/bench")])]
    runtimes += [build_peer(name) for name in options.peers.split(",") if name]
    runs = list(plan(runtimes, options))
    with (open(build / "bench.raw", "w", encoding="utf-8") as raw,
          open(build / "bench.log", "w", encoding="utf-8") as log):
        said = list(conditions(runtimes, options))
        failed = run_all(runs, raw, log, lambda values, units:
                         write_medians(build / "bench.tsv", said, values, units))
    return 1 if failed else 0


def main_or_interrupted():
    try:
        return main()
    except KeyboardInterrupt:
        print("interrupted; what was measured is in bench.tsv", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main_or_interrupted())
