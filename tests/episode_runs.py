"""Episodes of small worlds, played live against a real server, for tests of agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import msgspec

from agent_worlds import SumEnvironment, sum_suite
from servers.tool_calling import Move, ToolServer, tool_server
from verilabel.evaluation.agents.replaying import Setting, check_episode
from verilabel.evaluation.agents.settings import agent_params, role_params
from verilabel.evaluation.agents.solver import AgentSolver, Surroundings
from verilabel.evaluation.agents.tasks import episode_bytes, read_episode
from verilabel.models.address import open_model
from verilabel.models.interface import Exchange, Model, ModelRequest
from verilabel.records.attempt import Attempt, body_fields
from verilabel.records.episode import Episode, output_of
from verilabel.records.system import SystemDescriptor
from verilabel.suites.loading import Suite

ADD_ONE = Move("", [("add", {"n": 1})])
ADD_TWO = Move("I add two.", [("add", {"n": 2})])


@dataclass(frozen=True)
class Played:
    """One episode with all that it is held against."""

    exchange: Exchange
    setting: Setting
    request: ModelRequest

    @property
    def episode(self) -> Episode:
        """The episode in the response."""
        return read_episode(self.exchange.response)

    @property
    def attempt(self) -> Attempt:
        """The exchange as it is kept."""
        exchange = self.exchange
        return Attempt(
            self.request.suite,
            self.request.sample,
            self.request.epoch,
            attempt=1,
            request=exchange.request.decode(),
            **body_fields(exchange.response),  # type: ignore[arg-type]
            output=exchange.output,
            finish=exchange.finish,
            served_model=exchange.served_model,
            fingerprint=exchange.fingerprint,
            usage=exchange.usage,
            failure=exchange.failure,
        )

    def check(self) -> list[str]:
        """What a verifier has to say."""
        return check_episode(self.attempt, self.setting)


def ask_for(suite: Suite, number: int = 0, **params: str | int) -> ModelRequest:
    """The request for one sample, its parameters as a solver gets them."""
    sample = suite.samples[number]
    return ModelRequest(suite.name, sample.id, 1, sample.messages, {"max_tokens": 64, **params})


async def play(
    model: Model, around: Surroundings, environment: SumEnvironment | None = None, *, number: int = 0
) -> Played:
    """Play one episode with an opened model."""
    environment, suite = environment or SumEnvironment(), sum_suite()
    request = ask_for(suite, number)
    async with AgentSolver(suite, environment, model, around) as solver:
        exchange = await solver.solve(request)
    system = SystemDescriptor(
        name="tests",
        provider_model=model.provider_model,
        identity="provider_asserted",
        params={**request.params, **agent_params(around.settings), **role_params(around.addresses)},
    )
    sample = suite.samples[number]
    setting = Setting(environment, sample, number, system, sample.messages, None)
    return Played(exchange, setting, request)


@asynccontextmanager
async def playing(
    moves: Sequence[Move], *, address: str = "vllm/tool-1"
) -> AsyncIterator[tuple[ToolServer, Model]]:
    """A server that makes these moves and a model that is behind it."""
    async with tool_server(moves) as server, open_model(address, base_url=server.url) as model:
        yield server, model


async def play_moves(
    moves: Sequence[Move],
    around: Surroundings | None = None,
    environment: SumEnvironment | None = None,
    *,
    number: int = 0,
    address: str = "vllm/tool-1",
    failures: Sequence[Move] = (),
) -> Played:
    """Play one episode against a server that makes these moves, after these failures."""
    async with playing(moves, address=address) as (server, model):
        server.failures[:] = failures
        return await play(model, around or Surroundings(), environment, number=number)


def changed(played: Played, episode: Episode) -> Played:
    """The same attempt with another episode in its response, its output following from it."""

    output = None if played.exchange.output is None else output_of(episode)
    exchange = msgspec.structs.replace(played.exchange, response=episode_bytes(episode), output=output)
    return replace(played, exchange=exchange)
