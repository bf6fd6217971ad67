"""The words of `gateway.yaml` and of a guard policy, as they are written. Reading and checking: `policy.reading`.

Decimals are `decimal.Decimal`, exactly as written. Names (`id`) are lower-case words joined by `-`, `_` or `.`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, cast

import msgspec

from verilabel.gateway.verdicts import Direction, Field

ActionWord = Literal["allow", "flag", "redact", "replace", "hold", "block"]
Per = Literal["key", "user", "model", "route", "all"]


USUAL_ACTIONS: dict[str, ActionWord] = {
    "pii": "redact",
    "secrets": "redact",
    "presidio": "redact",
    "refusal": "flag",
    "factuality": "flag",
}
"""What findings lead to where a policy does not say, by kind of guard; all others block."""
USUAL_DIRECTIONS: dict[str, tuple[Direction, ...]] = {
    "injection": ("input",),
    "jailbreak": ("input",),
    "harmful": ("output",),
    "refusal": ("output",),
    "json": ("output",),
    "system_leak": ("output",),
    "factuality": ("output",),
}
"""Which way a kind of guard looks where a policy does not say; all others look both ways."""


class GuardEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One guard of a policy: which detector looks where, and what its findings lead to.

    `use` names the kind (`guards.catalogue`), `settings` belong to the kind. `directions` are which way, `fields` where
    it looks (absent: where the kind does; what the application itself wrote only for personal data, secrets and your
    own patterns and words). `rules` overrides the action of single rules of the kind. `when` is a
    CEL condition on the request (absent: always); `share` the part of requests that are looked at, for a canary
    (by the digest of the request, so that a repeated request is treated alike). `release` says what a stream
    does while a guard that needs whole passages looks at a window of `window_chars`: `gated` holds the window back,
    `optimistic` lets it out and cuts the stream off on a verdict.
    """

    id: str
    use: str
    settings: dict[str, Any] = {}
    on: tuple[Direction, ...] = msgspec.field(default=cast("tuple[Direction, ...]", None), name="directions")
    """Absent: which way the kind looks. Written as `directions`: to half of the readers of YAML a bare `on` is true."""
    fields: tuple[Field, ...] = ()
    action: ActionWord = cast("ActionWord", None)
    """Absent: what the kind's findings usually lead to."""
    rules: dict[str, ActionWord] = {}
    replace_with: str | None = None
    mode: Literal["enforce", "shadow"] = "enforce"
    on_error: Literal["block", "allow"] = "block"
    timeout_ms: int = 5000
    when: str | None = None
    share: Decimal = Decimal(1)
    release: Literal["gated", "optimistic"] = "gated"
    window_chars: int = 400
    message: str | None = None

    def __post_init__(self) -> None:
        if self.action is None:
            msgspec.structs.force_setattr(self, "action", USUAL_ACTIONS.get(self.use, "block"))
        if self.on is None:
            msgspec.structs.force_setattr(self, "on", USUAL_DIRECTIONS.get(self.use, ("input", "output")))


class RequestRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule on the request as a whole: a CEL condition and what follows where it holds."""

    id: str
    when: str
    action: Literal["flag", "hold", "block"] = "block"
    mode: Literal["enforce", "shadow"] = "enforce"
    on_error: Literal["block", "allow"] = "block"
    message: str | None = None


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A requirement of an admission that is not asked of a model, by somebody, for a reason, until a day."""

    requirement: str
    reason: str
    by: str
    until: str


class AdmissionRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a label must be for a model to be used on the routes that match `route` (a name, or a prefix and `*`).

    What is verified is the target's bundle. `scope` are the keys in which the system in use must
    equal the label's. `flags_forbidden` are flags the verification may not raise. `otherwise`: refuse, or let
    through and flag.
    """

    route: str = "*"
    rubric: str | None = None
    granted: str | None = None
    ruled_out: str | None = None
    verification: Literal["V1", "V2s", "V2", "V3", "V4"] = "V2"
    max_age_days: int | None = None
    scope: tuple[str, ...] = ()
    flags_forbidden: tuple[str, ...] = ("disputed",)
    waivers: tuple[Waiver, ...] = ()
    otherwise: Literal["block", "flag"] = "block"


class LimitRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One limit. `per` names what shares it (several: each combination has its own); exactly one quantity is given.

    `requests`, `tokens` are `N/s`, `N/min`, `N/h`; `cost_usd` and `budget_tokens` are `N/day` or `N/month` (calendar,
    UTC); `concurrency` is a number. `burst` is how many may come at once (absent: the whole N of the window, at most).
    """

    id: str
    per: tuple[Per, ...] = ("key",)
    route: str = "*"
    requests: str | None = None
    tokens: str | None = None
    cost_usd: str | None = None
    budget_tokens: str | None = None
    concurrency: int | None = None
    burst: int | None = None


class ApprovalTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How held requests are decided: by how many people of which role, how long it may take, and how clients wait.

    `wait` is what a client gets that does not say (`x-verilabel-wait`): `fail` a refusal with the approval's id,
    `poll` the same as 202, `hold` an open connection for at most `hold_s` seconds.
    """

    quorum: int = 1
    roles: tuple[str, ...] = ("approver", "admin")
    expires_s: int = 3600
    wait: Literal["fail", "poll", "hold"] = "fail"
    hold_s: int = 120
    webhook: str | None = None


class PolicyTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A test that a policy carries: a text or a whole request in one direction, and what must come of it."""

    name: str
    input: str | None = None
    output: str | None = None
    request: dict[str, Any] | None = None
    context: dict[str, Any] = {}
    field: Field = "content"
    expect: ActionWord
    rules: tuple[str, ...] = ()
    text: str | None = None


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A guard policy: what is guarded, limited, admitted and approved. It can be shared, signed and pinned.

    Shown to people as `name@version`; identified by the digest of its bytes.
    """

    policy: str
    version: str
    format: Literal["verilabel/policy/v1"] = "verilabel/policy/v1"
    description: str = ""
    guards: tuple[GuardEntry, ...] = ()
    rules: tuple[RequestRule, ...] = ()
    admit: tuple[AdmissionRow, ...] = ()
    limits: tuple[LimitRow, ...] = ()
    approvals: ApprovalTerms = ApprovalTerms()
    images: Literal["allow", "block"] = "allow"
    tests: tuple[PolicyTest, ...] = ()


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A provider. The key comes from an environment variable or a private file, never from this page.

    `max_connections` bounds the sockets; `retries` are further tries of a request of which no byte was answered.
    """

    id: str
    base_url: str
    dialect: Literal["openai", "openai-responses", "anthropic", "google"] = "openai"
    key_env: str | None = None
    key_file: str | None = None
    headers: dict[str, str] = {}
    connect_timeout_s: Decimal = Decimal(5)
    first_byte_timeout_s: Decimal = Decimal(120)
    idle_timeout_s: Decimal = Decimal(60)
    retries: int = 1
    max_connections: int = 1000
    health_path: str | None = None
    allow_insecure: bool = False


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """US dollars a million tokens."""

    input: Decimal
    output: Decimal


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model at an upstream, with the bundle of its label."""

    upstream: str
    model: str | None = None
    bundle: str | None = None
    price: Price | None = None
    params: dict[str, str | int | bool] = {}
    """Set on every request of this target, over what the client sends."""
    system_prompt_file: str | None = None
    """Set as the system prompt of every request of this target, before the client's own."""


class ModelRoute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A name that clients ask for (or a prefix and `*`), and the targets tried in order."""

    name: str
    to: tuple[Target, ...]
    policy: str | None = None
    """Another policy than the gateway's, by its id under `policies`."""


class AuditSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the audit trail is kept and what is in it. `content: true` keeps redacted texts; off by default."""

    folder: str = "audit"
    content: bool = False
    sync_ms: int = 50
    key: str | None = None
    """Private key file that signs checkpoints of the trail."""
    checkpoint_s: int = 60


class Telemetry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`metrics` serves /metrics; traces go to an OTLP endpoint where one is named."""

    metrics: bool = True
    otlp_endpoint: str | None = None
    genai_conventions: bool = False
    service_name: str = "verilabel-gateway"


class Gateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`gateway.yaml`: where the gateway listens, what it stands before, which policy holds.

    `policy` is a path to a policy file, or `pack:NAME@sha256:...` for a pinned pack; `policies` are further ones by
    id, for routes and keys. `store` is a SQLite file or a postgresql:// URL; `limits_store` is `memory` or a redis://
    URL, and `limits_lost` what happens while Redis cannot be reached: `block`, or this process's share
    (`share`: 1/workers). `auth: none` is taken on loopback alone.
    """

    gateway: Literal[1]
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    auth: Literal["keys", "none"] = "keys"
    store: str = "gateway.db"
    limits_store: str = "memory"
    limits_lost: Literal["block", "share"] = "block"
    upstreams: tuple[Upstream, ...]
    models: tuple[ModelRoute, ...]
    policy: str | None = None
    policies: dict[str, str] = {}
    trust: str | None = None
    """Trust policy for the signatures of labels and packs."""
    verify_labels_s: int = 300
    audit: AuditSettings = AuditSettings()
    telemetry: Telemetry = Telemetry()
    max_request_bytes: int = 8 * 2**20
    max_response_bytes: int = 32 * 2**20
    max_buffered_bytes: int = 512 * 2**20
    """Request bodies that one worker keeps at once, together; more are refused until some are answered."""
    label_header: bool = True
    public_hosts: tuple[str, ...] = ()
    """Further names under which people reach the administration, such as a reverse proxy's."""
    approvals_key: str | None = None
    """Private key file that signs people's decisions."""
    approvals_log: str | None = None
    """Folder of a transparency log for the digests of decisions."""
