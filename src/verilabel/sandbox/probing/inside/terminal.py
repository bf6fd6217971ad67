"""Probes of terminals: whether keys can be put into somebody's terminal."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import termios

from .answers import Answer, Config, came_through, probe, refused, stopped

TIOCLINUX = 0x541C


@probe("terminal.own", "has the terminal of whoever started this")
def own(_: Config) -> Answer:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        return refused(error)
    return came_through("/dev/tty was opened")


@probe("terminal.streams", "has a terminal as one of its streams")
def streams(_: Config) -> Answer:
    found = [number for number in (1, 2) if os.isatty(number)]
    return came_through(f"streams {found}") if found else stopped("none")


@probe("terminal.put-keys", "puts keys into a terminal (TIOCSTI, on one of its own)", by="seccomp")
def put_keys(_: Config) -> Answer:
    return _ask_own_terminal(termios.TIOCSTI, b"x")


@probe("terminal.paste", "pastes into a terminal (TIOCLINUX, on one of its own)", by="seccomp")
def paste(_: Config) -> Answer:
    return _ask_own_terminal(TIOCLINUX, b"\x06")


def _ask_own_terminal(request: int, argument: bytes) -> Answer:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal hangs up when it is closed
    try:
        main, other = os.openpty()
    except OSError as error:
        return stopped(f"no terminal: {errno.errorcode.get(error.errno or 0, '')}")
    try:
        fcntl.ioctl(other, termios.TIOCSCTTY, 0)
        fcntl.ioctl(other, request, argument)
    except OSError as error:
        # the filter says EPERM; the kernel says EIO where keys may not be put, ENOTTY where it is no console
        refusals = (errno.EPERM, errno.EIO)
        return (
            refused(error)
            if error.errno in refusals
            else came_through(f"asked: {errno.errorcode[error.errno or 0]}")
        )
    finally:
        os.close(main)
        os.close(other)
    return came_through("it did")
