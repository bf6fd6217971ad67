"""One run of the bench: what was asked for, the mock upstream, who is measured, and what could not be."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from verilabel.errors import ModelError
from verilabel.gateway_bench.contenders import GROUPS, Contender, Place, Running, missing, running
from verilabel.gateway_bench.exchange import Exchanger, request_bytes
from verilabel.gateway_bench.load import Done, Work
from verilabel.gateway_bench.programs import Server, own_module, pinned, run_program, serving, two_cpus
from verilabel.gateway_bench.scenario import Scenario

Say = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the run was asked for. `quick` takes small numbers, to see that everything works."""

    sections: tuple[str, ...]
    rivals: tuple[str, ...] = GROUPS
    rivals_python: Path | None = None
    quick: bool = False
    rounds: int = 3
    seed: int = 1


class Bench:
    """The run: its folder, its CPUs, its upstream. Made by `open_bench`."""

    def __init__(self, options: Options, folder: Path, cpus: tuple[int, int], mock: Server, say: Say) -> None:
        self.options = options
        self.folder = folder
        self.gateway_cpu, self.load_cpu = cpus
        self.mock = mock
        self.say = say
        self._notes: list[str] = []
        self._control = Exchanger(mock.url)

    @property
    def place(self) -> Place:
        """Where contenders are started."""
        return Place(
            folder=self.folder,
            cpu=self.gateway_cpu,
            upstream=self.mock.url,
            rivals_python=self.options.rivals_python,
        )

    async def set_scenario(self, scenario: Scenario) -> None:
        """Let the upstream answer so from now on."""
        body = msgspec.json.encode(scenario)
        reply = await self._control.send(request_bytes(self.mock.url, "/scenario", body, method="PUT"))
        if reply.status != 200:
            raise ModelError("the mock upstream takes no scenario", where=self.mock.url)

    async def count_asked(self) -> int:
        """How many requests the upstream has been sent."""
        reply = await self._control.send(request_bytes(self.mock.url, "/seen", b"", method="GET"))
        count: int = msgspec.json.decode(reply.body)["requests"]
        return count

    @contextlib.asynccontextmanager
    async def running(self, contender: Contender) -> AsyncIterator[Running]:
        """A contender that answers; progress is said."""
        self.say(f"  {contender.name}")
        async with running(contender, self.place, self.mock) as found:
            yield found

    def can_start(self, contender: Contender) -> bool:
        """True if what the contender needs is installed; else it is noted that it was not measured."""
        lacking = missing(contender, self.options.rivals_python)
        if lacking is not None:
            self.skip(contender, lacking)
        return lacking is None

    def skip(self, contender: Contender, reason: str) -> None:
        """Note that a contender was not measured, and why."""
        self.note(f"{contender.name} was not measured: {reason}")

    def note(self, text: str) -> None:
        """Something that readers of the section must know."""
        if text not in self._notes:
            self._notes.append(text)

    def take_notes(self) -> tuple[str, ...]:
        """The notes since the last section."""
        notes, self._notes = tuple(self._notes), []
        return notes

    async def load(self, work: Work) -> Done:
        """Carry out work from a program of its own on the load's CPU."""
        command = own_module("load", msgspec.json.encode(work).decode())
        printed = await run_program(command, folder=self.folder, cpu=self.load_cpu)
        return msgspec.json.decode(printed, type=Done)

    def close(self) -> None:
        """Close the line to the upstream."""
        self._control.close()


@contextlib.asynccontextmanager
async def open_bench(options: Options, folder: Path, say: Say) -> AsyncIterator[Bench]:
    """A run with its upstream, on the CPU of the load. Raises SandboxError where the upstream does not start."""
    cpus = two_cpus()
    mock = serving("the mock upstream", own_module("mock"), folder=folder, cpu=cpus[1], health="/v1/models")
    with pinned(cpus[1]):
        async with mock as server:
            bench = Bench(options, folder, cpus, server, say)
            try:
                yield bench
            finally:
                bench.close()
