"""Choosing a provider: what can be had here, and a refusal rather than less than was asked for."""

from __future__ import annotations

import ast
import os

import pytest

from boxes import NOBODY, REPOSITORY, UID, needs_box, opened
from verilabel.errors import ExitStatus, LimitExceeded, SandboxError
from verilabel.sandbox.interface import BoxSpec, Limits
from verilabel.sandbox.opening import LEAST, PROVIDERS, available, open_box

PLAIN = BoxSpec(provider="process", at_least="C0", uid=UID)


def test_every_provider_says_whether_it_can() -> None:
    objections = available(BoxSpec(uid=UID, at_least="C0"))

    assert list(PROVIDERS) == list(objections)
    assert objections["process"] is None


def test_none_can_where_a_machine_of_its_own_is_asked_for() -> None:
    assert all(available(BoxSpec(uid=UID, at_least="C5")).values())


async def test_plain_processes_are_never_taken_where_containment_is_asked_for() -> None:
    with pytest.raises(SandboxError, match="contains nothing") as refused:
        await open_box(BoxSpec(provider="process", uid=UID))

    assert ExitStatus.SANDBOX == refused.value.status


async def test_a_refusal_says_of_each_provider_why() -> None:
    with pytest.raises(SandboxError) as refused:
        await open_box(BoxSpec(uid=UID, at_least="C5"))

    assert all(f"{name}:" in refused.value.message for name in PROVIDERS)


async def test_an_unknown_provider_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(SandboxError) as refused:
        await open_box(BoxSpec(provider="docker-in-a-hat", uid=UID))

    assert "bubblewrap" in str(refused.value.hint)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(memory=2**20),
        Limits(pids=1),
        Limits(cpus=0.0),
        Limits(cpus=float("nan")),
        Limits(disk=-1),
        Limits(output=-1),
        Limits(memory=2**60),
    ],
)
async def test_limits_in_which_nothing_could_start_are_refused_by_name(limits: Limits) -> None:
    with pytest.raises(SandboxError) as refused:
        await open_box(BoxSpec(uid=UID, limits=limits))

    assert str(refused.value.where).startswith("$.limits.")


@needs_box
async def test_the_least_limits_are_enough_to_run_a_program() -> None:
    least = Limits(**LEAST)
    async with opened(BoxSpec(uid=UID, limits=least)) as box:
        assert 0 == (await box.exec(["true"])).exit_status


@pytest.mark.skipif(os.geteuid() != 0, reason="this is about root")
@pytest.mark.parametrize("provider", ["auto", "bubblewrap", "process"])
async def test_nothing_is_opened_by_root_as_root(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VERILABEL_SANDBOX_UID", raising=False)

    with pytest.raises(SandboxError, match="never run as root"):
        await open_box(BoxSpec(provider=provider, at_least="C0"))


@needs_box
async def test_the_example_of_the_page_about_boxes_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERILABEL_SANDBOX_UID", str(NOBODY))
    page = (REPOSITORY / "docs" / "sandbox.md").read_text("utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    names: dict[str, object] = {}

    await eval(compile(example, "sandbox.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)

    assert names["result"].exit_status == 0  # type: ignore[attr-defined]


@needs_box
async def test_auto_takes_the_box() -> None:
    async with opened(BoxSpec(uid=UID)) as box:
        assert box.containment.provider.startswith("bubblewrap")


async def test_plain_processes_say_that_they_contain_nothing_and_work_otherwise_alike() -> None:
    async with opened(PLAIN) as box:
        await box.write_file("a.txt", b"abc")
        result = await box.exec(["sh", "-c", "cat a.txt; env; exit 3"], env={"ONE": "1"})
        late = await box.exec(["sh", "-c", "setsid sleep 1000 & sleep 1001"], timeout_s=0.3)
        process = await box.start(["cat"])
        await process.write_line(b"line")

        assert ("C0", 3) == (box.containment.level, result.exit_status)
        assert "none" in box.containment.lacking[0]
        assert result.stdout.startswith(b"abc") and b"ONE=1" in result.stdout
        assert (-9, True) == (late.exit_status, late.timed_out)
        assert b"line" == await process.read_line()
        assert b"abc" == await box.read_file("a.txt")
        with pytest.raises(LimitExceeded):
            await box.read_file("a.txt", max_bytes=2)
        with pytest.raises(FileNotFoundError):
            await box.read_file("b.txt")
        await process.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_plain_processes_of_root_run_as_the_user_that_was_named() -> None:
    async with opened(PLAIN) as box:
        said = (await box.exec(["sh", "-c", "id -u; id -G; cat /etc/shadow"])).stdout.split()

    assert [b"65534", b"65534"] == said
