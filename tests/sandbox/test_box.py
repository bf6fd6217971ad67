"""The box as those see it who run programs in it: what they may do, what they see, what comes back."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from boxes import REPOSITORY, SPEC, UID, needs_box, opened
from verilabel.errors import LimitExceeded, SandboxError
from verilabel.sandbox.interface import Box, BoxSpec, Limits, Mount
from verilabel.sandbox.opening import open_box

pytestmark = needs_box


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    async with opened() as box:
        yield box


@pytest.fixture(scope="module")
def shared() -> Iterator[Box]:
    """One box for what leaves no trace in it: a box is bound to no event loop."""
    box = asyncio.run(open_box(SPEC))
    yield box
    asyncio.run(box.close())


async def shell(box: Box, text: str, **options: object) -> str:
    result = await box.exec(["sh", "-c", text], **options)  # type: ignore[arg-type]
    return (result.stdout + result.stderr).decode()


async def test_a_program_gets_its_input_and_its_output_and_status_come_back(shared: Box) -> None:
    result = await shared.exec(["sh", "-c", "rev; echo oops >&2; exit 7"], stdin=b"abc\n")

    assert (7, b"cba\n", b"oops\n") == (result.exit_status, result.stdout, result.stderr)
    assert (4, 5, False) == (result.stdout_total, result.stderr_total, result.timed_out)


async def test_a_signal_that_ends_a_program_is_a_negative_status(shared: Box) -> None:
    assert -15 == (await shared.exec(["sh", "-c", "kill -TERM $$"])).exit_status


async def test_a_program_that_is_not_there_ends_with_127_and_one_that_cannot_run_with_126(
    shared: Box,
) -> None:
    missing = await shared.exec(["no-such-program"])
    folder = await shared.exec(["/usr"])

    assert (127, 126) == (missing.exit_status, folder.exit_status)
    assert b"no-such-program" in missing.stderr


async def test_input_larger_than_any_pipe_arrives_whole(shared: Box) -> None:
    result = await shared.exec(["wc", "-c"], stdin=b"x" * 5_000_000)

    assert b"5000000\n" == result.stdout


async def test_a_program_that_does_not_read_its_input_is_no_trouble(shared: Box) -> None:
    result = await shared.exec(["true"], stdin=b"x" * 5_000_000)

    assert 0 == result.exit_status


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("seq 1000 | sort -rn | head -1", "1000"),
        ("python3 -c 'import multiprocessing as m; print(m.Pool(2).map(abs, [1, -2]))'", "[1, 2]"),
        ("node -e 'console.log([3].map(x => x * 2))'", "[ 6 ]"),
        ("echo 'int main(){return 42;}' > a.c && gcc a.c && ./a.out; echo $?", "42"),
        (
            "git init -q r && cd r && git config user.email a@b.example && git config user.name a && echo 1 > f && "
            "git add f && git commit -qm first && git clone -q . ../s && ls ../s",
            "f",
        ),
        ("echo error > /dev/stderr", "error"),
        ("script -qc 'echo terminal' /dev/null", "terminal"),
        ("mkfifo p && (echo through > p &) && cat p", "through"),
        ("sync && echo synced", "synced"),
        ("python3 -c 'import socket; a, b = socket.socketpair(); a.send(b\"x\"); print(b.recv(1))'", "b'x'"),
    ],
)
async def test_ordinary_work_goes_on_in_a_box(shared: Box, program: str, expected: str) -> None:
    for name in ("python3", "node", "gcc", "git", "script"):
        if name in program and (await shared.exec(["sh", "-c", f"command -v {name}"])).exit_status:
            pytest.skip(f"{name} is not installed here")

    assert expected == (await shell(shared, program)).strip()


async def test_programs_are_an_ordinary_user_of_an_ordinary_machine(shared: Box) -> None:
    said = await shell(
        shared, "id -un; hostname; pwd; echo $HOME; echo ~box; cat /proc/self/cgroup | sort -u | tail -1"
    )

    assert ["box", "box", "/box", "/box", "/box"] == said.split()[:5]
    assert "verilabel" not in said


async def test_a_box_shows_nothing_of_the_host_but_usr(box: Box, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("planted")

    seen = set((await shell(box, "ls /")).split())

    assert seen <= {
        "bin",
        "box",
        "dev",
        "etc",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "proc",
        "sbin",
        "tmp",
        "usr",
    }
    assert "No such file" in await shell(box, f"cat {tmp_path / 'secret'}")


async def test_no_path_and_no_variable_of_the_host_is_read_in_the_list_of_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    async with opened() as box:
        listed = await shell(box, "cat /proc/*/cmdline /proc/*/environ /proc/*/comm | tr '\\0' '\\n'; ps -ef")

    assert "PATH=" in listed
    assert "sk-planted" not in listed
    assert str(REPOSITORY) not in listed and "bwrap" not in listed


async def test_the_kernels_switches_cannot_be_turned(shared: Box) -> None:
    for switch in ("kernel/core_pattern", "kernel/hostname", "vm/overcommit_memory"):
        assert "denied" in await shell(shared, f"echo x > /proc/sys/{switch}") or "Read-only" in await shell(
            shared, f"echo x > /proc/sys/{switch}"
        )


@pytest.mark.parametrize(
    "attempt",
    [
        "unshare --user true",
        "unshare --mount true",
        "mount -t tmpfs x /tmp",
        "chroot /tmp true",
        "touch /usr/x",
        "touch /dev/x",
        "touch /x",
        "touch /etc/x",
        "mknod /tmp/d c 1 3",
        "nsenter -t 1 -m true",
        "python3 -c 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)'",
        "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 22), 1)'",
        "python3 -c 'import os; os.setuid(0)'",
        "python3 -c 'import fcntl; fcntl.ioctl(0, 0x5412, b\"x\")'",
    ],
)
async def test_what_leads_out_is_refused(shared: Box, attempt: str) -> None:
    assert 0 != (await shared.exec(["sh", "-c", attempt])).exit_status


async def test_variables_reach_the_program_and_no_others() -> None:
    async with opened(env={"ONE": "1"}) as box:
        names = await shell(box, "env | sort", env={"TWO": "2"})

    assert {"ONE=1", "TWO=2"} <= set(names.split())
    assert {"ONE", "TWO", "PATH", "HOME", "LANG", "TMPDIR", "USER", "LOGNAME", "PWD"} >= {
        line.partition("=")[0] for line in names.split()
    } - {"OLDPWD", "SHLVL", "_"}


async def test_a_mount_is_seen_and_not_written(tmp_path: Path) -> None:
    shared = Path("/usr/share") if os.geteuid() == 0 else tmp_path
    async with opened(mounts=(Mount(source=str(shared), target="/opt/data/here"),)) as box:
        said = await shell(box, "ls -d /opt/data/here; touch /opt/data/here/x && echo written")

    assert said.startswith("/opt/data/here")
    assert "written" not in said


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("/proc", "/opt/x"),
        ("/", "/opt/x"),
        ("/usr/share", "/proc/x"),
        ("/usr/share", "/"),
        ("/usr/share", "opt"),
        ("/no/such/place", "/opt/x"),
        ("/usr/share", "/opt/../usr/x"),
        ("relative", "/opt/x"),
    ],
)
async def test_a_mount_that_cannot_be_is_refused(source: str, target: str) -> None:
    with pytest.raises(SandboxError):
        async with opened(mounts=(Mount(source=source, target=target),)):
            raise AssertionError("it was mounted")


async def test_the_work_folder_is_where_relative_paths_and_programs_begin(box: Box) -> None:
    await box.write_file("a/b.txt", b"text")

    assert b"text" == await box.read_file("/box/a/b.txt")
    assert "b.txt" == (await shell(box, "ls", cwd="a")).strip()


async def test_a_file_comes_back_as_it_was_written(box: Box) -> None:
    content = bytes(range(256)) * 3000

    await box.write_file("deep/er/x.bin", content)

    assert content == await box.read_file("deep/er/x.bin")


async def test_only_plain_files_of_bounded_size_are_read(box: Box) -> None:
    await shell(
        box, "mkdir d; mkfifo p; ln -s /etc/passwd link; head -c 2000 /dev/zero > big; echo > u; chmod 0 u"
    )

    with pytest.raises(FileNotFoundError):
        await box.read_file("nothing")
    with pytest.raises(FileNotFoundError):
        await box.read_file("big/below")
    with pytest.raises(IsADirectoryError):
        await box.read_file("d")
    for name in ("link", "p", "/dev/zero", "u"):
        with pytest.raises(PermissionError):
            await box.read_file(name)
    with pytest.raises(LimitExceeded):
        await box.read_file("big", max_bytes=1999)
    assert 2000 == len(await box.read_file("big", max_bytes=2000))


async def test_a_file_of_ten_gigabytes_of_nothing_is_refused_at_once() -> None:
    async with opened(limits=Limits(disk=16 * 2**30)) as box:
        await box.exec(["truncate", "-s", "10G", "sparse"])
        with pytest.raises(LimitExceeded):
            await box.read_file("sparse")


async def test_a_link_out_of_the_box_leads_nowhere(box: Box, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("planted")
    await box.exec(["ln", "-s", str(tmp_path), "out"])

    with pytest.raises(FileNotFoundError):
        await box.read_file("out/secret")
    with pytest.raises(SandboxError):
        await box.write_file("out/secret", b"changed")
    assert "planted" == (tmp_path / "secret").read_text()


@pytest.mark.parametrize("path", ["/usr/x", "/dev/full", "folder", "pipe", "link", "a\0b", ""])
async def test_what_cannot_be_written_says_so(box: Box, path: str) -> None:
    await shell(box, "mkdir folder; mkfifo pipe; ln -s /usr/x link")

    with pytest.raises(SandboxError):
        await box.write_file(path, b"data")


@pytest.mark.parametrize("argv", [[], [""], ["a\0b"]])
async def test_an_argument_list_that_is_none_is_refused(shared: Box, argv: list[str]) -> None:
    with pytest.raises(SandboxError):
        await shared.exec(argv)


async def test_arguments_are_never_shell_text(box: Box) -> None:
    awkward = "; touch /box/x $(id) 'é\udc80"

    result = await box.exec(["printf", "%s", awkward])

    assert os.fsencode(awkward) == result.stdout
    assert "" == await shell(box, "ls /box")


async def test_a_started_program_is_spoken_to_by_lines(shared: Box) -> None:
    process = await shared.start(["cat"])
    await process.write_line(b"hello")

    assert b"hello" == await process.read_line()
    await process.stop()
    assert process.exit_status in (0, -15)


async def test_what_a_started_program_says_on_standard_error_is_kept(shared: Box) -> None:
    process = await shared.start(["sh", "-c", "echo trouble >&2; echo; exit 3"])
    await process.read_line()

    assert 3 == await process.wait()
    await process.stop()
    assert "trouble\n" == process.stderr_tail


async def test_stopping_a_started_program_ends_all_it_started(box: Box) -> None:
    process = await box.start(
        ["sh", "-c", "trap '' TERM; setsid sleep 1000 & echo up; while :; do sleep 1; done"]
    )
    await process.read_line()

    assert -9 == await process.stop(grace_s=0.1)
    assert "sleep" not in await shell(box, "ps -e -o comm")


async def test_a_started_program_ends_with_its_box() -> None:
    async with opened() as box:
        process = await box.start(["cat"])

    assert -9 == await process.wait()
    await process.stop()


async def test_many_programs_run_at_once(shared: Box) -> None:
    results = await asyncio.gather(*(shared.exec(["sh", "-c", f"sleep 0.05; echo {n}"]) for n in range(20)))

    assert [f"{n}\n".encode() for n in range(20)] == [result.stdout for result in results]


async def test_one_box_serves_event_loops_of_several_threads(shared: Box) -> None:
    answers: list[bytes] = []

    def work() -> None:
        answers.append(asyncio.run(shared.exec(["echo", "from a thread"])).stdout)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])

    assert [b"from a thread\n"] * 4 == answers


def test_a_box_opened_in_a_thread_outlives_that_thread() -> None:
    boxes: list[Box] = []

    async def open_one() -> None:
        boxes.append(await open_box(SPEC))

    thread = threading.Thread(target=lambda: asyncio.run(open_one()))
    thread.start()
    thread.join()

    async def use() -> bytes:
        result = await boxes[0].exec(["echo", "still here"])
        await boxes[0].close()
        return result.stdout

    assert b"still here\n" == asyncio.run(use())


async def test_a_closed_box_refuses_and_closing_twice_is_closing_once(box: Box) -> None:
    await box.close()
    await box.close()

    with pytest.raises(SandboxError):
        await box.exec(["true"])


async def test_the_containment_that_is_recorded_is_the_one_the_kernel_shows(box: Box) -> None:
    status = dict(
        line.split(":\t")
        for line in (await shell(box, "cat /proc/self/status")).splitlines()
        if ":\t" in line
    )

    assert box.containment.level in ("C2", "C3")
    assert ("cgroup" in " ".join(box.containment.means).replace("cgroupns", "")) == (
        box.containment.level == "C3"
    )
    assert ("2", "1", 0) == (status["Seccomp"], status["NoNewPrivs"], int(status["CapBnd"], 16))
    assert box.containment.provider.startswith("bubblewrap ")
    json.dumps(box.containment.means)


async def test_a_box_that_contains_less_than_asked_for_is_not_opened() -> None:
    for spec in (BoxSpec(uid=UID, at_least="C5"), BoxSpec(provider="bubblewrap", uid=UID, at_least="C4")):
        with pytest.raises(SandboxError, match=spec.at_least):
            async with opened(spec):
                raise AssertionError("it was opened")
