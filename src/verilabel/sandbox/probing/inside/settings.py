"""Probes of the kernel's settings: opened for writing and closed again, nothing is written."""

from __future__ import annotations

import os
from pathlib import Path

from .answers import Answer, Config, came_through, probe, refused, stopped

MAX_SETTINGS = 5000


def _writable(path: str) -> Answer:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return refused(error)
    return came_through(f"{path} can be written")


@probe("settings.core-pattern", "opens what the host runs when a program crashes")
def core_pattern(_: Config) -> Answer:
    return _writable("/proc/sys/kernel/core_pattern")


@probe("settings.module-loader", "opens what the host runs to load a module")
def module_loader(_: Config) -> Answer:
    return _writable("/proc/sys/kernel/modprobe")


@probe("settings.device-helper", "opens what the host runs when a device appears")
def device_helper(_: Config) -> Answer:
    answers = [_writable(path) for path in ("/sys/kernel/uevent_helper", "/proc/sys/kernel/hotplug")]
    return next((answer for answer in answers if answer.result == "open"), answers[0])


@probe("settings.magic-keys", "opens the trigger of the magic keys")
def magic_keys(_: Config) -> Answer:
    return _writable("/proc/sysrq-trigger")


@probe("settings.formats", "opens the registration of program formats")
def formats(_: Config) -> Answer:
    return _writable("/proc/sys/fs/binfmt_misc/register")


@probe("settings.any", "opens any setting under /proc/sys for writing")
def any_setting(_: Config) -> Answer:
    return _walk("/proc/sys")


@probe("settings.any-of-kernel-tree", "opens anything under /sys for writing")
def any_of_tree(_: Config) -> Answer:
    return _walk("/sys/kernel", "/sys/module", "/sys/power", "/sys/fs")


def _walk(*roots: str) -> Answer:
    tried = 0
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                tried += 1
                if _writable(str(Path(folder, name))).result == "open":
                    return came_through(f"{folder}/{name} can be written")
            if tried > MAX_SETTINGS:
                break
    return stopped(f"none of {tried}")


@probe("settings.release-agent", "opens what the host runs when a control group is empty")
def release_agent(_: Config) -> Answer:
    groups = Path("/sys/fs/cgroup")
    paths = [groups / "release_agent", *groups.glob("*/release_agent")] if groups.is_dir() else []
    answers = [_writable(str(path)) for path in paths]
    return next((answer for answer in answers if answer.result == "open"), stopped(f"{len(paths)} tried"))


@probe("settings.control-groups", "moves itself into other control groups")
def control_groups(_: Config) -> Answer:
    groups = Path("/sys/fs/cgroup")
    paths = [groups / "cgroup.procs", *groups.glob("*/cgroup.procs")] if groups.is_dir() else []
    answers = [_writable(str(path)) for path in paths]
    return next((answer for answer in answers if answer.result == "open"), stopped(f"{len(paths)} tried"))


@probe("settings.processor", "opens the registers of the processor")
def processor(_: Config) -> Answer:
    folder = Path("/dev/cpu")
    paths = [*folder.glob("*/msr")] if folder.is_dir() else []
    answers = [_writable(str(path)) for path in paths]
    return next((answer for answer in answers if answer.result == "open"), stopped(f"{len(paths)} tried"))
