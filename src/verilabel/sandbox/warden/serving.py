"""The warden of one box: it makes the box, starts programs in it when told, ends them, and ends the box with itself.

    caller ── control socket ──▶ warden ──▶ bubblewrap ──▶ holder (process 1 of the box)
           ◀── leash, one each ─────┤
                                    └────▶ watcher ──▶ program ──▶ whatever it starts

A request is one message on the control socket with five descriptors: the request itself, the program's three streams,
and its leash. On the leash the warden says `started PID`, then `ended STATUS LIMIT` or `failed WHY`; the caller says
`t` to ask the program to end, and `k`, or closes the leash, to have all it started killed. The control socket's end
of file ends the box: whatever happens to the caller, nothing is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable

from verilabel.sandbox.warden.control_groups import read_counter
from verilabel.sandbox.warden.joining import Holder
from verilabel.sandbox.warden.killing import QUIET_ROUNDS, ProcessTable, kill_all, kill_everything_else
from verilabel.sandbox.warden.programs import NOT_RUNNABLE, Setting, limit_behind, start_watched
from verilabel.sandbox.warden.watching import Bounds

KILL_S = 1.0
"""How long a program may run away from being ended before all of the box is."""
ROUND_S = 0.002
WATCH_S = 0.02
"""How often memory and processes are looked at where no control group holds them."""
STEP_S = 0.2
ATTEMPTS = 20
GONE = -1
PARTS = 5
"""Descriptors of a request."""


class Run:
    """One program and what watches it.

    `struck` says how often each limit had struck before; `killing` that all it started is being ended, until
    `deadline`, and `quiet` in how many looks in a row nothing was left; `swept` that the whole box was ended under it.
    """

    def __init__(self, leash: socket.socket, watcher: int, report: int, struck: dict[str, int]) -> None:
        self.leash = leash
        self.watcher = watcher
        self.report = report
        self.struck = struck
        self.killing = False
        self.deadline = 0.0
        self.quiet = 0
        self.swept = False
        self.limit = ""


class Warden:
    """Serves one box until its caller is gone or the box is."""

    def __init__(
        self, control: socket.socket, holder: Holder | None, setting: Setting, table: ProcessTable
    ) -> None:
        self.control = control
        self.holder = holder
        self.setting = setting
        self.table = table
        self.counters: dict[str, int] = {}
        self.bounds: Bounds | None = None
        self.runs: dict[int, Run] = {}
        """By the leash's descriptor."""
        self.lingering: set[int] = set()
        """Watchers of programs that have ended and left others behind."""
        self.poll = select.poll()
        self.alive = True

    def serve(self) -> None:
        """Carry out requests until the box ends."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll.register(self.control, select.POLLIN)
        self.poll.register(wake_read, select.POLLIN)
        while self.alive:
            for descriptor, _ in self.poll.poll(self._pause_ms()):
                if descriptor == self.control.fileno():
                    self._accept()
                elif descriptor == wake_read:
                    os.read(wake_read, 4096)
                elif descriptor in self.runs:
                    self._obey(self.runs[descriptor])
                else:
                    self._note_report(descriptor)
            self._reap()
            self._press_on()
            self._watch_usage()

    def end_programs(self) -> None:
        """End what runs, where no holder's end does."""
        watchers = ({run.watcher for run in self.runs.values()} | self.lingering) - {GONE}
        if self.holder is None and watchers:
            self._sweep(watchers)
            kill_all(list(watchers))

    def _pause_ms(self) -> int | None:
        if any(run.killing for run in self.runs.values()):
            return int(ROUND_S * 1000)
        if self.bounds is not None and (self.runs or self.lingering):
            return int(WATCH_S * 1000)
        return None

    def _accept(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self.control, 16, PARTS, socket.MSG_CMSG_CLOEXEC)
        if not message:
            self.alive = False
            return
        if len(descriptors) != PARTS:
            # there was no room for all of them: the caller hears its leash close
            for descriptor in descriptors:
                os.close(descriptor)
            return
        text, *streams, leash_descriptor = descriptors
        leash = socket.socket(fileno=leash_descriptor)
        leash.setblocking(False)
        try:
            with open(text, "rb") as file:  # noqa: PTH123
                request = json.load(file)
            struck = {limit: read_counter(counter, limit) for limit, counter in self.counters.items()}
            watcher, report = start_watched(request, (streams[0], streams[1], streams[2]), self.setting)
        except OSError as error:
            limit = limit_behind(error)
            refusal = f"failed no process can be made in the box: {error.strerror}"
            _tell(leash, f"ended {NOT_RUNNABLE} {limit}" if limit else refusal)
            leash.close()
            return
        finally:
            for stream in streams:
                os.close(stream)
        run = Run(leash, watcher, report, struck)
        os.set_blocking(report, False)
        self.runs[leash.fileno()] = run
        self.poll.register(leash, select.POLLIN)
        self.poll.register(run.report, select.POLLIN)
        _tell(leash, f"started {run.watcher}")

    def _obey(self, run: Run) -> None:
        try:
            said = run.leash.recv(1)
        except BlockingIOError:
            # the descriptor was another's when it was looked at
            return
        except OSError:
            said = b""
        if said == b"t":
            if run.watcher != GONE:
                os.kill(run.watcher, signal.SIGTERM)
            return
        if not said:
            self.poll.unregister(run.leash)
        self._kill(run)

    def _note_report(self, report: int) -> None:
        run = next((run for run in self.runs.values() if run.report == report), None)
        if run is None:
            return
        try:
            line = os.read(report, 600).decode("utf-8", "replace").strip()
        except BlockingIOError:
            return
        if run.killing:
            self.poll.unregister(report)
        elif line:
            self._finish(run, self._last_words(run, line))
            self.lingering |= {run.watcher} - {GONE}
        elif run.swept:
            self._finish_killed(run)
        elif self.holder is None:
            self._finish(run, "failed the program ended what watched it; what it started may still run")
        else:
            # something in the box killed the watcher: what it watched is loose, so nothing in the box may stay
            self._kill_everything()
            self._finish_killed(run)

    def _last_words(self, run: Run, line: str) -> str:
        word, _, rest = line.partition(" ")
        status, _, limit = rest.partition(" ")
        return f"ended {status} {limit or self._limit_struck(run)}".rstrip() if word == "exit" else line

    def _limit_struck(self, run: Run) -> str:
        if run.limit:
            return run.limit
        for limit, counter in self.counters.items():
            if read_counter(counter, limit) > run.struck[limit]:
                return limit
        return ""

    def _finish(self, run: Run, last_words: str) -> None:
        self.runs.pop(run.leash.fileno())
        for pollable in (run.leash, run.report):
            with contextlib.suppress(KeyError):
                self.poll.unregister(pollable)
        os.close(run.report)
        _tell(run.leash, last_words)
        run.leash.close()

    def _finish_killed(self, run: Run) -> None:
        self._finish(run, f"ended {-signal.SIGKILL} {self._limit_struck(run)}".rstrip())

    def _kill(self, run: Run) -> None:
        if run.watcher == GONE:
            # it has said its last words, or was killed and has none
            self._note_report(run.report)
        elif not run.killing:
            run.killing = True
            run.deadline = time.monotonic() + KILL_S

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.lingering.discard(pid)
            self._note_death(pid, status)
            if self.holder is not None and pid == self.holder.monitor:
                self.alive = False

    def _note_death(self, pid: int, status: int) -> None:
        run = next((run for run in self.runs.values() if run.watcher == pid), None)
        if run is None:
            return
        # the number may be given to another process from now on
        run.watcher = GONE
        if run.killing and os.WIFEXITED(status):
            # a watcher ends by itself when nothing is left below it
            self._finish_killed(run)
        elif run.killing:
            self._kill_harder(run)

    def _press_on(self) -> None:
        """One more round of ending what is to be ended."""
        for run in [run for run in self.runs.values() if run.killing]:
            living, unsure = self.table.below({run.watcher})
            kill_all(living)
            run.quiet = 0 if living or unsure else run.quiet + 1
            if run.quiet >= QUIET_ROUNDS:
                kill_all([run.watcher])
                self._finish_killed(run)
            elif time.monotonic() > run.deadline:
                self._kill_harder(run)

    def _kill_harder(self, run: Run) -> None:
        """End what ran away from being ended: with everything in the box, and where that fails, with the box."""
        if self.holder is None:
            self._finish(run, "failed the program's processes cannot all be ended")
            return
        self._kill_everything()
        self._finish_killed(run)

    def _kill_everything(self) -> None:
        for run in self.runs.values():
            run.swept = True
        for _ in range(ATTEMPTS):
            if _run_in_box(kill_everything_else):
                # killed is not yet ended, and what is said to be ended must be
                self._sweep(self.table.ends)
                return
            # there was no room for a process: make some
            self._sweep(self.table.ends, rounds=1)
        self.alive = False

    def _sweep(self, roots: set[int], rounds: int = 200) -> None:
        for _ in range(rounds):
            living, unsure = self.table.below(roots)
            if not living and not unsure:
                return
            kill_all(living)
            time.sleep(ROUND_S)

    def _watch_usage(self) -> None:
        if self.bounds is None or not (self.runs or self.lingering):
            return
        limit = self.bounds.exceeded()
        if limit:
            for run in self.runs.values():
                run.limit = limit
            self._kill_everything()


def _run_in_box(work: Callable[[], None]) -> bool:
    """Do something as a process of the box; False where there was none to be had, or it did not come to its end."""
    try:
        pid = os.fork()
    except OSError:
        return False
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return _await_end(pid) == 0


def _await_end(pid: int) -> int | None:
    """A child's status; None where it did not end by itself in time and was killed: it may have been stopped."""
    end = time.monotonic() + STEP_S
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.0005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _tell(leash: socket.socket, words: str) -> None:
    # the caller may be gone, or may have let go of this program
    with contextlib.suppress(OSError):
        leash.send(words.encode())
