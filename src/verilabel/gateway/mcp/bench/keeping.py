"""A bench on the disk: the policy's bytes, every trace, the counts; and the check that one follows from the other.

    policy.yaml    the exact bytes of the policy that decided
    traces.jsonl   one line a case: every decision with what it was made from
    result.json    the counts

Checking needs neither the world nor its package: each decision is made again by the policy from the trace, and the
counts are derived again. That the world did what its trace says stays the word of whoever ran the bench.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from verilabel.errors import CheckFailed, LimitExceeded, MalformedInput, UsageError
from verilabel.evidence.atomic import write_file
from verilabel.gateway.mcp.bench.choosing import make_ready
from verilabel.gateway.mcp.bench.counting import count_traces
from verilabel.gateway.mcp.bench.interface import BenchResult, PolicyUsed, Trace, TracedCall, WorldUsed
from verilabel.gateway.mcp.bench.replaying import Rules
from verilabel.gateway.mcp.policy.interface import SessionView, ToolCall
from verilabel.gateway.mcp.policy.provenance import fold_text, vouching_text
from verilabel.gateway.mcp.policy.reading import ToolPolicyFile, load_tool_policy
from verilabel.gateway.mcp.relay.sessions import Session

POLICY_FILE = "policy.yaml"
TRACES_FILE = "traces.jsonl"
RESULT_FILE = "result.json"
MAX_TRACES_BYTES = 512 * 2**20
MAX_RESULT_BYTES = 2**20
_TRACE: msgspec.json.Decoder[Trace] = msgspec.json.Decoder(Trace)


def write_traces(traces: Iterable[Trace]) -> bytes:
    """The bytes of the file of traces."""
    return b"".join(msgspec.json.encode(trace, order="deterministic") + b"\n" for trace in traces)


def make_result(
    traces: Sequence[Trace], policy: ToolPolicyFile, world: WorldUsed, attacks: str, attacker: str
) -> BenchResult:
    """The result of a bench: a pure function of its traces, and of what it is said to be about."""
    suites, total = count_traces(traces)
    return BenchResult(
        world=world,
        policy=PolicyUsed(name=policy.policy.policy, version=policy.policy.version, digest=policy.digest),
        attacks=attacks,
        attacker=attacker,
        suites=suites,
        total=total,
        traces_sha256=hashlib.sha256(write_traces(traces)).hexdigest(),
    )


def result_bytes(result: BenchResult) -> bytes:
    """The bytes of the result's file."""
    return msgspec.json.format(msgspec.json.encode(result, order="deterministic"), indent=2) + b"\n"


def keep_bench(
    folder: Path, policy: ToolPolicyFile, traces: Sequence[Trace], result: BenchResult, *, force: bool
) -> None:
    """Write a bench down; the result comes last, so that a folder with one is whole.

    Raises UsageError where there is one already and `force` is false.
    """
    if (folder / RESULT_FILE).exists() and not force:
        raise UsageError(
            "there is a bench here already", where=str(folder), hint="choose another --out, or --force"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT_FILE).unlink(missing_ok=True)
    write_file(folder / POLICY_FILE, policy.data, overwrite=True)
    write_file(folder / TRACES_FILE, write_traces(traces), overwrite=True)
    write_file(folder / RESULT_FILE, result_bytes(result), overwrite=True)


def check_bench(folder: Path) -> BenchResult:
    """Make every decision of a kept bench again, and its counts.

    Raises CheckFailed with the first case where a decision or a count does not follow, MalformedInput or UsageError
    where the folder does not hold a bench.
    """
    kept_bytes = _read(folder / RESULT_FILE, MAX_RESULT_BYTES)
    policy = load_tool_policy(folder / POLICY_FILE)
    rules = make_ready(policy)
    traces = list(read_traces(folder / TRACES_FILE))
    for trace in traces:
        _check_trace(rules, trace)
    try:
        kept = msgspec.json.decode(kept_bytes, type=BenchResult)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedInput(f"not a result: {error}", where=str(folder / RESULT_FILE)) from None
    again = make_result(traces, policy, kept.world, kept.attacks, kept.attacker)
    if result_bytes(again) != kept_bytes:
        raise CheckFailed("the counts do not follow from the traces", where=str(folder / RESULT_FILE))
    return kept


def read_traces(path: Path) -> Iterator[Trace]:
    """The traces of a file. Raises MalformedInput with the line, UsageError where there is no file."""
    for number, line in enumerate(_read(path, MAX_TRACES_BYTES).splitlines(), 1):
        try:
            yield _TRACE.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedInput(f"not a trace: {error}", where=f"{path}:{number}") from None


def _read(path: Path, limit: int) -> bytes:
    if not path.is_file():
        raise UsageError("there is no such file", where=str(path), hint="verilabel mcp bench --out writes it")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise LimitExceeded(f"the file has more than {limit} bytes", where=str(path))
    return data


def _check_trace(rules: Rules, trace: Trace) -> None:
    session = Session("bench", 0, frozenset(), 0)
    session.prompt = fold_text(trace.user_prompt)
    for number, traced in enumerate(trace.calls, 1):
        if not _follows(rules, session, traced):
            case = trace.case
            raise CheckFailed(
                "a decision does not follow from the policy",
                where=f"{case.suite} {case.user_task} {case.attack or 'alone'}: call {number}, {traced.call}",
            )


def _follows(rules: Rules, session: Session, traced: TracedCall) -> bool:
    """True if the policy decides a call as its trace says; the session then goes on as it did."""
    server, _, tool = traced.call.partition("/")
    view: SessionView = session.view
    decision = rules.policy.decide(ToolCall(server=server, tool=tool, arguments=traced.args), view)
    expected = (decision.action, decision.rules, tuple(sorted(view.labels)), decision.sink or "")
    if (traced.action, traced.rules, traced.labels, traced.sink) != expected:
        return False
    if traced.approved != (decision.action == "ask" and traced.by == "user"):
        return False
    if decision.action == "allow" or traced.approved:
        session.labels |= decision.before | decision.after | frozenset(traced.brings)
        session.calls += 1
        if decision.vouches and not traced.failed and "untrusted" not in traced.brings:
            session.vouch(vouching_text(traced.returns, traced.args))
    return True
