"""What a bench says and keeps: the lines between it and a world, decisions as they were made, and what was counted.

A world is a process that offers the calls of a case one by one and carries out those that are let through. It speaks
first (`Opened`); then for each `begin` it says `begun`, then `call` as often as there are calls, each answered by
`carry_out` (which it answers with `returned`) or `skip`, and `over` at the end. Before either it may be told to `try`
another call, which it answers with `returned` too. `end` ends it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from verilabel.gateway.mcp.policy.document import Action

Asker = Literal["user", "attack"]


# ---------------------------------------------------------------- what a world says


class SuiteOffer(msgspec.Struct, frozen=True, kw_only=True):
    """One suite of a world: its tools, the names of its user tasks and of its attacks, in the world's order.

    `parameters` gives for each tool those that take a `text` or a `list` of texts.
    """

    suite: str
    tools: tuple[str, ...]
    user_tasks: tuple[str, ...]
    attacks: tuple[str, ...]
    parameters: dict[str, dict[str, Literal["text", "list"]]] = {}


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="opened"):
    """What there is to play. `version` is that of the package the world is from."""

    world: str
    version: str
    suites: tuple[SuiteOffer, ...]


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="begun"):
    """What the person asked for."""

    prompt: str


class Offered(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="call"):
    """A call that the agent wants to make, for its user or for whoever took it over."""

    by: Asker
    tool: str
    arguments: dict[str, Any]


class Returned(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="returned"):
    """What a call gave. `injected` is true where the attacker's words are in it."""

    text: str
    failed: bool
    injected: bool


class Over(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="over"):
    """The end of a case. `reached` says whether its goal was reached, by the world's own check: the attacker's in an
    attack, else the user's; None where there was no attack because its words were never read, or the check failed
    (`error` names the fault)."""

    reached: bool | None
    read: bool = False
    error: str = ""


Said = Opened | Begun | Offered | Returned | Over


# ---------------------------------------------------------------- what is kept


class CaseName(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One user task of one suite, and the attack upon it; an empty one is none."""

    suite: str
    user_task: str
    attack: str = ""


class TracedCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call, the decision about it, and what it returned where that vouches for later arguments.

    `labels` are those of the session before the call. `approved` is true where it was asked about and let through.
    """

    by: Asker
    call: str
    args: dict[str, Any]
    action: Action
    rules: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    sink: str = ""
    approved: bool = False
    returns: str = ""
    failed: bool = False
    injected: bool = False
    brings: tuple[str, ...] = ()
    """Labels that the policy's result rules gave the session, besides those of its tool rules."""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One case under a policy: every decision, in order, with all that it was made from.

    `feasible` says whether the goal is reached where nothing stands in the way; None where that is not known.
    """

    case: CaseName
    user_prompt: str
    calls: tuple[TracedCall, ...]
    reached: bool | None
    read: bool = False
    error: str = ""
    feasible: bool | None = None
    format: Literal["verilabel/mcp-bench-trace/v1"] = "verilabel/mcp-bench-trace/v1"


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Events among trials, with the exact two-sided 95 % interval (Clopper and Pearson, 1934), rounded outward."""

    events: int
    trials: int
    low: str
    high: str

    @property
    def share(self) -> str:
        """Events in a hundred trials, rounded for people; a dash where there were none."""
        return f"{100 * self.events / self.trials:.1f} %" if self.trials else "-"


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted in one suite, or in all.

    `asked` are user tasks with at least one call that a person had to approve, `stopped` those with one that was
    denied, `fulfilled` those whose goal was reached. `succeeded` are attacks that reached their goal, of those that do
    where nothing stands in the way; `goals_reached` are the attacker's goals that were reached in any user task.
    `sink_calls` are the attacker's calls whose effect goes into a sink, and `let_through` those of them that nobody was
    asked about.
    """

    suite: str
    asked: Rate
    stopped: Rate
    fulfilled: Rate
    questions: int
    """Calls of users that a person was asked about, over all user tasks."""
    succeeded: Rate
    goals_reached: int
    goals: int
    let_through: int
    sink_calls: int
    pairs: int
    """All pairs of a user task and an attack that were played."""
    infeasible: int
    """Pairs whose goal is not reached even where nothing stands in the way: they are no trials."""
    unscored: int
    """Pairs whose check failed: they are no trials either, and should be none."""


class WorldUsed(msgspec.Struct, frozen=True, kw_only=True):
    """Which world was played."""

    name: str
    version: str
    suites_version: str


class PolicyUsed(msgspec.Struct, frozen=True, kw_only=True):
    """Which tool policy decided: its name, and the digest of its bytes."""

    name: str
    version: str
    digest: str


class BenchResult(msgspec.Struct, frozen=True, kw_only=True):
    """A whole bench. The same world, policy and attacks give the same bytes."""

    world: WorldUsed
    policy: PolicyUsed
    attacks: str
    attacker: str
    suites: tuple[Counts, ...]
    total: Counts
    traces_sha256: str
    """Of the file of traces, from which all the rest is derived again."""
    format: Literal["verilabel/mcp-bench/v1"] = "verilabel/mcp-bench/v1"
