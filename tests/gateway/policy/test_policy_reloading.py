"""Reloading: a change is noticed when it is whole, and what is wrong keeps the last good one in force."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from verilabel.errors import MalformedInput
from verilabel.gateway.policy.reading import load_policy
from verilabel.gateway.policy.reloading import Watcher

GOOD = "policy: mine\nversion: '{}'\n"


class Holder:
    """What a gateway would hold: the policy in force, swapped in by `rebuild`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = load_policy(path).policy.version
        self.tries = 0
        self.done = asyncio.Event()

    async def rebuild(self) -> None:
        self.tries += 1
        self.version = load_policy(self.path).policy.version
        self.done.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD.format(1))
    return path


def write(path: Path, text: str) -> None:
    """As an editor does it that writes in place."""
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


def write_with_the_same_time(path: Path, text: str) -> None:
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def watch(path: Path, files: Callable[[], list[Path]] | None = None) -> tuple[Holder, Watcher]:
    holder = Holder(path)
    return holder, Watcher(holder.rebuild, files or (lambda: [path]))


async def test_a_change_is_put_in_force_when_two_looks_see_the_same(path: Path) -> None:
    holder, watcher = watch(path)
    assert not await watcher.look()
    write(path, GOOD.format(2))
    assert not await watcher.look()
    assert watcher.state().is_pending
    assert await watcher.look()
    assert ("2", 1, False) == (holder.version, watcher.state().reloads, watcher.state().is_pending)
    assert not await watcher.look()


async def test_a_file_that_is_still_being_written_is_waited_for(path: Path) -> None:
    holder, watcher = watch(path)
    for half in ("pol", "policy: mi", "policy: mine\nver"):
        write(path, half)
        assert not await watcher.look()
    write(path, GOOD.format(2))
    assert not await watcher.look()
    assert await watcher.look()
    assert (1, "2", 0) == (holder.tries, holder.version, watcher.state().failures)


async def test_a_broken_policy_leaves_the_last_good_one_in_force_and_says_why(path: Path) -> None:
    holder, watcher = watch(path)
    write(path, GOOD.format(2) + "gards: []\n")
    for _ in range(4):
        assert not await watcher.look()
    state = watcher.state()
    assert ("1", 1, 1) == (holder.version, holder.tries, state.failures)
    assert ("unknown word 'gards'", f"{path}: $.gards") == (state.error, state.error_where)
    write(path, GOOD.format(3))
    await watcher.look()
    assert await watcher.look()
    assert ("3", None, 1, 1) == (
        holder.version,
        watcher.state().error,
        watcher.state().reloads,
        watcher.state().failures,
    )


async def test_going_back_to_what_is_in_force_after_a_mistake_clears_the_error(path: Path) -> None:
    _, watcher = watch(path)
    write(path, "{")
    await watcher.look()
    await watcher.look()
    write(path, GOOD.format(1))
    await watcher.look()
    assert await watcher.look()
    assert watcher.state().error is None


async def test_a_file_that_goes_away_is_an_error_and_its_return_a_reload(path: Path) -> None:
    holder, watcher = watch(path)
    remove(path)
    await watcher.look()
    assert not await watcher.look()
    assert ("1", "there is no such policy") == (holder.version, watcher.state().error)
    write(path, GOOD.format(2))
    await watcher.look()
    assert await watcher.look()
    assert "2" == holder.version


async def test_a_change_that_keeps_size_and_time_is_noticed(path: Path) -> None:
    holder, watcher = watch(path)
    write_with_the_same_time(path, GOOD.format(2))
    await watcher.look()
    assert await watcher.look()
    assert "2" == holder.version


async def test_a_file_that_is_only_touched_is_not_read_again(path: Path) -> None:
    holder, watcher = watch(path)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    for _ in range(3):
        assert not await watcher.look()
    assert 0 == holder.tries


async def test_a_reload_that_is_asked_for_is_done_at_once_and_without_a_change(path: Path) -> None:
    holder, watcher = watch(path)
    watcher.ask()
    assert await watcher.look()
    assert 1 == holder.tries
    assert not await watcher.look()


async def test_files_that_the_new_configuration_names_are_watched_from_then_on(
    path: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second.yaml"
    named = [path]
    holder, watcher = watch(path, lambda: list(named))
    write(second, "a")
    assert not await watcher.look()
    named.append(second)
    write(path, GOOD.format(2))
    await watcher.look()
    assert await watcher.look()
    write(second, "b")
    await watcher.look()
    assert await watcher.look()
    assert 2 == holder.tries


async def test_a_change_between_reading_and_watching_is_noticed(path: Path) -> None:
    read = load_policy(path)
    write(path, GOOD.format(2))
    holder = Holder(path)
    watcher = Watcher(holder.rebuild, lambda: [path], known={path: read.digest})
    assert await watcher.look()
    assert ("2", 1) == (holder.version, holder.tries)
    assert not await watcher.look()


async def test_nothing_that_rebuilding_raises_ends_the_watching(path: Path) -> None:
    errors: list[Exception] = [
        MalformedInput("wrong", where="x"),
        FileNotFoundError(2, "gone", "words.txt"),
        RuntimeError("content of a request"),
    ]

    async def rebuild() -> None:
        if errors:
            raise errors.pop(0)

    watcher = Watcher(rebuild, lambda: [path])
    said = []
    for _ in range(4):
        watcher.ask()
        await watcher.look()
        said.append((watcher.state().error, watcher.state().error_where))
    expected = [("wrong", "x"), ("gone", "words.txt"), ("RuntimeError while building", None), (None, None)]
    assert expected == said
    assert (1, 3) == (watcher.state().reloads, watcher.state().failures)


async def test_a_running_watcher_puts_a_change_in_force_and_ends_when_cancelled(path: Path) -> None:
    holder = Holder(path)
    watcher = Watcher(holder.rebuild, lambda: [path], every_s=0.01)
    running = asyncio.create_task(watcher.run())
    write(path, GOOD.format(2))
    await asyncio.wait_for(holder.done.wait(), 20)
    assert "2" == holder.version
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
