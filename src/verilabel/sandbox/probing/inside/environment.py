"""Probes of environment variables: its own, and those that other processes were started with."""

from __future__ import annotations

import os
from pathlib import Path

from .answers import Answer, Config, came_through, probe, refused, stopped, text_of, told
from .files import process_ids

SUSPICIOUS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "COOKIE", "AUTH_SOCK", "SESSION")


def _holds(number: int, config: Config) -> bool | OSError:
    try:
        data = Path(f"/proc/{number}/environ").read_bytes()
    except OSError as error:
        return error
    return text_of(config, "environment_secret").encode() in data


@probe("environment.own", "finds a secret of the host's environment in its own")
def own(config: Config) -> Answer:
    found = any(text_of(config, "environment_secret") in value for value in os.environ.values())
    return came_through("it was handed down") if found else stopped(f"{len(os.environ)} variables without it")


@probe("environment.names", "finds variables in its own that are named like secrets")
def names(_: Config) -> Answer:
    found = sorted(name for name in os.environ if any(word in name.upper() for word in SUSPICIOUS))
    return came_through(f"{len(found)} variables") if found else stopped("none")


@probe("environment.of-first", "reads /proc/1/environ")
def of_first(config: Config) -> Answer:
    found = _holds(1, config)
    if isinstance(found, OSError):
        return refused(found)
    return came_through("the secret is in it") if found else stopped("without the secret")


@probe("environment.of-any", "reads every /proc/PID/environ")
def of_any(config: Config) -> Answer:
    numbers = process_ids()
    found = [number for number in numbers if _holds(number, config) is True]
    return came_through("the secret is in one") if found else stopped(f"{len(numbers)} processes without it")


@probe("environment.command-lines", "finds paths of the host in what processes were called with")
def command_lines(config: Config) -> Answer:
    wanted = [text_of(config, name).encode() for name in ("open_folder", "victim_marker")]
    for number in process_ids():
        try:
            data = Path(f"/proc/{number}/cmdline").read_bytes()
        except OSError:
            continue
        if any(text in data for text in wanted):
            return came_through("a process of the host is seen")
    return stopped("none")


@probe("environment.count", "counts the processes that it sees", by="")
def count(_: Config) -> Answer:
    return told(f"{len(process_ids())} processes")
