"""A recorded episode played again, event by event: did the agent get this task, and did these things follow?

1. the request is the task that the suite's sample, the descriptor and the environment make, and nothing else;
2. the player is run again; each of its needs must be met by the next recorded event:
   a question's body is what the codec writes for the turns so far, and the response says what the event says;
   a program is the one that the world wants run; a call is the one that the model made;
   what the world gives itself must be what is recorded;
3. the ending, the answer and the output follow;
4. an environment that runs programs was contained as far as it needs.

What a program wrote and what a tool from outside returned is taken as recorded: nobody else can derive it. Texts of
mismatches name events by number, from 1, and repeat nothing of them.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import msgspec

from verilabel.errors import VerilabelError
from verilabel.evaluation.agents.containing import objections_to_containment
from verilabel.evaluation.agents.loop import MAX_STREAM_CHARACTERS, ROLE_PARAMS
from verilabel.evaluation.agents.playing import (
    AskAgent,
    AskOther,
    CallOutside,
    Given,
    Heard,
    Need,
    Played,
    Player,
)
from verilabel.evaluation.agents.roles import rule_of, wire_name
from verilabel.evaluation.agents.settings import model_params, read_roles, read_settings
from verilabel.evaluation.agents.tasks import (
    Facts,
    choose_roles,
    facts_of,
    make_task,
    read_episode,
    read_task,
)
from verilabel.evaluation.wire import find_difference, json_difference, wires_of
from verilabel.evidence.others.containment import SignedContainment
from verilabel.models.dialects.dialect import Decoded
from verilabel.models.interface import ModelRequest
from verilabel.models.statuses import failure_of_status
from verilabel.models.tools.codec import DecodedTurn, ToolCodec
from verilabel.models.tools.interface import Answered, ToolQuestion
from verilabel.models.tools.opening import codecs_of
from verilabel.records.attempt import Attempt, Failure, response_body
from verilabel.records.canonical import digest, jcs
from verilabel.records.episode import (
    BoxStep,
    Episode,
    EpisodeTask,
    ModelStep,
    ToolSpec,
    ToolStep,
    output_of,
)
from verilabel.records.sample import Message, Sample
from verilabel.records.system import SystemDescriptor
from verilabel.suites.worlds.interface import Environment, RunProgram, World

MAX_NOTED = 5
"""Mismatches that are told of one episode."""
INTERRUPTED = ("timeout", "truncated", "connection", "sandbox")
"""Failures after which a response, if any, was not read to its end."""
OUTSIDE_TOOLS = "mcp"
"""The name under which a descriptor binds the tools that MCP servers gave."""


@dataclass(frozen=True)
class Setting:
    """What an episode is held against."""

    environment: Environment
    sample: Sample
    place: int
    """The sample's place in its suite, from 0."""
    system: SystemDescriptor
    messages: Sequence[Message]
    """The sample's turns, after the system prompt where the system has one."""
    attestation: SignedContainment | None
    """The containment attestation that the bundle encloses."""


class _Broken(Exception):
    """The rest of an episode cannot be followed."""


class _BrokenOff(Exception):
    """The episode ends here, unfinished, as a box or a server from outside may end it."""


def check_episode(attempt: Attempt, setting: Setting) -> list[str]:
    """What does not hold of an episode, in the order of its events; empty where all does. Never raises."""
    try:
        task = read_task(attempt.request.encode("utf-8", "surrogatepass"))
        episode = read_episode(response_body(attempt) or b"")
    except (VerilabelError, ValueError) as error:
        reason = error.message if isinstance(error, VerilabelError) else "not base64"
        return [f"no episode can be read: {reason[:200]}"]
    try:
        world = setting.environment.open(setting.sample)
        ran = any(isinstance(event, BoxStep) for event in episode.events)
        needed = setting.environment.needs_box or ran
        return (
            _check_task(task, world, attempt, setting)
            + objections_to_containment(episode.containment, setting.attestation, needed=needed)
            + _check_events(task, episode, attempt, setting)
        )[:MAX_NOTED]
    except VerilabelError as error:
        return [f"the episode cannot be played again: {error.message[:200]}"]


def count_hidden_answers(attempt: Attempt, system: SystemDescriptor) -> int:
    """Questions of the agent that failed for the way, with a whole answer beside; never raises.

    A connection may break after the last byte of an answer. A verifier cannot tell that from an answer that was thrown
    away because it did not please, so such questions are counted and told.
    """
    try:
        episode = read_episode(response_body(attempt) or b"")
    except (VerilabelError, ValueError):
        return 0
    codecs = codecs_of(system.provider_model)
    return sum(
        isinstance(event, ModelStep)
        and not event.role
        and event.failure is not None
        and event.failure.kind in INTERRUPTED
        and event.response is not None
        and any(
            isinstance(codec.decode(event.response.encode("utf-8", "surrogatepass")), DecodedTurn)
            for codec, _ in codecs
        )
        for event in episode.events
    )


# -- 1: the task ------------------------------------------------------------------------------------------------


def _check_task(task: EpisodeTask, world: World, attempt: Attempt, setting: Setting) -> list[str]:
    environment, system = setting.environment, setting.system
    outside = task.tools[len(world.tools) :]
    roles = choose_roles(read_roles(system.params), environment.roles, setting.place, attempt.epoch)
    expected = make_task(
        environment=f"{environment.id}@{environment.version}",
        key=(attempt.suite, attempt.sample, attempt.epoch),
        model=system.provider_model,
        messages=setting.messages,
        world=world,
        outside=outside,
        params=model_params(system.params),
        settings=read_settings(system.params),
        roles=roles,
    )
    found = []
    fields = [
        name for name in EpisodeTask.__struct_fields__ if getattr(task, name) != getattr(expected, name)
    ]
    if fields:
        found.append(f"the request is not the sample's: it differs in {', '.join(map(repr, fields))}")
    bound = system.tools.get(OUTSIDE_TOOLS)
    if outside and tools_digest(outside) != bound:
        found.append("the request offers tools that the descriptor does not bind")
    if bound is not None and not outside:
        found.append("the request does not offer the tools from outside that the descriptor binds")
    if {tool.name for tool in outside} & {tool.name for tool in world.tools}:
        found.append("the request offers a tool from outside under a name of the world's")
    return found


def tools_digest(tools: Sequence[ToolSpec]) -> str:
    """The digest under which tools from outside are bound to a system."""
    return digest(tools_bytes(tools))


def tools_bytes(tools: Sequence[ToolSpec]) -> bytes:
    """The canonical bytes of tool definitions."""
    return jcs(msgspec.to_builtins(list(tools)))


def _is_possible(event: BoxStep) -> bool:
    """True if no stream is longer than its total, of which a character takes a byte at least, or than is kept."""
    return all(
        len(kept) <= min(total, MAX_STREAM_CHARACTERS)
        for kept, total in ((event.stdout, event.stdout_total), (event.stderr, event.stderr_total))
    )


# -- 2 and 3: the events ----------------------------------------------------------------------------------------


def _check_events(task: EpisodeTask, episode: Episode, attempt: Attempt, setting: Setting) -> list[str]:
    """Follow the episode by each codec that the model may have been asked in; the one that fits best counts."""
    best: list[str] | None = None
    for codec, name in codecs_of(setting.system.provider_model):
        world = setting.environment.open(setting.sample)
        walk = _Walk(task, episode, world, codec, name)
        found = walk.follow(attempt)
        if not found:
            return []
        if best is None or len(found) < len(best):
            best = found
    assert best is not None, "every model has a codec"
    return best


class _Walk:
    """One episode followed by the player, with recorded events in the place of models, box and tools."""

    def __init__(
        self, task: EpisodeTask, episode: Episode, world: World, codec: ToolCodec, name: str
    ) -> None:
        self._outside = frozenset(tool.name for tool in task.tools[len(world.tools) :])
        self._pending: Need | None = None
        self._task = task
        self._episode = episode
        self._codec = codec
        self._name = name
        self._player = Player(world, task, self._outside)
        self._compared = 0
        self._found: list[str] = []

    def follow(self, attempt: Attempt) -> list[str]:
        """What does not hold, in the order of the events."""
        steps = self._player.play(self._episode.containment)
        try:
            played = self._play(steps)
            self._compare_events()
        except _Broken:
            return self._found
        except _BrokenOff:
            self._check_breaking_off(attempt)
            return self._found
        finally:
            steps.close()
        if len(self._player.events) < len(self._episode.events):
            self._note(len(self._player.events), "follows the end of the episode")
        elif played.episode != self._episode and not self._found:
            self._found.append("the ending or the answer is not what the events give")
        self._check_conclusion(played, attempt)
        return self._found

    def _play(self, steps: Generator[Need, Given, Played]) -> Played:
        try:
            need = next(steps)
            while True:
                self._compare_events()
                need = steps.send(self._meet(need))
        except StopIteration as done:
            played: Played = done.value
            return played

    def _compare_events(self) -> None:
        """What the player has noted since must be what is recorded, where it came from the world itself."""
        events = self._player.events
        for number in range(self._compared, len(events)):
            if number >= len(self._episode.events):
                self._note(number, "is missing")
                raise _Broken
            if events[number] != self._episode.events[number]:
                self._note(number, "is not what the world gives")
                raise _Broken
        self._compared = len(events)

    def _meet(self, need: Need) -> Given:
        if len(self._found) >= MAX_NOTED:  # enough is wrong: playing on would only cost the verifier's time
            raise _Broken
        number = len(self._player.events)
        event = self._episode.events[number] if number < len(self._episode.events) else None
        match need, event:
            case AskAgent(), ModelStep(role=""):
                return self._hear_agent(number, need, event)
            case AskOther(), ModelStep() if event.role == need.role:
                return self._hear_other(number, need, event)
            case RunProgram(), BoxStep():
                if (event.argv, event.stdin) != (need.argv, need.stdin):
                    self._note(number, "is another program than the world wants run")
                if not _is_possible(event):
                    self._note(number, "keeps more of its streams than it says there was")
                return event
            case CallOutside(), ToolStep():
                if (event.call, event.tool, event.arguments) != (need.call, need.tool, need.arguments):
                    self._note(number, "is another call than the model made")
                return event
            case _:
                if event is None and self._episode.ending == "failed":
                    self._pending = need
                    raise _BrokenOff
                self._note(
                    number, "is missing" if event is None else "is of another kind than what comes next"
                )
                raise _Broken

    def _check_breaking_off(self, attempt: Attempt) -> None:
        """An episode that broke off measured nothing, and only a box or a server from outside can break it off."""
        kind = attempt.failure.kind if attempt.failure is not None else "none"
        by_box = kind == "sandbox" and isinstance(self._pending, RunProgram)
        by_server = kind == "connection" and bool(self._outside) and not self._episode.events
        if not by_box and not by_server:
            self._found.append(f"the episode breaks off where nothing breaks it off (failure {kind[:40]!r})")
        if attempt.output is not None or self._episode.answer:
            self._found.append("an episode that broke off has an answer")
        self._check_facts(attempt)

    def _hear_agent(self, number: int, need: AskAgent, event: ModelStep) -> Heard:
        task = self._task
        question = ToolQuestion(
            key=(task.suite, task.sample, task.epoch), turns=need.turns, tools=task.tools, params=task.params
        )
        expected = self._codec.encode(question, self._name)
        if event.request.encode("utf-8", "surrogatepass") != expected:
            difference = json_difference(event.request, expected.decode("utf-8"))
            if difference:
                self._note(number, f"its request differs in {difference}")
        said = self._read(number, event)
        if isinstance(said, DecodedTurn):
            self._compare_said(number, event, said.decoded, said.turn.calls)
            return Heard(event, said.turn) if event.failure is None else Heard(event)
        if event.failure is None:
            self._note(number, f"its response holds no turn ({said.kind if said else 'no body'})")
            return Heard(event, Answered(event.text, event.calls))
        self._check_failure(number, event, said)
        return Heard(event)

    def _read(self, number: int, event: ModelStep) -> DecodedTurn | Failure | None:
        body = self._body(number, event)
        return self._codec.decode(body) if body else None

    def _body(self, number: int, event: ModelStep) -> bytes | None:
        if event.response is not None:
            return event.response.encode("utf-8", "surrogatepass")
        try:
            return b64decode(event.response_base64 or "", validate=True)
        except ValueError:
            self._note(number, "its response is not base64")
            return None

    def _compare_said(self, number: int, event: ModelStep, said: Decoded, calls: Sequence[object]) -> None:
        if event.failure is not None:
            self._check_hiding(number, event, event.failure)
            return
        wanted = (said.output, tuple(calls), said.finish, said.served_model, said.fingerprint, said.usage)
        if wanted != (
            event.text,
            event.calls,
            event.finish,
            event.served_model,
            event.fingerprint,
            event.usage,
        ):
            self._note(number, "its response does not say what the event says")

    def _check_hiding(self, number: int, event: ModelStep, failure: Failure) -> None:
        """A body that holds an answer is a failure by its status alone, or one of `count_hidden_answers`."""
        if failure.kind in INTERRUPTED:
            return
        derived = failure_of_status(event.status, self._body(number, event) or b"") if event.status else None
        if derived is None:
            self._note(number, "its response holds a turn, the event a failure")
        elif (failure.kind, failure.retryable) != (derived.kind, derived.retryable):
            self._note(number, f"its status means {derived.kind!r}, the event says {failure.kind[:40]!r}")

    def _check_failure(self, number: int, event: ModelStep, said: Failure | None) -> None:
        failure = event.failure
        assert failure is not None, "the caller looked"
        if event.status is None or failure.kind in INTERRUPTED or said is None:
            return
        derived = failure_of_status(event.status, self._body(number, event) or b"") or said
        if (failure.kind, failure.retryable) != (derived.kind, derived.retryable):
            self._note(number, f"its response means {derived.kind!r}, the event says {failure.kind[:40]!r}")

    def _hear_other(self, number: int, need: AskOther, event: ModelStep) -> Heard:
        task = self._task
        address = task.roles.get(need.role, "")
        rule = rule_of(address)
        # only a rule's address says how it names itself in its requests
        wires = wires_of(wire_name(address), is_address=rule is None)
        request = ModelRequest(
            task.suite, task.sample, task.epoch, messages=need.messages, params=dict(ROLE_PARAMS)
        )
        wire, difference = find_difference(wires, event.request, request)
        if difference is not None:
            self._note(number, f"its request is not what the role is to be asked: {difference}")
        body = self._body(number, event)
        said = wire.read(event.request, body) if body else None
        if event.failure is None and (not isinstance(said, Decoded) or said.output != event.text):
            self._note(number, "its response does not say what the event says")
        elif event.failure is not None and isinstance(said, Decoded):
            self._check_hiding(number, event, event.failure)
        if rule is not None and event.text != rule(need.messages):
            self._note(number, "is not what the rule that plays this role says")
        return Heard(event)

    def _check_conclusion(self, played: Played, attempt: Attempt) -> None:
        output = output_of(self._episode) if played.failure is None else None
        if attempt.output != output:
            self._found.append("the output is not the episode's summary")
        if played.failure != attempt.failure:
            self._found.append("the record's failure is not the episode's")
        self._check_facts(attempt)

    def _check_facts(self, attempt: Attempt) -> None:
        facts = facts_of(self._episode, attempt.failure)
        said = Facts(attempt.finish, attempt.served_model, attempt.fingerprint, attempt.usage)
        if facts != said:
            self._found.append("the record's ending, served model or tokens are not the episode's")

    def _note(self, number: int, what: str) -> None:
        self._found.append(f"event {number + 1} {what}")
