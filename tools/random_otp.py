"""random_otp.py - plays files on Erlang/OTP for random_scenarios.py.

An oracle mostly waits, so many play at once, each in an Erlang of its own with its share of the
files."""

import os
import pathlib
import shutil
import subprocess
import threading
import time

CONFORMANCE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "conformance"
PLAYERS = 12
STALL_SECONDS = 90      # without a new trace, an Erlang waits for something that never comes


class Oracle:
    """One of the two oracles; function: what is called in the module with the files."""

    def __init__(self, module, function, place):
        """Compiles the module; subprocess.CalledProcessError if it can't be."""
        self.module, self.function = module, function
        self.place = place.resolve()
        self.beams = self.place / "beams"
        self.beams.mkdir(parents=True, exist_ok=True)
        self.running, self.threads = set(), []
        self.stopped = False
        subprocess.run(["erlc", "-o", self.beams, CONFORMANCE / f"{module}.erl"], check=True)

    def play(self, files, schedulers):
        """Plays copies of the files; the trace of each, or None where there is none."""
        place = self.place / "round"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        copies = [pathlib.Path(shutil.copy(file, place / f"{number}-{file.name}"))
                  for number, file in enumerate(files)]
        self.threads = [
            threading.Thread(target=self.play_share, args=(copies[i::PLAYERS], schedulers))
            for i in range(min(PLAYERS, len(copies)))]
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        traces = [copy.with_suffix(".otp") for copy in copies]
        texts = [trace.read_text() if trace.exists() else None for trace in traces]
        shutil.rmtree(place)
        return texts

    def play_share(self, files, schedulers):
        """One Erlang after the other: each goes on behind the file in which one stopped."""
        while files and not self.stopped:
            erlang = self.start(files, schedulers)
            seen, since = 0, time.monotonic()
            while erlang.poll() is None and time.monotonic() - since < STALL_SECONDS:
                time.sleep(0.05)
                while seen < len(files) and files[seen].with_suffix(".otp").exists():
                    seen, since = seen + 1, time.monotonic()
            self.end(erlang)
            files = [file for file in files if not file.with_suffix(".otp").exists()][1:]

    def start(self, files, schedulers):
        """In a session of its own: an interrupt is this program's affair."""
        with open(self.place / "erlang.log", "ab") as log:
            erlang = subprocess.Popen(
                ["erl", "+S", str(schedulers), "-noshell", "-pa", self.beams, "-run", self.module,
                 self.function, *files], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.place, start_new_session=True,
                env={**os.environ, "ERL_CRASH_DUMP_BYTES": "0"})
        self.running.add(erlang)
        if self.stopped:
            erlang.kill()
        return erlang

    def end(self, erlang):
        if erlang.poll() is None:
            erlang.kill()
        erlang.wait()
        self.running.discard(erlang)

    def stop(self):
        """Ends all that run."""
        self.stopped = True
        for erlang in list(self.running):
            erlang.kill()
        for thread in self.threads:
            if thread.ident is not None:
                thread.join()
