"""A call, what a session carries, and what the policy says: the pure function behind every decision.

`decide(policy, session, call) -> Decision` reads no clock, no disk and no network; the same three values give the same
decision on every machine, so that any decision can be replayed from evidence.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from verilabel.gateway.mcp.policy.document import Action, Sink


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call as it is decided and forwarded: `arguments` are what strict reading gave, nothing else is sent on."""

    server: str
    tool: str
    arguments: dict[str, Any]
    pin: str = ""
    """Digest of the tool's definition as pinned; empty where pins are not used."""

    @property
    def name(self) -> str:
        """`SERVER/TOOL`, as rules match it."""
        return f"{self.server}/{self.tool}"


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision may know of a session. `labels` only ever grow. Texts vouch for arguments (provenance):
    what the person asked for, and what trusted tools returned, both folded (`policy.provenance.fold_text`)."""

    labels: frozenset[str] = frozenset()
    user_prompt: str = ""
    trusted_text: str = ""
    calls: int = 0
    """Calls that were let through before this one."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Who must approve an asked call, and how."""

    approvers: tuple[str, ...] = ()
    quorum: int = 1
    ttl_s: int = 300
    strict: bool = True
    channel: Literal["queue", "client"] = "queue"


class Reason(NamedTuple):
    """One rule that spoke: its id, what it asks for, and a short word for people (never a value of an argument)."""

    rule: str
    action: Action
    why: str
    shadow: bool = False


class Rate(NamedTuple):
    """A limit that the call is charged to: which rule, shared by whom, how many in how many seconds."""

    rule: str
    per: Literal["session", "principal"]
    amount: int
    window_s: float


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen. `before` are labels that the session gets by the call itself (also where it then fails),
    `after` those that its result or error carries. `action` follows from `reasons`: deny > ask > allow."""

    action: Action
    reasons: tuple[Reason, ...]
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    vouches: bool = False
    """True where the result may vouch for arguments later."""
    sink: Sink | None = None
    terms: Terms | None = None
    """Set where the action is `ask`: the strictest of what the asking rules want."""
    rates: tuple[Rate, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that led to the action."""
        return tuple(r.rule for r in self.reasons if r.action == self.action and not r.shadow)


class CompiledPolicy(Protocol):
    """A checked policy, made ready once: patterns compiled, matches indexed by tool name.

    `digest` is the policy's identity: `sha256:` over its exact bytes.
    """

    digest: str
    name: str

    def decide(self, call: ToolCall, session: SessionView) -> Decision:
        """What is to happen to a call. Pure; never raises on any arguments; at most 20 microseconds at the median."""
        ...

    def shows(self, server: str, tool: str) -> bool:
        """True if a tool may be listed: some call of it could be allowed or asked."""
        ...


class Filtered(msgspec.Struct, frozen=True, kw_only=True):
    """A result's text after the result rules. `labels` are added to the session, `findings` are rule ids and counts."""

    text: str
    labels: frozenset[str] = frozenset()
    findings: dict[str, int] = {}
    truncated: bool = False
    withheld: bool = False


class ResultFilter(Protocol):
    """The result rules, compiled."""

    def apply(self, text: str) -> Filtered:
        """Filter one text of a result, an error, a resource or a prompt. Never raises."""
        ...
