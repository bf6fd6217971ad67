"""One request as the audit trail keeps it: digests and verdicts, no content unless the operator asks for it."""

from __future__ import annotations

import msgspec

from verilabel.gateway.verdicts import Finding


class ToolRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a tool policy decided of one call, with all that deciding it again needs but the texts.

    `labels` is what the session carried before, `gained` what it got by the call and by its result. `arguments` is a
    digest keyed by a secret of the run, so that nobody finds an argument by guessing. `containment` is the level of the
    sandbox that the server runs in. With content kept, the record's `content` has `arguments`, `result` and `prompt`.
    """

    server: str
    tool: str
    session: str
    action: str = ""
    rules: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()
    calls: int = 0
    """Calls of the session that were let through before."""
    pin: str = ""
    arguments: str = ""
    vouches: bool = False
    containment: str = ""
    filtered: dict[str, int] = {}
    """What the result rules found or took away: rule to how often."""


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to one request. Times in microseconds, sizes in bytes of UTF-8, digests `sha256:...`.

    `event` is `begun` (a stream or held request, written before its first byte goes out), `ended` (all others, and
    the end of what had begun), or an administrative event. `outcome` is `answered`, `refused`, `held`, `failed`,
    `cut` (a stream stopped by a guard), `abandoned` (the client went away). `scanned` counts the characters that
    guards looked at, by direction and field; a body no guard looked at is never shown as clean.
    """

    event: str
    id: str
    at_us: int
    dialect: str = ""
    route: str = ""
    key: str = ""
    user: str = ""
    policy: str = ""
    upstream: str = ""
    model: str = ""
    served_model: str | None = None
    fingerprint: str | None = None
    label: str | None = None
    admission: tuple[str, ...] = ()
    outcome: str = ""
    status: int = 0
    code: str | None = None
    streamed: bool = False
    tries: tuple[str, ...] = ()
    """Failed tries before: `upstream: reason`."""
    request: str | None = None
    reply: str | None = None
    scanned: dict[str, int] = {}
    guards: dict[str, str] = {}
    """Guard id to version of each guard that looked."""
    findings: tuple[Finding, ...] = ()
    approval: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_microusd: int | None = None
    waited_us: int = 0
    """From the whole request to the upstream's first byte."""
    elapsed_us: int = 0
    content: dict[str, str] | None = None
    tool: ToolRecord | None = None
    """Set for calls through the MCP gateway."""
    trace: str = ""
    """Trace id in hexadecimal digits, where the request belongs to one; as yet of the MCP gateway alone."""
    span: str = ""
    """Span id of the request; where no spans are kept, of the caller's span that it named."""
