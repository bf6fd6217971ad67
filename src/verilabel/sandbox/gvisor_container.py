"""A box of gVisor in OCI's form, and the small programs that are run in it for its keeper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from verilabel.errors import SandboxError
from verilabel.sandbox.interface import BoxSpec

HOME = "/box"
MARK, HOLDER_MARK = "VERILABEL_PROGRAM", "holder"
"""The variable by which processes are told apart, and what it says of those that hold the box open."""
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": HOME, "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108
_HOLD = "echo ready; cat >/dev/null; exit 0"
READ_FILE = (
    "import os, stat, sys\n"
    "try:\n"
    "    file = os.open(sys.argv[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)\n"
    "    mode = os.fstat(file)\n"
    "    if stat.S_ISDIR(mode.st_mode): sys.exit(121)\n"
    "    if not stat.S_ISREG(mode.st_mode): sys.exit(113)\n"
    "    if mode.st_size > int(sys.argv[2]): sys.exit(127)\n"
    "    while piece := os.read(file, 1 << 20): sys.stdout.buffer.write(piece)\n"
    "except OSError as error: sys.exit({2: 102, 20: 102, 21: 121}.get(error.errno, 113))\n"
)
WRITE_FILE = (
    "import os, sys\n"
    "try:\n"
    "    os.makedirs(os.path.dirname(sys.argv[1]) or '.', exist_ok=True)\n"
    "    with open(sys.argv[1], 'wb') as file:\n"
    "        while piece := sys.stdin.buffer.read(1 << 20): file.write(piece)\n"
    "except OSError as error: sys.exit(f'{error.strerror}')\n"
)
CLEAN_UP = (
    "import os, shutil, signal, sys, time\n"
    "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)\n"
    "sys.stdin.buffer.read()\n"
    "folder, *groups = sys.argv[1:]\n"
    "end = time.monotonic() + 10\n"
    "while groups and time.monotonic() < end:\n"
    "    for group in list(groups):\n"
    "        try:\n"
    "            for number in open(group + '/cgroup.procs').read().split(): os.kill(int(number), signal.SIGKILL)\n"
    "            os.rmdir(group)\n"
    "        except OSError: pass\n"
    "        if not os.path.isdir(group): groups.remove(group)\n"
    "    time.sleep(0.01)\n"
    "shutil.rmtree(folder, ignore_errors=True)\n"
)
"""Waits for the end of its input, whoever held it, and removes what a box leaves: control groups and a folder."""
KILL_STARTED = """
import os, signal, sys

name, mark, first = sys.argv[1:]
others = sys.stdin.read().split()

def read(path):
    try:
        with open(path, 'rb') as file: return file.read()
    except OSError: return b''

for _ in range(50):
    parents, marks = {}, {}
    for entry in os.listdir('/proc'):
        if not entry.isdigit() or int(entry) in (1, os.getpid()): continue
        stat = read(f'/proc/{entry}/stat').rpartition(b')')[2].split()
        if len(stat) < 2 or stat[0] == b'Z': continue
        parents[int(entry)] = int(stat[1])
        variables = read(f'/proc/{entry}/environ').split(b'\\0')
        named = [v for v in variables if v.startswith(name.encode() + b'=')] or [b'']
        marks[int(entry)] = named[0].partition(b'=')[2].decode('utf-8', 'replace')
    found = {n for n, m in marks.items() if m == mark or n == int(first)}
    found |= {n for n, m in marks.items() if m not in others and parents[n] and parents[n] not in parents}
    while more := {n for n, p in parents.items() if p in found} - found: found |= more
    if not found: break
    for number in found:
        try: os.kill(number, signal.SIGKILL)
        except OSError: pass
"""
"""Ends what one program started: itself, what bears its mark, what descends from those, and orphans that bear no mark
of any program, because a program can take off its own."""


def make_target(root: Path, target: str, *, is_folder: bool) -> None:
    """A place in the root file system for a mount. Raises SandboxError for one that is not below it."""
    place = root / target.lstrip("/")
    if ".." in Path(target).parts or not target.startswith("/"):
        raise SandboxError("a mount's target is a path from the root, without `..`", where=target)
    if target.startswith(("/usr/", "/bin", "/lib", "/sbin", "/proc", "/dev")):
        raise SandboxError("nothing is mounted there", where=target)
    place.parent.mkdir(parents=True, exist_ok=True)
    if is_folder:
        place.mkdir(exist_ok=True)
    else:
        place.touch()


def describe_program(spec: BoxSpec, env: Mapping[str, str]) -> dict[str, object]:
    """A process in OCI's form: an ordinary user without capabilities (runtime-spec, config.md, `process`)."""
    none: list[str] = []
    kinds = ("bounding", "effective", "inheritable", "permitted", "ambient")
    return {
        "terminal": False,
        "user": {"uid": 1000, "gid": 1000},
        "env": [f"{name}={value}" for name, value in env.items()],
        "cwd": HOME,
        "noNewPrivileges": True,
        "capabilities": dict.fromkeys(kinds, none),
        "rlimits": [
            {"type": "RLIMIT_CORE", "hard": 0, "soft": 0},
            {"type": "RLIMIT_FSIZE", "hard": spec.limits.disk, "soft": spec.limits.disk},
            {"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024},
        ],
    }


def describe_container(spec: BoxSpec) -> dict[str, object]:
    """The container in OCI's form (runtime-spec 1.0.2, config.md)."""
    size = f"size={spec.limits.disk}"

    def in_memory(target: str, mode: str) -> dict[str, object]:
        options = ["nosuid", "nodev", f"mode={mode}", size]
        return {"destination": target, "type": "tmpfs", "source": "tmpfs", "options": options}

    def read_only(source: str, target: str) -> dict[str, object]:
        options = ["ro", "rbind", "nosuid", "nodev"]
        return {"destination": target, "type": "bind", "source": source, "options": options}

    return {
        "ociVersion": "1.0.2",
        "process": {
            **describe_program(spec, {**ENVIRONMENT, MARK: HOLDER_MARK}),
            "args": ["/bin/sh", "-c", _HOLD],
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            in_memory("/tmp", "1777"),  # noqa: S108
            in_memory("/dev/shm", "1777"),  # noqa: S108
            in_memory(HOME, "0777"),
            read_only("/usr", "/usr"),
            *(read_only(mount.source, mount.target) for mount in spec.mounts),
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }
