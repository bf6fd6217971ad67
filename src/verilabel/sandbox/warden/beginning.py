"""How a warden begins: it reads its orders, gives up its rights, makes the box, and says what it achieved."""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import signal
import socket

from verilabel.sandbox.warden import kernel, landlock
from verilabel.sandbox.warden.control_groups import NAME as GROUP_NAME
from verilabel.sandbox.warden.control_groups import ControlGroup, make_control_group, read_counter
from verilabel.sandbox.warden.joining import Holder, StartingHolder, enter_namespaces
from verilabel.sandbox.warden.killing import ProcessTable
from verilabel.sandbox.warden.programs import Setting
from verilabel.sandbox.warden.serving import Warden
from verilabel.sandbox.warden.watching import Bounds

CONTROL = 0
"""The control socket is standard input."""
MESSAGE_BYTES = 16
OWN_PROCESSES = 1
"""The warden itself is in the box's control group."""
OPEN_FILES = 8192
OUT_OF_MEMORY = 3
"""The exit status of the process that the opener waits for where the kernel killed the warden for its box's memory."""
UNCOUNTED = 2
"""The warden and the holder count for RLIMIT_NPROC, which holds for a user in a user namespace."""


def begin() -> int:
    """Serve one box, from the first order to the end. The exit status says why it ended."""
    control = socket.socket(fileno=os.dup(CONTROL))
    kernel.rename_self("watcher")
    _shed_inherited()
    _, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
    if not descriptors:
        return 0
    with open(descriptors[0], "rb") as file:  # noqa: PTH123
        orders = json.load(file)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    group, reason = _make_group(orders)
    keeper = None
    if group is not None:
        keeper, child_end = socket.socketpair()
        child = os.fork()
        if child:
            child_end.close()
            return _keep_group(group, child, keeper, control)
        keeper.close()
        keeper = child_end
    try:
        warden, home, facts = _make_box(orders, control, group, keeper, reason)
    except OSError as error:
        # what a library raises may have no text of its own
        control.send(f"refused {error.strerror or error}"[:2000].encode())
        return 0
    control.send(b"ready " + json.dumps(facts).encode())
    os.dup2(nothing, 2)
    try:
        warden.serve()
    finally:
        _end_box(warden, home)
    return 0


def _shed_inherited() -> None:
    """Let go of what the opener's own process is held to or favoured by: signals, priority, real time."""
    signal.pthread_sigmask(signal.SIG_SETMASK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if os.getpriority(os.PRIO_PROCESS, 0) < 0:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, min(most, OPEN_FILES)), most))


def _make_group(orders: dict[str, object]) -> tuple[ControlGroup | None, str]:
    limits = orders["group"]
    if not isinstance(limits, dict):
        return None, ""
    name = f"{GROUP_NAME}{os.urandom(6).hex()}"
    return make_control_group(name, limits["memory"], limits["pids"] + OWN_PROCESSES, limits["cpus"])


def _keep_group(group: ControlGroup, child: int, line: socket.socket, control: socket.socket) -> int:
    """Admit the warden to the group when it says so, wait for its end, remove the group.

    That is all that is done with the rights of who asked for the box. On SIGTERM the warden is killed, and its box
    with it. The exit status says whether the box's own programs left the warden no memory.
    """
    counter = group.open_counters().get("memory")
    control.close()
    os.dup2(CONTROL, 2)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    with contextlib.suppress(OSError):
        if line.recv(1):
            group.admit(child)
            line.send(b"x")
    line.close()
    _, status = os.waitpid(child, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    was_killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    out_of_memory = was_killed and counter is not None and read_counter(counter, "memory") > 0
    group.remove()
    return OUT_OF_MEMORY if out_of_memory else 0


def _make_box(
    orders: dict[str, object],
    control: socket.socket,
    group: ControlGroup | None,
    keeper: socket.socket | None,
    reason: str,
) -> tuple[Warden, str, dict[str, object]]:
    counters = group.open_counters() if group is not None else {}
    table = ProcessTable()
    if group is not None:
        table.group = group.open_list()
    starter = os.getppid()
    _drop_user(orders["uid"])
    facts: dict[str, object] = {
        "landlock": 0,
        "seccomp": False,
        "cgroup": "",
        "lacking": [reason] if reason else [],
    }
    if orders["bubblewrap"] is None:
        home = _make_folder()
        setting = Setting(_integers(orders["limits"]), None, home)
        return Warden(control, None, setting, table), home, facts | {"home": home}
    holder = _start_holder(orders, keeper)
    try:
        setting = _contain_self(orders, facts, holder, group)
        if keeper is not None:
            kernel.end_with_parent(starter)
    except BaseException:
        holder.end()
        raise
    table.ends |= {holder.pid, holder.monitor}
    warden = Warden(control, holder, setting, table)
    warden.counters = counters
    limits = orders["group"]
    if group is None and isinstance(limits, dict):
        lacking = facts["lacking"]
        assert isinstance(lacking, list)
        lacking.append(
            "memory, pids: looked at 50 times a second instead, and held for each program by rlimits"
        )
        setting.limits |= {"NPROC": limits["pids"] + UNCOUNTED, "DATA": limits["memory"]}
        warden.bounds = Bounds(limits["memory"], limits["pids"])
    return warden, "", facts


def _start_holder(orders: dict[str, object], keeper: socket.socket | None) -> Holder:
    """Start the holder outside the control group, and enter the group while bubblewrap works."""
    arguments, files, argv = orders["arguments"], orders["files"], orders["holder"]
    assert isinstance(arguments, list) and isinstance(files, dict) and isinstance(argv, list)
    program = orders["filter"]
    filter_ = bytes.fromhex(program) if isinstance(program, str) else None
    starting = StartingHolder(str(orders["bubblewrap"]), arguments, files, argv, filter_)
    if keeper is not None:
        keeper.send(b"x")
    holder = starting.wait()
    if keeper is not None and not keeper.recv(1):
        holder.end()
        raise OSError("the control group took no process in")
    return holder


def _contain_self(
    orders: dict[str, object], facts: dict[str, object], holder: Holder, group: ControlGroup | None
) -> Setting:
    """Enter the box and give up all rights, in this order: each step needs what the next gives up."""
    readable, writable, program = orders["readable"], orders["writable"], orders["filter"]
    lacking = facts["lacking"]
    assert isinstance(readable, list) and isinstance(writable, list) and isinstance(lacking, list)
    enter_namespaces(holder.pid, _integers(orders["sized"]))
    if group is not None:
        facts["cgroup"] = group.version
        lacking.extend(group.lacking)
    if group is None or group.lacking:
        lacking.append(_keep_on_few_processors(orders["group"]))
    kernel.drop_capabilities()
    kernel.forbid_new_privileges()
    version = landlock.landlock_version()
    facts["landlock"] = version
    ruleset = landlock.make_ruleset(version, readable, writable) if version else None
    if isinstance(program, str):
        kernel.install_filter(bytes.fromhex(program))
        facts["seccomp"] = True
    kernel.set_dumpable(False)
    return Setting(_integers(orders["limits"]), ruleset, "/box")


def _keep_on_few_processors(limits: object) -> str:
    """Bound the box's share of the machine where no control group does; programs cannot undo it."""
    assert isinstance(limits, dict)
    allowed = sorted(os.sched_getaffinity(0))
    number = min(len(allowed), max(1, math.ceil(limits["cpus"])))
    # boxes begin at different processors, so that not all are on the first
    begin = os.getpid() % len(allowed)
    os.sched_setaffinity(0, (allowed + allowed)[begin : begin + number])
    return f"cpu: programs are kept on {number} of {len(allowed)} processors instead"


def _make_folder() -> str:
    """A new folder of this user alone."""
    folder = f"/tmp/verilabel-{os.urandom(8).hex()}"  # noqa: S108 - the name cannot be guessed, and must be new
    os.mkdir(folder, 0o700)  # noqa: PTH102
    return folder


def _drop_user(uid: object) -> None:
    """Become an unprivileged user for good. Nothing is started before this."""
    if uid is None:
        return
    assert isinstance(uid, int) and uid > 0
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    with contextlib.suppress(PermissionError):
        os.setuid(0)
        raise OSError("the rights of root could be had back")
    os.chdir("/")


def _integers(values: object) -> dict[str, int]:
    assert isinstance(values, dict)
    return {str(key): int(value) for key, value in values.items()}


def _end_box(warden: Warden, home: str) -> None:
    warden.end_programs()
    if warden.holder is not None:
        warden.holder.end()
    if home:
        _remove_tree(home)


def _remove_tree(top: str) -> None:
    for folder, folders, names, descriptor in os.fwalk(top, topdown=False, follow_symlinks=False):
        for name in names:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=descriptor)
        for name in folders:
            with contextlib.suppress(OSError):
                _remove_entry(name, descriptor)
        del folder
    with contextlib.suppress(OSError):
        os.rmdir(top)  # noqa: PTH106


def _remove_entry(name: str, parent: int) -> None:
    try:
        os.rmdir(name, dir_fd=parent)
    except NotADirectoryError:
        # a link to a folder
        os.unlink(name, dir_fd=parent)
