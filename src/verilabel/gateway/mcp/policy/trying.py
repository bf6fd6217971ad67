"""The tests that a tool policy carries: a trace of calls, and what must be decided of the last one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from verilabel.errors import MalformedInput, VerilabelError
from verilabel.gateway.mcp.policy.compiling import Compiled, compile_policy
from verilabel.gateway.mcp.policy.document import PolicyTest, TestStep, ToolPolicy
from verilabel.gateway.mcp.policy.filtering import compile_results
from verilabel.gateway.mcp.policy.interface import Decision, ResultFilter, SessionView, ToolCall
from verilabel.gateway.mcp.policy.provenance import fold_text, vouching_text
from verilabel.gateway.policy.forms import convert_document
from verilabel.gateway.policy.remark import Remark, mistake
from verilabel.gateway.policy.trying import Tried

MAX_STEPS = 1000


def read_trace(test: PolicyTest, where: str = "$") -> tuple[TestStep, ...]:
    """The steps of a test: `mail/read`, `{mail/send: {to: x}}` or a whole step with `call`. Raises MalformedInput."""
    if not test.trace or len(test.trace) > MAX_STEPS:
        raise MalformedInput(f"a trace has 1 to {MAX_STEPS} calls", where=f"{where}.trace")
    return tuple(_read_step(step, f"{where}.trace[{i}]") for i, step in enumerate(test.trace))


def _read_step(step: str | dict[str, Any], where: str) -> TestStep:
    if isinstance(step, str):
        read = TestStep(call=step)
    elif "call" in step:
        read = convert_document(step, TestStep, where)
    elif len(step) == 1 and isinstance(arguments := next(iter(step.values())), dict | None):
        read = TestStep(call=next(iter(step)), args=arguments or {})
    else:
        raise MalformedInput(
            "no step of a trace",
            where=where,
            hint="mail/read, {mail/send: {to: x}}, or {call: mail/send, args: {}}",
        )
    server, slash, tool = read.call.partition("/")
    if not (server and slash and tool) or "*" in read.call:
        raise MalformedInput(f"{read.call[:80]!r} names no tool", where=where, hint="SERVER/TOOL")
    return read


def lint_tests(policy: ToolPolicy) -> Iterator[Remark]:
    """Tests whose traces cannot be read, and those that name a rule that there is not."""
    for index, test in enumerate(policy.tests):
        try:
            read_trace(test, f"$.tests[{index}]")
        except MalformedInput as error:
            yield mistake(error.where or f"$.tests[{index}]", error.message, error.hint)


def run_tool_tests(policy: ToolPolicy, digest: str = "") -> tuple[Tried, ...]:
    """Carry out every test of a policy, in order. A test that cannot be carried out has failed.

    Raises MalformedInput for a policy that cannot be made ready, MissingExtra without google-re2.
    """
    compiled = compile_policy(policy, digest)
    results = compile_results(policy.results)
    return tuple(
        _run_test(compiled, results, test, test.name or f"test {index + 1}")
        for index, test in enumerate(policy.tests)
    )


def _run_test(compiled: Compiled, results: ResultFilter, test: PolicyTest, name: str) -> Tried:
    try:
        *earlier, last = read_trace(test)
        session = SessionView(user_prompt=fold_text(test.user_prompt))
        for number, step in enumerate(earlier, 1):
            decision = compiled.decide(call_of(step), session)
            if decision.action == "deny" or (decision.action == "ask" and not step.approved):
                return Tried(name, (_stopped(number, step, decision),))
            session = carry_on(session, step, decision, results)
        decision = compiled.decide(call_of(last), session)
    except VerilabelError as error:
        return Tried(name, (f"could not be carried out: {error.message}",))
    problems = []
    said = ", ".join(decision.rules) or "none"
    if decision.action != test.expect:
        problems.append(f"expected {test.expect}, came {decision.action} (by {said})")
    if test.rule is not None and test.rule not in decision.rules:
        problems.append(f"expected by the rule {test.rule}, came by {said}")
    return Tried(name, tuple(problems))


def _stopped(number: int, step: TestStep, decision: Decision) -> str:
    remedy = "`approved: true` lets it pass" if decision.action == "ask" else "leave it out"
    return f"the trace ends at call {number}, {step.call}: {decision.action} by {', '.join(decision.rules)}; {remedy}"


def call_of(step: TestStep) -> ToolCall:
    """The call of a step."""
    server, _, tool = step.call.partition("/")
    return ToolCall(server=server, tool=tool, arguments=step.args)


def carry_on(session: SessionView, step: TestStep, decision: Decision, results: ResultFilter) -> SessionView:
    """The session after a call was let through and returned what the step says."""
    labels = session.labels | decision.before | decision.after
    trusted = session.trusted_text
    if step.returns:
        filtered = results.apply(step.returns)
        labels |= filtered.labels
        if decision.vouches and "untrusted" not in filtered.labels:
            trusted = f"{trusted}\n{vouching_text(filtered.text, step.args)}"
    return msgspec.structs.replace(session, labels=labels, trusted_text=trusted, calls=session.calls + 1)
