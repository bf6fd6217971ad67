"""The filter of system calls on each machine: what it lets through and what not, judged by a small BPF interpreter."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.sandbox.filter import ARCHITECTURES, filter_for, listed_calls

ALLOW, EPERM, ENOSYS, EAFNOSUPPORT, DONE = 0x7FFF0000, 0x50001, 0x50026, 0x50061, 0x50000
KILL = 0x80000000
machines = pytest.mark.parametrize("machine", list(ARCHITECTURES))


def judge(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the filter says of one call: classic BPF over `struct seccomp_data`, written for this test alone."""
    program = filter_for(machine)
    assert program is not None
    token = ARCHITECTURES[machine] if architecture is None else architecture
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, token, 0, *(argument & (2**64 - 1) for argument in padded))
    instructions = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator = counter = 0
    while True:
        code, if_true, if_false, constant = instructions[counter]
        counter += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif code == 0x54:
            accumulator &= constant
        elif code == 0x05:
            counter += constant
        elif code == 0x06:
            return constant
        else:
            holds = {
                0x15: accumulator == constant,
                0x35: accumulator >= constant,
                0x45: bool(accumulator & constant),
            }
            counter += if_true if holds[code] else if_false


def number_of(machine: str, name: str) -> int:
    return next(number for number, (called, _) in listed_calls(machine).items() if called == name)


@machines
def test_every_number_is_judged_as_the_list_says(machine: str) -> None:
    listed = listed_calls(machine)
    for number in range(max(listed) + 1):
        rule = listed[number][1] if number in listed else "refuse"
        if rule in ("allow", "refuse", "absent", "pretend"):
            expected = {"allow": ALLOW, "refuse": EPERM, "absent": ENOSYS, "pretend": DONE}[rule]
            assert expected == judge(machine, number), number


@machines
@given(number=st.integers(470, 2**32 - 1))
def test_numbers_beyond_the_list_do_not_exist_for_a_box(machine: str, number: int) -> None:
    assert ENOSYS == judge(machine, number)


@given(number=st.integers(0, 600))
def test_the_x32_way_of_calling_is_closed(number: int) -> None:
    assert ENOSYS == judge("x86_64", number | 0x40000000)


@machines
@given(token=st.integers(0, 2**32 - 1), number=st.integers(0, 500))
def test_calls_of_another_architecture_end_the_process(machine: str, token: int, number: int) -> None:
    if token != ARCHITECTURES[machine]:
        assert KILL == judge(machine, number, architecture=token)


@machines
@given(flags=st.integers(0, 2**64 - 1))
def test_no_clone_makes_a_namespace(machine: str, flags: int) -> None:
    expected = EPERM if flags & 0x7E020000 else ALLOW
    assert expected == judge(machine, number_of(machine, "clone"), flags)


@machines
@given(
    family=st.integers(0, 45),
    kind=st.integers(0, 10),
    flags=st.sampled_from([0, 0o2000000, 0o4000]),
    protocol=st.integers(0, 300),
)
def test_only_ordinary_sockets_are_made(
    machine: str, family: int, kind: int, flags: int, protocol: int
) -> None:
    answer = judge(machine, number_of(machine, "socket"), family, kind | flags, protocol)

    if family not in (1, 2, 10):
        assert EAFNOSUPPORT == answer
    else:
        assert (ALLOW if kind in (1, 2, 5) and protocol in (0, 6, 17) else EPERM) == answer


@machines
@given(request=st.integers(0, 2**64 - 1))
def test_only_injections_into_terminals_are_refused_of_ioctl(machine: str, request: int) -> None:
    bad = (request & 0xFFFFFFFF) in (0x5412, 0x541C, 0x541D, 0x5423)
    assert (EPERM if bad else ALLOW) == judge(machine, number_of(machine, "ioctl"), 0, request)


@machines
@pytest.mark.parametrize("request_number", [0x5412, 0x541C, 0x541D, 0x5423, 0x7FFFFFFF00005412])
def test_injections_into_terminals_are_refused(machine: str, request_number: int) -> None:
    assert EPERM == judge(machine, number_of(machine, "ioctl"), 0, request_number)


@machines
@pytest.mark.parametrize(
    ("kind", "answer"), [(0o010000, ALLOW), (0o100000, ALLOW), (0o060000, EPERM), (0o020000, EPERM)]
)
def test_pipes_are_made_and_devices_are_not(machine: str, kind: int, answer: int) -> None:
    assert answer == judge(machine, number_of(machine, "mknodat"), 0, 0, kind | 0o644)


@machines
def test_what_leads_out_of_a_box_is_not_on_the_list(machine: str) -> None:
    names = {name for name, _ in listed_calls(machine).values()}
    forbidden = """
        ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd mount umount2 pivot_root chroot move_mount open_tree
        fsopen fsconfig fsmount fspick mount_setattr unshare setns bpf perf_event_open userfaultfd io_uring_setup
        io_uring_enter io_uring_register keyctl add_key request_key kexec_load kexec_file_load init_module finit_module
        delete_module reboot swapon swapoff acct quotactl syslog sethostname setdomainname settimeofday clock_settime
        adjtimex iopl ioperm modify_ldt open_by_handle_at name_to_handle_at fanotify_init mbind migrate_pages move_pages
        memfd_create memfd_secret shmget msgget semget mq_open vmsplice process_madvise sched_setaffinity
    """
    assert not names & set(forbidden.split())


def test_the_numbers_are_those_of_this_machines_kernel_headers() -> None:
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.is_file():
        pytest.skip(f"no kernel headers at {header}")
    lines = [line.split() for line in header.read_text().splitlines() if line.startswith("#define __NR_")]
    known = {name.removeprefix("__NR_"): int(number) for _, name, number in lines}

    for number, (name, _) in listed_calls("x86_64").items():
        if name in known:
            assert known[name] == number


def test_a_machine_whose_calls_are_not_known_has_no_filter() -> None:
    assert filter_for("riscv64") is None
