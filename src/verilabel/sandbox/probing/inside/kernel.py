"""Probes of the kernel's surface: system calls that programs of agents have no need of.

Calls that would change something get arguments that the kernel refuses after it has looked at the caller's rights.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from pathlib import Path

from .answers import Answer, Config, came_through, probe, refused, stopped, told
from .calls import error_name, invoke, invoke_number, only_on, opened, permitted, reached

NEWNS, NEWUTS, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x10000000, 0x20000000, 0x40000000
SIGCHLD = 17
MS_NOSUID, MS_REMOUNT, MS_BIND = 2, 32, 4096
AT_FDCWD = -100


@probe("kernel.user-namespace", "makes a user namespace, in which it would have all rights", by="seccomp")
def user_namespace(_: Config) -> Answer:
    return permitted(invoke("unshare", NEWUSER), "it was made")


@probe("kernel.user-namespace-by-clone", "starts a process in a user namespace of its own", by="seccomp")
def user_namespace_by_clone(_: Config) -> Answer:
    result = invoke("clone", NEWUSER | SIGCHLD, 0, 0, 0, 0)
    if result == 0:
        os._exit(0)
    if result > 0:
        os.waitpid(result, 0)
    return permitted(result, "it was started")


@probe("kernel.clone3", "starts processes by a call whose flags no filter can see", by="seccomp")
def clone3(_: Config) -> Answer:
    return reached(invoke("clone3", None, 0), "clone3")


@probe("kernel.namespaces", "makes mount, network, process or host-name namespaces")
def namespaces(_: Config) -> Answer:
    for flag, name in ((NEWNS, "mounts"), (NEWNET, "network"), (NEWPID, "processes"), (NEWUTS, "host name")):
        if invoke("unshare", flag) >= 0:
            return came_through(name)
    return stopped("EPERM")


@probe("kernel.join-namespaces", "joins the namespaces of the first process")
def join_namespaces(_: Config) -> Answer:
    for name in ("mnt", "net", "pid", "user"):
        try:
            descriptor = os.open(f"/proc/1/ns/{name}", os.O_RDONLY)
        except OSError:
            continue
        result = invoke("setns", descriptor, 0)
        os.close(descriptor)
        if result >= 0:
            return came_through(name)
    return stopped("none could be joined")


@probe("kernel.mount", "mounts a file system in a folder of its own")
def mount(_: Config) -> Answer:
    return _mount_here()


def _mount_here() -> Answer:
    folder = Path(f"mount-{os.getpid()}").absolute()
    try:
        folder.mkdir()
    except OSError as error:
        return refused(error)
    try:
        result = invoke("mount", b"none", bytes(folder), b"tmpfs", MS_NOSUID, b"size=4096")
        if result >= 0:
            invoke("umount2", bytes(folder), 2)
        return permitted(result, "it was mounted")
    finally:
        folder.rmdir()


@probe("kernel.mount-as-own-root", "mounts after making a user namespace", by="seccomp")
def mount_as_own_root(_: Config) -> Answer:
    result = invoke("unshare", NEWUSER | NEWNS)
    return _mount_here() if result >= 0 else stopped(error_name(result))


@probe("kernel.new-mounts", "makes a file system by the newer calls")
def new_mounts(_: Config) -> Answer:
    return opened(invoke("fsopen", b"tmpfs", 1), "it was made")


@probe("kernel.remount", "mounts /usr anew")
def remount(_: Config) -> Answer:
    # the flags of read-only stay on: where it works, nothing has changed but that it worked
    return permitted(
        invoke("mount", None, b"/usr", None, MS_REMOUNT | MS_BIND | 1 | MS_NOSUID, None), "remounted"
    )


@probe("kernel.change-root", "changes its root folder")
def change_root(_: Config) -> Answer:
    return permitted(invoke("chroot", b"/"), "it was changed")


@probe("kernel.pivot-root", "swaps its root folder")
def pivot_root(_: Config) -> Answer:
    return reached(invoke("pivot_root", b"/nowhere", b"/nowhere"), "pivot_root")


@probe("kernel.io-uring", "asks for rings that do calls unseen by a filter", by="seccomp")
def io_uring(_: Config) -> Answer:
    return reached(invoke("io_uring_setup", 1, None), "io_uring_setup")


@probe("kernel.keyring", "reads the session's keyring", by="seccomp")
def keyring(_: Config) -> Answer:
    return reached(invoke("keyctl", 0, -3, 0, 0, 0), "keyctl")


@probe("kernel.add-key", "adds keys to the kernel's store", by="seccomp")
def add_key(_: Config) -> Answer:
    return reached(invoke("add_key", None, None, None, 0, 0), "add_key")


@probe("kernel.request-key", "requests keys from the kernel's store", by="seccomp")
def request_key(_: Config) -> Answer:
    return reached(invoke("request_key", None, None, None, 0), "request_key")


@probe("kernel.programs", "loads programs into the kernel (bpf)", by="seccomp")
def bpf(_: Config) -> Answer:
    return reached(invoke("bpf", 0, ctypes.create_string_buffer(64), 64), "bpf")


@probe("kernel.performance", "opens performance counters", by="seccomp")
def performance(_: Config) -> Answer:
    # type software, size 64, config dummy; kernel and hypervisor are excluded
    attributes = bytearray(64)
    struct.pack_into("IIQ", attributes, 0, 1, 64, 9)
    struct.pack_into("Q", attributes, 40, (1 << 5) | (1 << 6))
    data = ctypes.create_string_buffer(bytes(attributes), 64)
    return opened(invoke("perf_event_open", data, 0, -1, -1, 0), "a counter")


@probe("kernel.page-faults", "handles page faults itself", by="seccomp")
def page_faults(_: Config) -> Answer:
    return opened(invoke("userfaultfd", os.O_CLOEXEC | 1), "userfaultfd")


@probe("kernel.x32", "makes system calls by the numbers of x32, which filters forget", by="always")
def x32(_: Config) -> Answer:
    elsewhere = only_on("x86_64")
    if elsewhere is not None:
        return elsewhere
    return permitted(invoke_number(0x40000000 + 39), "getpid answered")


@probe("kernel.32-bit-entry", "makes system calls by the 32-bit entry, which filters forget", by="seccomp")
def entry_32(_: Config) -> Answer:
    elsewhere = only_on("x86_64")
    if elsewhere is not None:
        return elsewhere
    # push rbx; mov eax, 20 (getpid); int 0x80; pop rbx; ret
    code = bytes.fromhex("53b814000000cd805bc3")
    child = os.fork()
    if child == 0:
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        entry = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        os._exit(0 if entry() == os.getpid() else 1)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return stopped(f"ended by signal {os.WTERMSIG(status)}")
    return came_through("getpid answered") if os.WEXITSTATUS(status) == 0 else stopped("no answer")


@probe("kernel.personality", "switches off the randomness of addresses", by="seccomp")
def personality(_: Config) -> Answer:
    return permitted(invoke("personality", 0x0040000), "it was switched off")


@probe("kernel.hidden-memory", "takes memory that the kernel itself cannot see", by="seccomp")
def hidden_memory(_: Config) -> Answer:
    return opened(invoke("memfd_secret", 0), "memfd_secret")


@probe("kernel.replace", "loads another kernel (refusable arguments)")
def replace(_: Config) -> Answer:
    first = reached(invoke("kexec_load", 0, 9999, None, 0xFFFF), "kexec_load")
    return (
        first
        if first.result == "open"
        else reached(invoke("kexec_file_load", -1, -1, 0, None, 0xFFFFFFFF), "kexec_file_load")
    )


@probe("kernel.modules", "loads or removes kernel modules (refusable arguments)")
def modules(_: Config) -> Answer:
    calls = (
        ("init_module", (None, 0, b"")),
        ("finit_module", (-1, b"", 0)),
        ("delete_module", (b"verilabel_no_such_module", os.O_NONBLOCK)),
    )
    for name, arguments in calls:
        answer = reached(invoke(name, *arguments), name)
        if answer.result == "open":
            return answer
    return stopped("all three refused")


@probe("kernel.files-by-handle", "opens files by their number, past every folder")
def files_by_handle(_: Config) -> Answer:
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128), 136)
    number = ctypes.c_int()
    result = invoke("name_to_handle_at", AT_FDCWD, b"/", handle, ctypes.byref(number), 0)
    if result < 0:
        return stopped(error_name(result))
    try:
        root = os.open("/", os.O_RDONLY)
    except OSError as error:
        return refused(error)
    return opened(invoke("open_by_handle_at", root, handle, os.O_RDONLY), "the root folder")


@probe("kernel.watch-files", "watches files of others (fanotify)", by="seccomp")
def watch_files(_: Config) -> Answer:
    return opened(invoke("fanotify_init", 0x200, os.O_RDONLY), "fanotify")


@probe("kernel.restart", "restarts the machine (refusable arguments)")
def restart(_: Config) -> Answer:
    return reached(invoke("reboot", 0, 0, 0, None), "reboot")


@probe("kernel.swap", "changes where the machine swaps (refusable arguments)")
def swap(_: Config) -> Answer:
    first = reached(invoke("swapon", b"/verilabel/nowhere", 0), "swapon")
    return first if first.result == "open" else reached(invoke("swapoff", b"/verilabel/nowhere"), "swapoff")


@probe("kernel.accounting", "changes where processes are accounted (refusable arguments)")
def accounting(_: Config) -> Answer:
    return reached(invoke("acct", b"/verilabel/nowhere"), "acct")


@probe("kernel.ports", "takes the machine's ports")
def ports(_: Config) -> Answer:
    return only_on("x86_64") or permitted(invoke("iopl", 3), "all of them")


@probe("kernel.segments", "changes the segments of its memory", by="seccomp")
def segments(_: Config) -> Answer:
    return only_on("x86_64") or reached(invoke("modify_ldt", 0, None, 0), "modify_ldt")


@probe("kernel.messages", "reads the kernel's messages by a call", by="seccomp")
def messages(_: Config) -> Answer:
    return permitted(invoke("syslog", 3, ctypes.create_string_buffer(256), 256), "they were read")


@probe("kernel.name", "sets the name of the machine to what it is")
def name(_: Config) -> Answer:
    own = os.uname().nodename.encode()
    return permitted(invoke("sethostname", own, len(own)), "it was set")


@probe("kernel.landlock", "asks which version of Landlock there is", by="")
def landlock(_: Config) -> Answer:
    result = invoke_number(444, None, 0, 1)
    return told(f"version {result}" if result >= 0 else f"none to be had: {error_name(result)}")
