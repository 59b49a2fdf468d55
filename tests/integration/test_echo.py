#!/usr/bin/env python3
"""test_echo.py - the echo server: what serves one connection crashes, and the others go on.

    tests/integration/test_echo.py PROGRAM

Prints TAP."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import traceback

SECONDS = 10 * (10 if "CK_TIMEOUT_MULTIPLIER" in os.environ else 1)
CASES = []
program = None          # the path of the program under test
WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))    # an emulator, in a cross build


def case(function):
    CASES.append(function)
    return function


def equal(actual, expected, what):
    assert actual == expected, f"{what}: expected {expected!r}, got {actual!r}"


# ---- helpers ---------------------------------------------------------------------------------


class Server:
    """The program at work; with the port that it said it listens on."""

    def __init__(self, port=0):
        self.process = subprocess.Popen([*WRAPPER, program, str(port)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), line + self.process.stderr.read()
        self.port = int(line.rpartition(":")[2])

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        equal(echo(client, b"hello\n"), b"hello\n", "the first echo")
        return client

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self, how=signal.SIGINT):
        """Stops it in order; what it said on standard error."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=SECONDS)
        equal((self.process.returncode, out), (0, "stopped\n"), f"how it stopped; it said:\n{err}")
        return err


def echo(client, text):
    client.sendall(text)
    got = b""
    while len(got) < len(text):
        more = client.recv(len(text) - len(got))
        if not more:
            break
        got += more
    return got


# ---- cases -----------------------------------------------------------------------------------


@case
def a_connection_whose_process_crashes_is_closed_and_the_others_go_on():
    server = Server()
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(server.connect()) for _ in range(20)]
        before = None
        for _ in range(10):
            with server.connect() as victim:
                equal(echo(victim, b"crash\n"), b"", "what the victim gets")
            before = before or server.descriptors()     # the first report may open debug files
        equal(server.descriptors(), before, "descriptors")
        for other in others:
            equal(echo(other, b"still there\n"), b"still there\n", "another one's echo")
        stack.enter_context(server.connect())
    err = server.stop()
    equal(err.count("SIGSEGV (code 1)"), 10, f"crashes reported in\n{err}")


@case
def it_stops_in_order_with_connections_open():
    for how in (signal.SIGINT, signal.SIGTERM):
        server = Server()
        client = server.connect()
        equal(server.stop(how), "", "standard error")
        equal(client.recv(1), b"", "what the client gets")
        client.close()


@case
def a_port_that_is_taken_is_told():
    server = Server()
    second = subprocess.run([*WRAPPER, program, str(server.port)], capture_output=True, text=True,
                            check=False)
    equal(second.returncode, 1, "the status")
    assert f"port {server.port}: Address already in use" in second.stderr, second.stderr
    server.stop()


@case
def a_wrong_command_line_is_refused():
    for arguments in ([], ["x"], [""], ["65536"], ["-1"], ["1", "2"]):
        result = subprocess.run([*WRAPPER, program, *arguments], capture_output=True, text=True,
                                check=False)
        equal((result.returncode, result.stdout), (2, ""), f"the outcome of {arguments}")
        assert result.stderr.startswith("usage: echo PORT"), result.stderr


def main():
    global program
    program = os.path.abspath(sys.argv[1])
    failed = 0
    print(f"1..{len(CASES)}")
    for number, function in enumerate(CASES, 1):
        try:
            function()
            outcome = "ok"
        except Exception:                   # any failure is this case's, and is told
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            outcome, failed = "not ok", failed + 1
        print(f"{outcome} {number} - {function.__name__.replace('_', ' ')}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
