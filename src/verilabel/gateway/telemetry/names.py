"""The names of all metrics and span attributes, in one place: they are an interface, and a page lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Merge = Literal["sum", "max", "min"]

SHORT_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
LONG_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


@dataclass(frozen=True)
class Metric:
    """One metric: its name without `verilabel_gateway_`, its labels, and how workers' gauges become one."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    says: str
    merge: Merge = "sum"
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As Prometheus knows it."""
        return f"verilabel_gateway_{self.name}"


REQUESTS = Metric(
    "requests_total",
    "counter",
    ("route", "dialect", "outcome", "code"),
    "Requests that ended; code is the HTTP status",
)
IN_FLIGHT = Metric("requests_in_flight", "gauge", (), "Requests that have begun and not ended")
DURATION = Metric(
    "request_seconds",
    "histogram",
    ("route", "dialect"),
    "From a request's first byte to its answer's last",
    "sum",
    LONG_BUCKETS,
)
FIRST_BYTE = Metric(
    "upstream_first_byte_seconds",
    "histogram",
    ("route", "dialect"),
    "From the whole request to the upstream's first byte",
    "sum",
    LONG_BUCKETS,
)
OVERHEAD = Metric(
    "overhead_seconds",
    "histogram",
    ("route", "dialect"),
    "What the gateway itself added to a request",
    "sum",
    SHORT_BUCKETS,
)
TOKENS = Metric(
    "tokens_total",
    "counter",
    ("route", "direction"),
    "Tokens that upstreams counted; direction is input or output",
)
COST = Metric("cost_usd_total", "counter", ("route",), "US dollars by the prices of the targets")
FINDINGS = Metric(
    "guard_findings_total",
    "counter",
    ("guard", "rule", "action", "mode"),
    "What guards found; mode is enforce or shadow",
)
GUARD_ERRORS = Metric(
    "guard_errors_total",
    "counter",
    ("guard", "decided"),
    "Guards that could not look; decided is block or allow",
)
FAIL_OPEN = Metric(
    "fail_open_total",
    "counter",
    ("what",),
    "Times something was let through because a check could not be made",
)
LIMITED = Metric("limits_refused_total", "counter", ("limit",), "Requests that a limit refused")
LIMITS_LOST = Metric(
    "limits_lost_total",
    "counter",
    ("decided",),
    "Requests while the limits' store could not be asked; decided is block or share",
)
APPROVALS_PENDING = Metric("approvals_pending", "gauge", (), "Held requests that wait for people", "max")
APPROVALS_DECIDED = Metric(
    "approvals_decided_total",
    "counter",
    ("verdict",),
    "Votes that people cast over HTTP; verdict is approve or deny",
)
ADMITTED = Metric(
    "admission_admitted", "gauge", ("route", "target"), "1 if the target's label admits it now", "min"
)
NOT_ADMITTED = Metric("admission_refused_total", "counter", ("route",), "Requests refused because of a label")
UPSTREAM_UP = Metric("upstream_up", "gauge", ("upstream",), "1 if the upstream is taken to be healthy", "min")
UPSTREAM_TRIES = Metric(
    "upstream_tries_total",
    "counter",
    ("upstream", "result"),
    "Tries at an upstream; result is answered or a kind of failure",
)
POLICY_RELOADS = Metric(
    "policy_reloads_total", "counter", ("result",), "Reloads of the policy; result is ok or failed"
)
LOOP_LAG = Metric(
    "loop_lag_seconds", "gauge", (), "How late the event loop was, at worst, in the last 10 s", "max"
)
LOOP_STALLS = Metric("loop_stalls_total", "counter", (), "Times the event loop was late by 20 ms or more")
AUDIT_ERRORS = Metric(
    "audit_errors_total", "counter", (), "Records that could not be written; their requests were refused"
)
AUDIT_WRITABLE = Metric("audit_writable", "gauge", (), "1 if the audit trail can be written", "min")
SPANS_LOST = Metric("spans_lost_total", "counter", (), "Spans that the OTLP endpoint did not take in time")
WORKERS = Metric("workers", "gauge", (), "Workers that are alive")

METRICS = (
    REQUESTS,
    IN_FLIGHT,
    DURATION,
    FIRST_BYTE,
    OVERHEAD,
    TOKENS,
    COST,
    FINDINGS,
    GUARD_ERRORS,
    FAIL_OPEN,
    LIMITED,
    LIMITS_LOST,
    APPROVALS_PENDING,
    APPROVALS_DECIDED,
    ADMITTED,
    NOT_ADMITTED,
    UPSTREAM_UP,
    UPSTREAM_TRIES,
    POLICY_RELOADS,
    LOOP_LAG,
    LOOP_STALLS,
    AUDIT_ERRORS,
    AUDIT_WRITABLE,
    SPANS_LOST,
    WORKERS,
)
BY_NAME = {metric.name: metric for metric in METRICS}

REQUEST_SPAN = "verilabel.gateway.request"
UPSTREAM_SPAN = "verilabel.gateway.upstream"

ATTRIBUTES = {
    "verilabel.request.id": "id of the request, as in the audit trail",
    "verilabel.route": "name of the route",
    "verilabel.dialect": "chat, responses, completions, embeddings or messages",
    "verilabel.outcome": "answered, refused, held, failed, cut or abandoned",
    "verilabel.code": "the refusal's code",
    "verilabel.key": "id of the virtual key",
    "verilabel.policy.digest": "digest of the policy in force",
    "verilabel.label.digest": "digest of the label's statement",
    "verilabel.streamed": "true for a stream",
    "verilabel.findings": "number of findings",
    "verilabel.upstream": "id of the upstream",
    "http.response.status_code": "status of the answer",
}
GENAI_ATTRIBUTES = {
    "gen_ai.operation.name": "chat, text_completion or embeddings",
    "gen_ai.provider.name": "the dialect of the upstream: openai, anthropic, gcp.gen_ai",
    "gen_ai.request.model": "the model that the upstream was asked for",
    "gen_ai.response.model": "the model that the upstream says it served",
    "gen_ai.usage.input_tokens": "tokens of the request",
    "gen_ai.usage.output_tokens": "tokens of the answer",
}
