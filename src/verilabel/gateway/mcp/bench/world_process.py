"""The process in which a world runs, spoken to by lines; what it says is believed no further than its form."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from verilabel.errors import LimitExceeded, SandboxError
from verilabel.gateway.mcp.bench.interface import Begun, CaseName, Offered, Opened, Over, Returned, Said
from verilabel.sandbox.process import Process, small_environment, start_process

LINE_TIMEOUT_S = 300.0
MAX_CALLS = 10_000
"""Of one case: a world that offers more is broken."""
FIXED = {"PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
"""Sets are walked in the same order every time, and no module is taken from where the world's program lies."""

T = TypeVar("T", bound=Said)
_READER: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


class Player(Protocol):
    """Who decides about the calls of one case."""

    def begin(self, prompt: str) -> None:
        """Learn what the person asked for."""
        ...

    def prepare(self, offered: Offered) -> Sequence[Offered]:
        """Calls that are made before one, where they are let through."""
        ...

    def decide(self, offered: Offered) -> bool:
        """Whether a call is to be carried out."""
        ...

    def note(self, returned: Returned) -> None:
        """Learn what the call that was carried out returned."""
        ...


class WorldProcess:
    """A running world. Made by `open_world`; end it with `close`."""

    def __init__(self, process: Process, opened: Opened) -> None:
        self._process = process
        self.opened = opened

    async def play(self, case: CaseName, player: Player) -> Over:
        """Play one case to its end. Raises SandboxError where the world breaks off or is out of step."""
        order = {
            "do": "begin",
            "suite": case.suite,
            "user_task": case.user_task,
            "attack": case.attack or None,
        }
        await _say(self._process, order)
        player.begin((await _hear(self._process, Begun)).prompt)
        for _ in range(MAX_CALLS):
            said = await _hear_any(self._process)
            if isinstance(said, Over):
                return said
            if not isinstance(said, Offered):
                raise _out_of_step(self._process)
            for attempt in player.prepare(said):
                if player.decide(attempt):
                    arguments = {"tool": attempt.tool, "arguments": attempt.arguments}
                    await _say(self._process, {"do": "try", **arguments})
                    player.note(await _hear(self._process, Returned))
            if player.decide(said):
                await _say(self._process, {"do": "carry_out"})
                player.note(await _hear(self._process, Returned))
            else:
                await _say(self._process, {"do": "skip"})
        raise SandboxError(f"a case has more than {MAX_CALLS} calls", where=case.user_task)

    async def close(self) -> None:
        """End the process."""
        await self._process.stop()


async def open_world(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> WorldProcess:
    """Start a world. Raises SandboxError where it cannot be started or does not open."""
    process = await start_process(argv, env={**small_environment(environ=environ), **FIXED})
    try:
        return WorldProcess(process, await _hear(process, Opened))
    except BaseException:
        await process.stop()
        raise


async def _say(process: Process, message: Mapping[str, Any]) -> None:
    await process.write_line(msgspec.json.encode(message))


async def _hear(process: Process, kind: type[T]) -> T:
    said = await _hear_any(process)
    if not isinstance(said, kind):
        raise _out_of_step(process)
    return said


async def _hear_any(process: Process) -> Said:
    try:
        line = await asyncio.wait_for(process.read_line(), LINE_TIMEOUT_S)
    except TimeoutError:
        raise SandboxError(
            f"the world says nothing for {LINE_TIMEOUT_S:.0f} s", where=process.program
        ) from None
    except LimitExceeded as error:
        raise SandboxError("the world says more than a line may hold", where=process.program) from error
    if line is None:
        last = process.stderr_tail.strip().rpartition("\n")[2]
        if last.startswith("ModuleNotFoundError"):
            raise SandboxError(
                f"this interpreter lacks what AgentDojo needs ({last[:200]})",
                where=process.program,
                hint="pip install 'verilabel[agentdojo]' for it, or name another with --python",
            )
        raise SandboxError("the world ended before its time", where=process.program, hint=last[:300] or None)
    try:
        return _READER.decode(line)
    except (msgspec.DecodeError, RecursionError):
        raise SandboxError("the world says something else than was agreed", where=process.program) from None


def _out_of_step(process: Process) -> SandboxError:
    return SandboxError("the world is out of step", where=process.program)
