"""Probes of files: what was planted outside, and what a host keeps where every program finds it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from .answers import Answer, Config, came_through, probe, refused, stopped, text_of, told

MAX_PROCESSES = 4096


def process_ids() -> list[int]:
    """The processes that /proc shows, at most some thousands."""
    try:
        return sorted(int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())[:MAX_PROCESSES]
    except OSError:
        return []


def read_secret(path: str, config: Config) -> Answer:
    """Read a planted file; only its secret counts as having come through."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            found = file.read(1000)
    except OSError as error:
        return refused(error)
    return (
        came_through("the secret was read")
        if text_of(config, "secret") in found
        else stopped("other content")
    )


def _first_open(answers: Iterator[Answer], none: str) -> Answer:
    last = stopped(none)
    for answer in answers:
        if answer.result == "open":
            return answer
        last = answer
    return last


@probe("files.planted-secret", "reads a file of the host by its path")
def planted_secret(config: Config) -> Answer:
    return read_secret(text_of(config, "secret_file"), config)


@probe("files.planted-elsewhere", "reads a file in the host's /var/tmp")
def planted_elsewhere(config: Config) -> Answer:
    return read_secret(text_of(config, "other_file"), config)


@probe("files.planted-shared-memory", "reads a file in the host's /dev/shm")
def planted_shared_memory(config: Config) -> Answer:
    return read_secret(text_of(config, "shm_file"), config)


@probe("files.planted-write", "makes a file in a folder of the host")
def planted_write(config: Config) -> Answer:
    path = Path(text_of(config, "open_folder")) / "written-by-probe"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        return refused(error)
    os.close(descriptor)
    return came_through("the file was made")


@probe("files.root-of-first", "reads a file of the host through /proc/1/root")
def root_of_first(config: Config) -> Answer:
    return read_secret("/proc/1/root" + text_of(config, "secret_file"), config)


@probe("files.root-of-any", "reads a file of the host through any /proc/PID/root")
def root_of_any(config: Config) -> Answer:
    path = text_of(config, "secret_file")
    return _first_open(
        (read_secret(f"/proc/{number}/root{path}", config) for number in process_ids()), "no process has it"
    )


@probe("files.folder-of-any", "reads a file of the host through any /proc/PID/cwd and many `..`")
def folder_of_any(config: Config) -> Answer:
    path = "/.." * 20 + text_of(config, "secret_file")
    return _first_open(
        (read_secret(f"/proc/{number}/cwd{path}", config) for number in process_ids()), "no process has it"
    )


@probe("files.link-out", "reads a file of the host through a symbolic link of its own")
def link_out(config: Config) -> Answer:
    link = Path(f"link-{os.getpid()}")
    try:
        link.symlink_to(text_of(config, "secret_file"))
        return read_secret(str(link), config)
    except OSError as error:
        return refused(error)
    finally:
        link.unlink(missing_ok=True)


@probe("files.host-home", "lists the home folder of whoever started this")
def host_home(config: Config) -> Answer:
    try:
        names = os.listdir(text_of(config, "host_home"))  # noqa: PTH208
    except OSError as error:
        return refused(error)
    return came_through(f"{len(names)} names") if names else stopped("an empty folder")


@probe("files.shadow", "opens /etc/shadow")
def shadow(_: Config) -> Answer:
    return _open_for_reading("/etc/shadow")


@probe("files.host-users", "reads the host's own /etc/passwd")
def host_users(config: Config) -> Answer:
    try:
        found = hashlib.sha256(Path("/etc/passwd").read_bytes()).hexdigest()
    except OSError as error:
        return refused(error)
    if found == config.get("passwd_sha256"):
        return came_through("the host's list of users")
    return stopped("another list of users")


@probe("files.host-name", "reads the host's name", by="")
def host_name(config: Config) -> Answer:
    return told("the host's" if os.uname().nodename == config.get("host_name") else "a name of its own")


@probe("files.mount-paths", "finds paths of the host in the list of mounts", by="")
def mount_paths(config: Config) -> Answer:
    try:
        listed = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return told(f"no list: {error.strerror}")
    seen = any(text_of(config, name) in listed for name in ("open_folder", "host_home"))
    return told("paths of the host are in it" if seen else f"{len(listed.splitlines())} mounts")


@probe("files.system-folders", "may write in the system's folders")
def system_folders(_: Config) -> Answer:
    paths = (
        "/",
        "/usr",
        "/usr/bin",
        "/usr/lib",
        "/etc",
        "/bin",
        "/sbin",
        "/lib",
        "/opt",
        "/boot",
        "/var",
        "/root",
    )
    writable = [path for path in paths if Path(path).is_dir() and os.access(path, os.W_OK)]
    # a folder that is only the box's own, on a file system of its own, is no folder of the host
    shared = [path for path in writable if not _is_in_memory(path)]
    return came_through(f"writable: {' '.join(shared)}") if shared else stopped("none is writable")


def _is_in_memory(path: str) -> bool:
    try:
        listed = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    device = Path(path).stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    kinds = {line.split(" - ", 1)[1].split()[0] for line in listed if line.split()[2] == name}
    return kinds == {"tmpfs"}


@probe("files.system-tree", "reads the kernel's own tree, /sys")
def system_tree(_: Config) -> Answer:
    try:
        names = os.listdir("/sys/class")  # noqa: PTH208
    except OSError as error:
        return refused(error)
    return came_through(f"{len(names)} classes of devices") if names else stopped("an empty folder")


@probe("files.kernel-symbols", "reads addresses of the kernel")
def kernel_symbols(_: Config) -> Answer:
    try:
        with open("/proc/kallsyms", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            addresses = {file.readline().split(" ", 1)[0] for _ in range(20)}
    except OSError as error:
        return refused(error)
    real = [address for address in addresses if address.strip("0")]
    return came_through("addresses are shown") if real else stopped("all addresses are zero")


@probe("files.kernel-memory", "opens /proc/kcore")
def kernel_memory(_: Config) -> Answer:
    return _open_for_reading("/proc/kcore")


@probe("files.container-engines", "speaks to a container engine's socket")
def container_engines(_: Config) -> Answer:
    import socket

    names = (
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/podman/podman.sock",
        "/run/crio/crio.sock",
        "/run/buildkit/buildkitd.sock",
        f"/run/user/{os.getuid()}/podman/podman.sock",
        f"/run/user/{os.getuid()}/docker.sock",
    )
    for name in names:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(name)
            except OSError:
                continue
            return came_through(name)
    return stopped("no such socket")


def _open_for_reading(path: str) -> Answer:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        return refused(error)
    return came_through(f"{path} was opened")
