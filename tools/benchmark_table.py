#!/usr/bin/env python3
"""benchmark_table.py - tables out of what tools/run_benchmarks.py has written.

    tools/benchmark_table.py TSV                   every figure that was measured
    tools/benchmark_table.py TSV --ratios          the rows of bench/rows.tsv: here, the best of
                                                   Erlang and Elixir, the ratio, the target, Go, CAF
    tools/benchmark_table.py TSV --document FILE   writes that table, what the rows mean, and what
                                                   it was run on into FILE, between its marks

Colours on a terminal, unless NO_COLOR is set."""

import argparse
import os
import pathlib
import re
import sys
import typing

ROWS = pathlib.Path(__file__).resolve().parent.parent / "bench/rows.tsv"
RUNTIMES = ("coppice", "erlang", "elixir", "go", "caf")
MARKS = ("<!-- table: written by make performance -->", "<!-- end of the table -->")
RED, GREEN, PLAIN = "\033[31m", "\033[32m", "\033[0m"


class Row(typing.NamedTuple):
    """A line of bench/rows.tsv."""
    name: str
    better: str
    figures: dict        # by runtime
    target: str
    floor: str
    meaning: str


class Result(typing.NamedTuple):
    """A row with its values; None where there is none."""
    row: Row
    unit: str
    ours: float
    beam: float | None
    ratio: float | None
    others: dict         # go and caf
    faults: list         # what is missed


def read_measured(path):
    """The notes, and (value, unit) by runtime and figure."""
    notes, measured = [], {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            notes.append(line[2:])
        elif line:
            runtime, figure, value, unit, _ = line.split("\t")
            measured[runtime, figure] = float(value), unit
    return notes, measured


def read_rows():
    for line in ROWS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, better, *figures, target, floor, meaning = \
                ["" if field == "-" else field for field in line.split("\t")]
            yield Row(name, better, dict(zip(RUNTIMES, figures)), target, floor, meaning)


def best(row, runtime, measured):
    """The best of a runtime's figures for a row, with its unit; None if it has none."""
    found = [measured[runtime, figure] for figure in row.figures[runtime].split(",")
             if (runtime, figure) in measured]
    return (max if row.better == "high" else min)(found) if found else None


def judge(row, ours, ratio, others):
    """What is missed: the target, or being ahead of Go and CAF."""
    if row.target.startswith("<="):
        if ours > float(row.target[2:]):
            yield "target"
    elif row.target and ratio is not None and ratio < float(row.target):
        yield "target"
    for name, value in others.items():
        if value is not None and (value > ours if row.better == "high" else value < ours):
            yield name


def results(measured):
    """The rows that were measured here."""
    for row in read_rows():
        ours = best(row, "coppice", measured)
        if ours is None:
            continue
        beam = [value[0] for value in (best(row, "erlang", measured), best(row, "elixir", measured))
                if value is not None]
        beam = (max if row.better == "high" else min)(beam) if beam else None
        ratio = None
        if beam is not None:
            ratio = ours[0] / beam if row.better == "high" else beam / ours[0]
        others = {}
        for name in ("go", "caf"):
            value = best(row, name, measured)
            others[name] = None if value is None else value[0]
        yield Result(row, ours[1], ours[0], beam, ratio, others,
                     list(judge(row, ours[0], ratio, others)))


# ---- text ------------------------------------------------------------------------------------

def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def ratio_text(ratio):
    return "-" if ratio is None else f"{ratio:.1f}x" if ratio < 100 else f"{ratio:.0f}x"


def target_text(target):
    return f"{target}x" if target and not target.startswith("<=") else target or "-"


def each_text(result):
    """What one operation takes, of a rate."""
    if not result.unit.endswith("/s") or result.unit == "MB/s":
        return "-"
    ns = 1e9 / result.ours
    return f"{ns:.0f} ns" if ns < 1000 else f"{ns / 1000:.1f} us"


FAULTS = {"target": "missed", "go": "behind Go", "caf": "behind CAF"}


def fault_text(faults):
    return ", ".join(FAULTS[fault] for fault in faults)


HEADINGS = ("row", "unit", "Coppice", "one takes", "Erlang, Elixir", "ratio", "target", "Go", "CAF",
            "floor")


def cells(result):
    return (result.row.name, result.unit, number(result.ours), each_text(result),
            number(result.beam), ratio_text(result.ratio), target_text(result.row.target),
            number(result.others["go"]), number(result.others["caf"]), result.row.floor or "-")


def print_columns(lines, left, notes=None):
    """Lines of cells; the columns of `left` are flush left.  A note follows each line."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for i, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) if column in left else cell.rjust(width)
                         for column, (cell, width) in enumerate(zip(line, widths)))
        print((text + "  " + notes[i] if notes and notes[i] else text).rstrip())


def print_ratios(measured):
    found = list(results(measured))
    if not found:
        sys.exit("benchmark_table: no row of bench/rows.tsv was measured")
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    notes = [""]
    for result in found:
        note = fault_text(result.faults) or ("met" if result.row.target else "")
        colour = RED if result.faults else GREEN
        notes.append(f"{colour}{note}{PLAIN}" if colours and note else note)
    print_columns([HEADINGS, *map(cells, found)], (0, 1), notes)
    aimed = [result for result in found if result.row.target]
    met = sum(not result.faults for result in aimed)
    print(f"\n{met} of {len(aimed)} rows with a target meet it and are ahead of Go and CAF")


def print_everything(measured):
    runtimes = [name for name in RUNTIMES if any(key[0] == name for key in measured)]
    figures = list(dict.fromkeys(figure for _, figure in measured))
    units = {figure: unit for (_, figure), (_, unit) in measured.items()}
    lines = [("figure", "unit", *runtimes)]
    for figure in figures:
        values = [measured.get((name, figure), (None,))[0] for name in runtimes]
        lines.append((figure, units[figure], *map(number, values)))
    print_columns(lines, (0, 1))


# ---- the document ----------------------------------------------------------------------------

def document_part(notes, measured):
    found = list(results(measured))
    yield "Run on: " + "; ".join(notes) + "."
    yield ""
    yield "| " + " | ".join((*HEADINGS, "")) + " |"
    yield "|---|---|" + "---:|" * 7 + "---|---|"
    for result in found:
        yield "| " + " | ".join((*cells(result), fault_text(result.faults))) + " |"
    yield ""
    for result in found:
        yield f"- **{result.row.name}**: {result.row.meaning}"


def write_document(path, notes, measured):
    path = pathlib.Path(path)
    text = path.read_text(encoding="utf-8")
    part = "\n".join((MARKS[0], *document_part(notes, measured), MARKS[1]))
    marked = re.compile(re.escape(MARKS[0]) + ".*" + re.escape(MARKS[1]), re.S)
    if not marked.search(text):
        sys.exit(f"benchmark_table: {path} has not got the marks {MARKS[0]} and {MARKS[1]}")
    path.write_text(marked.sub(lambda _: part, text), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tsv")
    parser.add_argument("--ratios", action="store_true")
    parser.add_argument("--document")
    options = parser.parse_args()
    notes, measured = read_measured(options.tsv)
    if options.document:
        write_document(options.document, notes, measured)
    elif options.ratios:
        print_ratios(measured)
    else:
        print_everything(measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
