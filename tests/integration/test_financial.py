#!/usr/bin/env python3
"""test_financial.py - the financial application, from the outside.

    tests/integration/test_financial.py PROGRAM

Runs the program on small days and on the day that comes with it, and holds its ledger against
the input with Python's own SQLite and CSV.  Prints TAP."""

import contextlib
import csv
import fcntl
import functools
import os
import pathlib
import pty
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAY = ROOT / "examples" / "financial" / "day.csv"
GENERATOR = ROOT / "tools" / "make_day.py"
HEADING = "time,id,kind,party,amount\n"
SLOW = 20               # seconds of a day that is to be stopped long before its end
SLOWNESS = 10 if "CK_TIMEOUT_MULTIPLIER" in os.environ else 1     # of a build with a sanitizer
HOLDS = "Every good line of the input is in the ledger exactly once"
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"}
ENVIRONMENT.pop("NO_COLOR", None)

WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))    # an emulator, in a cross build

program = None          # the path of the program under test
CASES = []


def case(function):
    CASES.append(function)
    return function


# ---- helpers ------------------------------------------------------------------------------


def make_day(directory, lines, seed=7):
    """A generated day of that many lines, of fewer under a sanitizer; its path."""
    lines = max(10, lines // SLOWNESS)
    path = directory / f"day-{lines}-{seed}.csv"
    with path.open("w", encoding="utf-8") as file:
        subprocess.run([sys.executable, GENERATOR, "--lines", str(lines), "--seed", str(seed)],
                       stdout=file, check=True)
    return path


def write_day(directory, *lines):
    path = directory / "day.csv"
    path.write_text(HEADING + "".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def start(directory, *arguments, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
               "cwd": directory, "env": ENVIRONMENT, **options}
    return subprocess.Popen([*WRAPPER, program, *map(str, arguments)], **options)


def run(directory, *arguments, status=0, **options):
    """Runs the program to its end; its standard output and error."""
    process = start(directory, *arguments, **options)
    out, err = process.communicate()
    equal(process.returncode, status, f"the status; it said:\n{out}{err}")
    return out, err


def equal(actual, expected, what):
    assert actual == expected, f"{what}: expected {expected!r}, got {actual!r}"


def contains(text, part):
    assert part in text, f"expected {part!r} in:\n{text[-4000:]}"


def number_of(label, out):
    """The number after that label in the table."""
    match = re.search(rf"^  {re.escape(label)} +([\d,]+)$", out, re.MULTILINE)
    assert match, f"no {label!r} in:\n{out}"
    return int(match[1].replace(",", ""))


def cents(amount):
    whole, _, part = amount.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])


def read_input(path):
    """The file's entries as the ledger should have them, sorted."""
    with open(path, newline="", encoding="utf-8") as file:
        return sorted((row["id"], row["time"], row["kind"], row["party"], cents(row["amount"]))
                      for row in csv.DictReader(file))


def read_ledger(path):
    with contextlib.closing(sqlite3.connect(path)) as ledger:
        equal(ledger.execute("PRAGMA integrity_check").fetchall(), [("ok",)], "the file's check")
        return sorted(ledger.execute("SELECT id, time, kind, party, cents FROM ledger"))


def check_day(directory, day, *arguments):
    """Runs a day that has to hold, and checks its ledger here; the story."""
    out, err = run(directory, "--input", day, "--ledger", "l.db", *arguments)
    equal(err, "", "standard error")
    contains(out, HOLDS)
    equal(read_ledger(directory / "l.db"), read_input(day), "the ledger")
    return out


# ---- the day --------------------------------------------------------------------------------


@case
def the_day_of_the_repository_is_what_the_generator_writes(directory):
    written = subprocess.run([sys.executable, GENERATOR], stdout=subprocess.PIPE, check=True).stdout
    equal(written == DAY.read_bytes(), True, "the same bytes")
    equal(written.count(b"\n"), 10001, "its lines")


def run_eventful_day(directory, seed=1):
    """The day that comes with the program, or a shorter one with as many crashes."""
    if SLOWNESS == 1:
        return check_day(directory, DAY, "--seed", seed)
    return check_day(directory, make_day(directory, 10000), "--faults", 0.02 * SLOWNESS,
                     "--seed", seed)


@case
def the_day_holds_while_about_one_request_in_fifty_crashes(directory):
    out = run_eventful_day(directory)
    crashes = number_of("all", out.split("Crashes by kind")[1])
    assert 120 <= crashes <= 350, f"{crashes} crashes"
    for kind in ("error exit", "null write", "failed assert", "abort", "division by zero",
                 "runaway recursion", "out of memory"):
        assert number_of(kind, out) > 5, f"too few by {kind}"
    for supervisor in ("FinancialApp.Supervisor", "PaymentSupervisor", "DonationSupervisor",
                       "NotificationSupervisor"):
        assert number_of(supervisor, out) > 0, f"{supervisor} restarted nothing"
    assert number_of("found already written", out) > 0, "no worker crashed after its write"


@case
def the_last_crash_of_each_component_is_in_the_summary(directory):
    story, summary = run_eventful_day(directory).split("Last crash of each\n")
    crashes = summary.split("\n\n", maxsplit=1)[0].splitlines()
    who = [line[9:32].strip() for line in crashes]
    equal(len(who), len(set(who)), f"components that are named once in {crashes}")
    for line in crashes:
        if line[9:32].strip() != "ledger connection":
            contains(story, line[:50].rstrip())     # when, who, why, as it was told
    for name, message in (("PaymentProcessor", "process_invoice"),
                          ("DonationWorker", "book_donation"),
                          ("NotificationService", "send_receipt")):
        assert re.search(rf" {name} .*handling {message}", summary), f"{name} in {crashes}"


@case
def without_faults_nothing_crashes(directory):
    day = make_day(directory, 500)
    out = check_day(directory, day, "--faults", 0)
    equal(number_of("all", out.split("Crashes by kind")[1]), 0, "crashes")
    equal(number_of("all", out.split("Restarts by supervisor")[1]), 0, "restarts")
    equal(number_of("sent again", out), 0, "sent again")
    assert "Last crash" not in out
    equal(number_of("receipts sent", out), len(read_input(day)), "receipts")


@case
def a_day_on_which_every_request_meets_a_fault_holds(directory):
    day = make_day(directory, 400)
    for seed in range(1, 6):
        out = check_day(directory, day, "--faults", 1, "--seed", seed)
        crashes = number_of("all", out.split("Crashes by kind")[1])
        assert crashes >= 0.6 * len(read_input(day)), f"only {crashes} crashes with seed {seed}"


@case
def requests_that_all_come_in_the_same_second_hold(directory):
    day = write_day(directory, *(f"12:00:00,R{i},{('invoice', 'donation')[i % 2]},P,{i + 1}.01"
                                 for i in range(400 // SLOWNESS)))
    check_day(directory, day, "--faults", 0.02)


CRASH = ("(null write|error: no answer|failed assert|abort|division by zero|runaway recursion|"
         "out of memory)")
STORY = [
    rf"a payment's task +{CRASH} +not restarted, tried again",
    rf"PaymentProcessor +{CRASH} +restarted alone",
    rf"DonationProcessor +{CRASH} +restarted with DonationWorker",
    rf"DonationWorker +{CRASH} +restarted alone",
    rf"NotificationService +{CRASH} +restarted alone",
    rf"DatabasePool +{CRASH} +restarted with PaymentSupervisor, DonationSupervisor, "
    "NotificationSupervisor",
    rf"DonationProcessor +{CRASH} +once too often, DonationSupervisor gives up",
    "DonationSupervisor +gave up +restarted with NotificationSupervisor",
    "PaymentSupervisor +gave up +restarted with DonationSupervisor, NotificationSupervisor",
    "PaymentSupervisor +killed +restarted with DonationSupervisor, NotificationSupervisor",
    "DonationSupervisor +killed +restarted with NotificationSupervisor",
    "NotificationSupervisor +killed +restarted alone",
]


@case
def the_story_names_who_why_and_what_was_restarted_with_it(directory):
    missing = STORY
    for seed in range(1, 31):
        out = run_eventful_day(directory, seed)
        missing = [line for line in missing
                   if not re.search(rf"^\d\d:\d\d:\d\d {line}$", out, re.MULTILINE)]
        if not missing:
            return
    assert not missing, f"in 30 days there was never {missing}"


@case
def the_tree_is_drawn_as_it_is(directory):
    day = write_day(directory, "09:00:00,A,invoice,P,1")
    out, _ = run(directory, "--input", day)
    contains(out, """
FinancialApp.Supervisor (rest_for_one)
├── DatabasePool
├── PaymentSupervisor (one_for_one)
│   ├── PaymentProcessor
│   └── PaymentTaskSupervisor
├── DonationSupervisor (rest_for_one)
│   ├── DonationProcessor
│   └── DonationWorker
└── NotificationSupervisor (one_for_one)
    └── NotificationService
""")


# ---- the same story ----------------------------------------------------------------------------


@case
def the_same_seed_tells_the_same_story(directory):
    day = make_day(directory, 1500)
    stories = [run(directory, "--input", day, "--faults", 0.1, "--seed", seed)[0]
               for seed in (5, 5, 6)]
    equal(stories[0] == stories[1], True, "the story of seed 5 is the same twice")
    equal([line for line in stories[0].splitlines() if "seed" not in line] ==
          [line for line in stories[2].splitlines() if "seed" not in line], False,
          "the story of seed 6 is the same as that of seed 5")
    assert not re.search(r"0x[0-9a-f]+|<\d+\.\d+>", stories[0]), "an address or a pid"


# ---- bad input -----------------------------------------------------------------------------------


@case
def bad_lines_are_reported_and_lose_nothing_else(directory):
    good = ["09:00:00,A,invoice,Larch Books,12.50", "09:00:01,B,donation,Ada Dahl,5",
            "23:59:59,C,invoice,Rowan Tools,9999999999.99"]
    bad = ["no fields at all", "9:00,D,invoice,P,1", "09:00:00,,invoice,P,1",
           "09:00:00,E,refund,P,1", "09:00:00,F,invoice,,1", "09:00:00,G,invoice,P,-1",
           "09:00:00,H,invoice,P,0", "09:00:00,I,invoice,P,1.005", "09:00:00,J,invoice,P,1e3",
           "09:00:00,K,invoice,P,10000000000", "09:00:00,A,invoice,Larch Books,12.50",
           "09:00:00,L,invoice,P,1,2", "09:00:00,M,invoice,P\x1b[2J,1", "24:00:00,N,invoice,P,1"]
    day = write_day(directory, good[0], *bad, good[1], "", good[2])
    out, err = run(directory, "--input", "day.csv", "--ledger", "l.db", "--faults", 1)
    equal([line.split(": ")[0] for line in err.splitlines()],
          [f"day.csv:{number}" for number in range(3, 3 + len(bad))], "the places complained of")
    contains(err, 'day.csv:6: the kind "refund" is neither invoice nor donation\n')
    contains(err, 'day.csv:13: the id "A" was in line 2 already\n')
    assert "\x1b" not in err, "a control character went through"
    equal(number_of("bad lines left out", out), len(bad), "the count")
    contains(out, HOLDS)
    day.write_text(HEADING + "\n".join(good), encoding="utf-8")
    equal([entry[0] for entry in read_ledger(directory / "l.db")], ["A", "B", "C"], "the ledger")
    equal(read_ledger(directory / "l.db")[2][4], 999999999999, "the largest amount")


@case
def line_ends_of_other_systems_are_understood(directory):
    day = directory / "day.csv"
    day.write_bytes(b"\xef\xbb\xbf" + HEADING.strip().encode() + b"\r\n"
                    b"09:00:00,A,invoice,\xc3\x84rzte,1.5\r\n09:00:01,B,donation,P,2")
    run(directory, "--input", day, "--ledger", "l.db")
    equal(read_ledger(directory / "l.db"),
          [("A", "09:00:00", "invoice", "Ärzte", 150), ("B", "09:00:01", "donation", "P", 200)],
          "the ledger")


@case
def input_that_cannot_be_read_fails(directory):
    _, err = run(directory, "--input", "nowhere.csv", status=1)
    equal(err, "financial: nowhere.csv: No such file or directory\n", "the complaint")
    _, err = run(directory, "--input", directory, status=1)
    contains(err, "Is a directory")
    write_day(directory)
    _, err = run(directory, "--input", "day.csv", status=1)
    equal(err, "financial: day.csv: no line is a request\n", "the complaint")
    equal(list(directory.glob("*.db*")), [], "ledgers made")


@case
def a_wrong_command_line_is_refused(directory):
    for arguments in (["--seed", "-1"], ["--seed", "1x"], ["--seed", ""],
                      ["--seed", "99999999999999999999"], ["--faults", "1.5"], ["--faults", "-0.1"],
                      ["--faults", "nan"], ["--faults", "2%"], ["--faults", ""], ["--unknown"],
                      ["--input"], ["day.csv"]):
        out, err = run(directory, *arguments, status=2)
        equal(out, "", f"standard output of {arguments}")
        contains(err, "financial --help")
        equal(err.startswith("financial: "), True, f"{err!r} begins with the program's name")
    out, err = run(directory, "--help")
    for option in ("--input FILE", "--ledger FILE", "--seed N", "--faults RATE", "--help"):
        contains(out, option)


# ---- the ledger ------------------------------------------------------------------------------------


@case
def an_older_ledger_is_replaced_and_another_file_is_not(directory):
    check_day(directory, make_day(directory, 50, 1))
    check_day(directory, make_day(directory, 40, 2))
    day = make_day(directory, 10)
    for name, content in (("text", b"precious\n"), ("long", b"precious" * 100)):
        (directory / name).write_bytes(content)
        _, err = run(directory, "--input", day, "--ledger", name, status=1)
        equal(err, f"financial: {name}: it is there and no ledger of this program\n", "the complaint")
        equal((directory / name).read_bytes(), content, "the file")
    other = sqlite3.connect(directory / "other.db")
    other.execute("CREATE TABLE precious (id)")
    other.close()
    run(directory, "--input", day, "--ledger", "other.db", status=1)
    _, err = run(directory, "--input", day, "--ledger", "no/where.db", status=1)
    equal(err, "financial: no/where.db: No such file or directory\n", "the complaint")


@case
def a_ledger_in_use_is_left_alone(directory):
    day = make_day(directory, 10)
    check_day(directory, day)
    with (directory / "l.db").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _, err = run(directory, "--input", day, "--ledger", "l.db", status=1)
    equal(err, "financial: l.db: another run is using it\n", "the complaint")
    equal(read_ledger(directory / "l.db"), read_input(day), "the ledger")


@case
def the_ledger_is_in_the_build_directory_if_there_is_one(directory):
    day = make_day(directory, 10)
    run(directory, "--input", day)
    assert (directory / "ledger.db").exists()
    (directory / "build").mkdir()
    run(directory, "--input", day)
    equal(read_ledger(directory / "build" / "ledger.db"), read_input(day), "the ledger")


@case
def a_ledger_that_differs_at_the_end_fails_the_run(directory):
    """Somebody else changes an entry while the day goes on."""
    day = make_day(directory, 500)
    process = start(directory, "--input", day, "--ledger", "l.db", "--pace", 2)
    for line in process.stdout:
        if " 20%" in line:
            break
    ledger = sqlite3.connect(directory / "l.db", timeout=30, isolation_level=None)
    ledger.execute("UPDATE ledger SET cents = cents + 1 WHERE id = 'INV-00001'")
    ledger.execute("DELETE FROM ledger WHERE id = 'INV-00002'")
    ledger.close()
    out, err = process.communicate()
    equal((process.returncode, err), (1, ""), f"the outcome of\n{out}")
    contains(out, "1 lines missing, 1 different, 0 entries too many, the file intact")
    assert HOLDS not in out


# ---- the end before the end ---------------------------------------------------------------------------


def stop_at_tenth(directory, day, how):
    """Starts a day and stops it when a tenth is done; status, the rest of the story, errors."""
    process = start(directory, "--input", day, "--ledger", "l.db", "--faults", 0.1,
                    "--pace", SLOW)
    for line in process.stdout:
        if " 10%" in line:
            break
    process.send_signal(how)
    out, err = process.communicate()
    return process.returncode, out, err


@case
def an_interrupted_day_ends_in_order(directory):
    day = make_day(directory, 5000)
    for how in (signal.SIGINT, signal.SIGTERM):
        status, out, err = stop_at_tenth(directory, day, how)
        equal((status, err), (128 + how, ""), f"the outcome of\n{out}")
        contains(out, "stopped; those inside were served")
        entries = read_ledger(directory / "l.db")
        equal(number_of("came in", out), number_of("confirmed", out), "who came in was served")
        equal(len(entries), number_of("confirmed", out), "and is in the ledger")
        assert 0 < len(entries) < len(read_input(day)), f"{len(entries)} entries"
        assert set(entries) <= set(read_input(day)), "an entry that nobody asked for"
        assert HOLDS not in out
        equal(list(directory.glob("l.db-*")), [], "files beside the ledger")


@case
def a_database_that_has_gone_is_waited_for_and_then_ends_the_day(directory):
    process = start(directory, "--input", make_day(directory, 5000), "--ledger", "l.db",
                    "--faults", 1, "--pace", SLOW)
    for line in process.stdout:
        if " 10%" in line:
            break
    (directory / "l.db").unlink()
    out, err = process.communicate()
    equal((process.returncode, err),
          (1, "financial: l.db: unable to open database file\n"), f"the outcome of\n{out}")
    failure = r"\d\d:\d\d:\d\d DatabasePool +error: the ledger: unable to open database file +"
    tries = re.findall(failure + "could not be started$", out, re.MULTILINE)
    equal(len(tries), 10, "attempts to open it")
    assert re.search(failure + "once too often, FinancialApp.Supervisor gives up", out), out
    contains(out, "the tree gave up")


def node_of(guardian):
    """The pid of the node that the guardian has started."""
    children = pathlib.Path(f"/proc/{guardian.pid}/task/{guardian.pid}/children")
    return int(children.read_text(encoding="ascii"))


@case
def under_a_guardian_the_day_holds_although_its_node_is_killed(directory):
    day = make_day(directory, 2000)
    process = start(directory, "--input", day, "--ledger", "l.db", "--faults", 0.1, "--pace", 4,
                    "--guardian")
    for line in process.stdout:
        if " 30%" in line:
            break
    os.kill(node_of(process), signal.SIGKILL)
    out, err = process.communicate()
    equal(process.returncode, 0, "the status")
    contains(err, "ended by SIGKILL: restart 1 of 3")
    contains(out, "restart 1: the last node ended by signal 9")
    contains(out, HOLDS)
    equal(read_ledger(directory / "l.db"), read_input(day), "the ledger")
    kept = number_of("found already written", out)
    assert kept >= 0.25 * len(read_input(day)), f"{kept} entries were kept"


@case
def an_interrupted_day_under_a_guardian_ends_in_order(directory):
    process = start(directory, "--input", make_day(directory, 5000), "--pace", SLOW, "--guardian")
    for line in process.stdout:
        if " 10%" in line:
            break
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    equal((process.returncode, err), (128 + signal.SIGTERM, ""), f"the outcome of\n{out}")
    contains(out, "stopped; those inside were served")


@case
def a_reader_who_goes_away_ends_the_day(directory):
    day = make_day(directory, 5000)
    process = start(directory, "--input", day, "--ledger", "l.db", "--faults", 0.1, "--pace", SLOW)
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    equal((process.wait(), err), (128 + signal.SIGPIPE, ""), "the outcome")
    assert len(read_ledger(directory / "l.db")) < len(read_input(day))


@case
def a_full_disk_for_the_story_is_a_failure(directory):
    with open("/dev/full", "w", encoding="utf-8") as full:
        _, err = run(directory, "--input", make_day(directory, 100), status=1, stdout=full)
    equal(err, "financial: standard output: No space left on device\n", "the complaint")


@case
def a_closed_standard_output_is_no_place_for_the_ledger(directory):
    """The first file that a program opens gets the lowest descriptor that is free."""
    day = make_day(directory, 100)
    for closed, status, complaint in ((1, 1, "financial: standard output: Bad file descriptor\n"),
                                      (0, 0, ""), (2, 0, "")):
        _, err = run(directory, "--input", day, "--ledger", f"{closed}.db", status=status,
                     preexec_fn=functools.partial(os.close, closed))
        equal(err, complaint, f"the complaint with descriptor {closed} closed")
        entries = read_ledger(directory / f"{closed}.db")
        if status == 0:
            equal(entries, read_input(day), "the ledger")
        else:
            assert set(entries) <= set(read_input(day)), "an entry that nobody asked for"


@case
def help_that_cannot_be_written_is_a_failure(directory):
    with open("/dev/full", "w", encoding="utf-8") as full:
        _, err = run(directory, "--help", status=1, stdout=full)
    equal(err, "financial: standard output: No space left on device\n", "the complaint")


# ---- terminals ------------------------------------------------------------------------------------------


def run_on_terminal(directory, columns, *arguments, **environment):
    """All that the program writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, 0x5414, columns.to_bytes(2, "little").rjust(4, b"\0").ljust(8, b"\0"))
    process = start(directory, *arguments, stdout=theirs, stderr=theirs,
                    env={**ENVIRONMENT, **environment})
    os.close(theirs)
    screen = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:
            break
        if not some:
            break
        screen += some
    os.close(ours)
    equal(process.wait(), 0, f"the status; it showed:\n{screen[-2000:].decode(errors='replace')}")
    return screen.decode()


def lines_on(screen):
    """The lines as they stand in the end: without colours, and after each erasure."""
    screen = re.sub(r"\x1b\[[\d;]*m", "", screen)
    return [re.split(r"\r\x1b\[K", line)[-1] for line in screen.replace("\r\n", "\n").split("\n")]


@case
def a_terminal_gets_a_progress_bar_and_lines_that_fit(directory):
    day = make_day(directory, 2000)
    plain = run(directory, "--input", day, "--faults", 0.1)[0]
    for columns in (40, 80, 132):
        screen = run_on_terminal(directory, columns, "--input", day, "--faults", 0.1,
                                 "--pace", 0.5)
        contains(screen, "━")
        contains(screen, "\x1b[0;31m")
        drawn = re.sub(r"\x1b\[[\d;]*[mK]", "", screen).replace("\r\n", "\n")
        longest = max(re.split("[\r\n]", drawn), key=len)
        assert len(longest) <= columns, f"{len(longest)} of {columns} columns: {longest}"
        contains("\n".join(lines_on(screen)), "restarted")
    assert "\x1b" not in plain and "\r" not in plain and "━" not in plain
    equal(len(re.findall(r"^\S+ \d+0%: ", plain, re.MULTILINE)), 10, "lines of progress")


@case
def no_color_and_simple_terminals_are_respected(directory):
    day = make_day(directory, 200)
    screen = run_on_terminal(directory, 80, "--input", day, "--faults", 0.2, "--pace", 0.2,
                             NO_COLOR="1")
    assert not re.search(r"\x1b\[[\d;]*m", screen), "a colour"
    contains(screen, "━")
    screen = run_on_terminal(directory, 80, "--input", day, "--faults", 0.2, "--pace", 0, TERM="dumb")
    assert "\x1b" not in screen, "an escape sequence"
    contains(screen, " 50%: ")


@case
def without_utf8_every_character_is_ascii(directory):
    day = make_day(directory, 200)
    out, _ = run(directory, "--input", day, env={**ENVIRONMENT, "LC_ALL": "C"})
    contains(out, "|-- PaymentSupervisor (one_for_one)\n|   |-- PaymentProcessor\n")
    assert out.isascii()
    screen = run_on_terminal(directory, 80, "--input", day, "--pace", 0.5, LC_ALL="C",
                             NO_COLOR="1")
    assert screen.isascii()
    contains(screen, "##--")


# ---- running the cases --------------------------------------------------------------------------------------


def main():
    global program
    program = os.path.abspath(sys.argv[1])
    print(f"1..{len(CASES)}")
    failed = 0
    for number, function in enumerate(CASES, 1):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="financial-"))
        name = function.__name__.replace("_", " ")
        try:
            function(directory)
            print(f"ok {number} - {name}", flush=True)
        except Exception:                                   # a case may fail in any way
            failed += 1
            print(f"not ok {number} - {name}\n{traceback.format_exc()}", flush=True)
        finally:
            shutil.rmtree(directory)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
