"""Probes of devices: opened, never read or written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .answers import Answer, Config, came_through, probe, refused, stopped

HARMLESS = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"}
"""Devices that every box has."""
MAX_DEVICES = 4096


def _openable(paths: list[Path]) -> list[str]:
    """Devices among the paths that can be opened, for reading or for writing."""
    found = []
    for path in paths:
        for mode in (os.O_RDONLY, os.O_WRONLY):
            try:
                os.close(os.open(path, mode | os.O_NONBLOCK | os.O_NOCTTY))
            except OSError:
                continue
            found.append(path.name)
            break
    return found


def _judge(paths: list[Path]) -> Answer:
    found = _openable(paths)
    return (
        came_through(f"opened: {' '.join(found[:10])}")
        if found
        else stopped(f"{len(paths)} tried, none opened")
    )


def _devices() -> list[tuple[Path, int]]:
    found = []
    for folder, _, names in os.walk("/dev"):
        for name in names:
            path = Path(folder, name)
            try:
                found.append((path, path.lstat().st_mode))
            except OSError:
                continue
        if len(found) > MAX_DEVICES:
            break
    return found


@probe("devices.memory", "opens the machine's memory or ports")
def memory(_: Config) -> Answer:
    return _judge([Path(path) for path in ("/dev/mem", "/dev/kmem", "/dev/port")])


@probe("devices.kernel-messages", "opens the kernel's messages")
def kernel_messages(_: Config) -> Answer:
    return _judge([Path("/dev/kmsg"), Path("/proc/kmsg")])


@probe("devices.disks", "opens a disk")
def disks(_: Config) -> Answer:
    return _judge([path for path, mode in _devices() if stat.S_ISBLK(mode)])


@probe("devices.virtual-machines", "opens /dev/kvm or a device of virtual machines")
def virtual_machines(_: Config) -> Answer:
    names = ("kvm", "vhost-net", "vhost-vsock", "vsock", "vfio/vfio", "sev", "udmabuf")
    return _judge([Path("/dev", name) for name in names])


@probe("devices.file-systems", "opens /dev/fuse")
def file_systems(_: Config) -> Answer:
    return _judge([Path("/dev/fuse"), Path("/dev/loop-control"), Path("/dev/mapper/control")])


@probe("devices.tunnel", "opens the device that makes network interfaces")
def tunnel(_: Config) -> Answer:
    return _judge([Path("/dev/net/tun")])


@probe("devices.accelerators", "opens a graphics card or an accelerator")
def accelerators(_: Config) -> Answer:
    folders = (Path("/dev"), Path("/dev/dri"), Path("/dev/accel"))
    names = ("nvidia", "card", "renderD", "kfd", "accel")
    paths = [p for folder in folders if folder.is_dir() for p in folder.iterdir() if p.name.startswith(names)]
    return _judge([path for path in paths if not path.is_dir()])


@probe("devices.input", "opens keyboards, or makes one")
def inputs(_: Config) -> Answer:
    folder = Path("/dev/input")
    return _judge([Path("/dev/uinput"), *([*folder.glob("event*")] if folder.is_dir() else [])])


@probe("devices.clock", "opens the hardware clock")
def clock(_: Config) -> Answer:
    return _judge([Path("/dev/rtc"), Path("/dev/rtc0")])


@probe("devices.others", "opens any device beyond those that every program needs")
def others(_: Config) -> Answer:
    left = [
        path
        for path, mode in _devices()
        if stat.S_ISCHR(mode) and path.name not in HARMLESS and path.parent != Path("/dev/pts")
    ]
    return _judge([path for path in left if path.name not in ("console", "watchdog", "watchdog0")])


@probe("devices.made", "makes a device that is a disk")
def made(_: Config) -> Answer:
    path = Path(f"device-{os.getpid()}")
    try:
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 0))
    except OSError as error:
        return refused(error)
    path.unlink()
    return came_through("it was made")
