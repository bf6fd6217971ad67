"""The words of `mcp.yaml` (the gateway's own file) and of a tool policy (which is shared), as they are written.

A tool policy says what agents may do and holds no command, address or secret, so that it can be signed, shared and
pinned. The gateway's file names servers and how they are started, and never comes from anybody else.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from verilabel.gateway.policy.document import ApprovalTerms, AuditSettings
from verilabel.sandbox.interface import Level, Limits, Mount

Action = Literal["allow", "ask", "deny"]
Sink = Literal["external", "exec", "write", "money", "identity"]
"""Where a call's effect goes: out of the house, into a program, into data, into payments, into accounts and rights."""
Trust = Literal["trusted", "untrusted"]
ArgumentType = Literal[
    "string", "email", "url", "domain", "path", "integer", "number", "boolean", "list", "object"
]


class ArgumentRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an argument must be; what is not as it says is denied. A rule on `to` holds for each item of a list too.

    `pattern` is RE2 and must match the whole value. `domains` are host names (`corp.example`, `*.corp.example`) that an
    e-mail address, a URL or a domain must be of; `schemes` the schemes of a URL. `within` are folders that a path,
    normalised without looking at any disk, must lie in. `one_of` lists the values that are allowed. An argument that
    is absent is judged by `required` alone.
    """

    type: ArgumentType | None = None
    required: bool = False
    pattern: str | None = None
    one_of: tuple[Any, ...] = ()
    domains: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ("https",)
    within: tuple[str, ...] = ()
    min: Decimal | None = None
    max: Decimal | None = None
    max_bytes: int | None = None
    max_items: int | None = None


class RateRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often: `N/s`, `N/min`, `N/h`; by session or by principal."""

    per_session: str | None = None
    per_principal: str | None = None


class ToolRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule for tools: `match` is `SERVER/TOOL` with `*` and `?`. All rules that match hold; deny > ask > allow.

    `reads` are labels that the session gets because of what the tool can see (`private`), `emits` those that its result
    carries (`untrusted`); `trusted_source` says that its result may vouch for arguments. `sink` is where the effect
    goes; `args` constrain arguments, `only_args` denies those that are not named. `approvers`, `quorum` and `ttl` say
    who decides where it is asked; `strict` keeps the requester from approving; `channel` `client` lets the client's
    own person be asked in band.
    """

    match: str
    id: str = ""
    """Absent: `tool:` and the match."""
    action: Action = "allow"
    reads: tuple[str, ...] = ()
    emits: tuple[str, ...] = ()
    trusted_source: bool = False
    sink: Sink | None = None
    args: dict[str, ArgumentRule] = {}
    only_args: bool = False
    rate: RateRule | None = None
    approvers: tuple[str, ...] = ()
    quorum: int = 1
    ttl: str = "5m"
    strict: bool = True
    channel: Literal["queue", "client"] = "queue"
    mode: Literal["enforce", "shadow"] = "enforce"


class FlowWhen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Labels that the session must all have."""

    session_has: tuple[str, ...]


class FlowTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which calls: a sink, or tools by `match`; both must hold where both are given."""

    sink: Sink | None = None
    match: str | None = None


class ArgumentsFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where every atom of the named arguments must come from (argument provenance).

    `args` `*`: all arguments but those of `but`, so that one that nobody thought of is asked about too.
    """

    args: tuple[str, ...]
    but: tuple[str, ...] = ()
    sources: tuple[Literal["user_prompt", "trusted_tools"], ...] = ("user_prompt", "trusted_tools")


class ArgumentIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An argument whose every item is in a list."""

    arg: str
    one_of: tuple[Any, ...]


class FlowUnless(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What exempts a call; each that is given must hold."""

    args_from: ArgumentsFrom | None = None
    arg_in: ArgumentIn | None = None


class FlowRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a session that holds certain labels may not do, or not without being asked."""

    id: str
    when: FlowWhen
    to: FlowTo
    unless: FlowUnless | None = None
    then: Literal["ask", "deny"] = "ask"
    approvers: tuple[str, ...] = ()
    quorum: int = 1
    ttl: str = "5m"
    strict: bool = True
    channel: Literal["queue", "client"] = "queue"
    mode: Literal["enforce", "shadow"] = "enforce"


class ResultRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is done to every result (and error) before the agent sees it.

    `strip` removes escape sequences and characters that people do not see; `scan` are detectors: what `secrets` and
    `pii` find is redacted, what `prompt_injection` finds labels the session `untrusted` and, with `on_injection`
    `withhold`, keeps the result from the agent.
    """

    max_bytes: int = 1_000_000
    strip: tuple[Literal["ansi", "zero_width", "bidi", "controls"], ...] = (
        "ansi",
        "zero_width",
        "bidi",
        "controls",
    )
    scan: tuple[Literal["secrets", "pii", "prompt_injection"], ...] = ("secrets", "prompt_injection")
    on_injection: Literal["label", "withhold"] = "label"


class SessionLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one session."""

    calls_per_session: int = 1_000
    parallel: int = 8


class TestStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One call of a test: `SERVER/TOOL`, its arguments, and what the tool would return."""

    call: str
    args: dict[str, Any] = {}
    returns: str = ""
    approved: bool = False
    """True where a person is taken to approve it if it is asked."""


class PolicyTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A trace and what must be decided of its last call. `user_prompt` is what the person asked for."""

    trace: tuple[str | dict[str, Any], ...]
    """Each `mail/read`, `{mail/send: {to: x}}` or a whole `TestStep` (`policy.trying.read_trace` tells them apart)."""
    expect: Action
    rule: str | None = None
    user_prompt: str = ""
    name: str = ""


class ToolPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole tool policy: the operational boundary of an agent. Its identity is the digest of its bytes."""

    verilabel: Literal["mcp-policy/v1"]
    policy: str
    """Its name."""
    version: str
    default: Action
    """What happens to a tool that no rule matches: written out, so that nobody has to know."""
    summary: str = ""
    labels: tuple[str, ...] = ("private", "untrusted", "confidential")
    """Every label there is; a rule that names another is a mistake."""
    tools: tuple[ToolRule, ...] = ()
    flows: tuple[FlowRule, ...] = ()
    results: ResultRules = ResultRules()
    limits: SessionLimits = SessionLimits()
    tests: tuple[PolicyTest, ...] = ()


class ServerSandbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The box that a stdio server runs in. `process` runs it as a plain process, and says so in every record."""

    provider: str = "auto"
    min_containment: Level = "C2"
    limits: Limits = Limits()
    mounts: tuple[Mount, ...] = ()


class ServerEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One MCP server. Exactly one of `command` (stdio) and `url` (streamable HTTP).

    `env` gives variables by value; `secrets` names variables of the gateway's own environment that are passed on.
    `headers_from` maps header names to environment variables that hold their values. `pins` is the lock file.
    `trust` `untrusted` labels every result of the server `untrusted`.
    """

    command: tuple[str, ...] = ()
    url: str | None = None
    env: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    headers_from: dict[str, str] = {}
    sandbox: ServerSandbox = ServerSandbox()
    pins: str | None = None
    trust: Trust = "untrusted"
    timeout_s: float = 60.0
    prefix: str | None = None
    """What stands before its tools' names for agents (absent: the server's name and `__`)."""


class McpListen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where agents connect: `stdio`, or a host and a port for streamable HTTP."""

    transport: Literal["stdio", "http"] = "stdio"
    host: str = "127.0.0.1"
    port: int = 8790
    auth: Literal["keys", "none"] = "keys"
    """`none` only on loopback; on stdio whoever starts the process is the principal."""
    allowed_hosts: tuple[str, ...] = ()


class McpGateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The gateway's file. `policy` is a tool policy written in it, a path, a bundled name or `pack:NAME@sha256:...`."""

    verilabel: Literal["mcp/v1"]
    policy: str | dict[str, Any]
    servers: dict[str, ServerEntry]
    listen: McpListen = McpListen()
    database: str = "verilabel-mcp.db"
    audit: AuditSettings = AuditSettings()
    approvals: ApprovalTerms = ApprovalTerms()
    trust: str | None = None
    """A trust policy: then lock files and packs must be signed by a key that it trusts."""
    user_prompt: Literal["none", "client"] = "none"
    """`client` where the agent's host may say, in `_meta`, what its person asked for; that vouches for arguments."""
    keep_content: bool = False
    """True to keep arguments and results in the audit trail, which replaying decisions needs."""
