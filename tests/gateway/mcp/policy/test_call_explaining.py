"""Why a call is decided as it is, and a recorded decision made again from the audit trail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tool_policies import MAIL, call_of, policy_of, session_of
from verilabel.errors import MalformedInput, Undetermined, UsageError
from verilabel.gateway.audit.lines import RecordLine
from verilabel.gateway.audit.record import ToolRecord
from verilabel.gateway.mcp.policy.explaining import explain_call
from verilabel.gateway.mcp.policy.interface import SessionView, ToolCall
from verilabel.gateway.mcp.policy.replaying import Replayed, replay_decision

POLICY = policy_of(MAIL)
SEND = call_of("mail/send", to="ann@corp.example", body="hi")


def test_every_rule_that_looked_is_told_with_its_place() -> None:
    explanation = explain_call(POLICY, SEND, session_of("private", "untrusted"))
    looks = [(look.rule, look.where, look.says) for look in explanation.looks]
    assert [("send", "$.tools[1]", "allow"), ("no-exfil", "$.flows[0]", "ask")] == looks
    assert 6 == explanation.silent


def test_a_flow_that_is_silent_says_why() -> None:
    def why(session: SessionView) -> str:
        return next(look.why for look in explain_call(POLICY, SEND, session).looks if look.rule == "no-exfil")

    assert "the session is not private, untrusted" == why(session_of())
    assert "the call is exempt" == why(session_of("private", "untrusted", prompt="ann@corp.example"))


def test_what_would_have_changed_the_answer_is_told() -> None:
    explanation = explain_call(POLICY, SEND, session_of("private", "untrusted"))
    assert {
        "if the session were not private": "allow",
        "if the session were not untrusted": "allow",
        "if the session had no label": "allow",
        "if the person had named the arguments": "allow",
        "without the rule no-exfil": "allow",
    } == {other.condition: other.action for other in explanation.otherwise}
    calm = explain_call(POLICY, SEND, session_of("private"))
    assert {"if the session were untrusted": "ask", "without the rule send": "deny"} == {
        other.condition: other.action for other in calm.otherwise
    }


def test_no_value_and_no_unknown_name_of_an_argument_is_told() -> None:
    call = call_of("mail/send", to="sk-secret-value", secret_name="x")
    told = str(explain_call(POLICY, call, session_of("private", "untrusted")))
    assert "sk-secret" not in told and "secret_name" not in told
    assert "the argument to is no plain e-mail address" in told


def test_a_tool_without_a_rule_and_a_session_without_calls_are_told() -> None:
    unknown = explain_call(POLICY, call_of("x/y"), session_of())
    assert [("default", "", "deny")] == [(look.rule, look.where, look.says) for look in unknown.looks]
    spent = explain_call(POLICY, SEND, session_of(calls=1000))
    assert "if the session had calls left" in [other.condition for other in spent.otherwise]


# -- from the trail ----------------------------------------------------------------------------------------


def line(call_id: str, call: ToolCall, session: SessionView, **changed: Any) -> RecordLine:
    """The line that a gateway writes of a decision, with content."""
    decision = POLICY.decide(call, session)
    tool = ToolRecord(
        server=call.server,
        tool=call.tool,
        session="s#0",
        action=decision.action,
        rules=decision.rules,
        labels=tuple(sorted(session.labels)),
        calls=session.calls,
        vouches=decision.vouches,
    )
    content = {"arguments": json.dumps(call.arguments), "prompt": session.user_prompt}
    fields: dict[str, Any] = {
        "event": "begun",
        "outcome": "allowed",
        "policy": POLICY.digest,
        "content": content,
    }
    return RecordLine(id=call_id, at_us=1, tool=tool, **{**fields, **changed})


def result(call_id: str, call: ToolCall, text: str | None) -> RecordLine:
    """The line behind a call that came back; without a text no content was kept."""
    kept = None if text is None else {"result": json.dumps({"content": [{"type": "text", "text": text}]})}
    return line(call_id, call, session_of(), event="ended", outcome="answered", content=kept)


def replay(records: list[RecordLine], call_id: str = "c1") -> Replayed:
    return replay_decision(records, call_id, POLICY)


@pytest.mark.parametrize(
    "session",
    [
        session_of(),
        session_of("private", "untrusted"),
        session_of("private", "untrusted", prompt="ann@corp.example"),
    ],
)
def test_the_same_policy_gives_the_recorded_decision_again(session: SessionView) -> None:
    replayed = replay([line("c0", call_of("x/y"), session), line("c1", SEND, session)])
    assert (True, True) == (replayed.decides_same, replayed.under_same_policy)
    assert replayed.recorded_action == replayed.decision.action


def test_what_a_trusted_tool_had_returned_vouches_again() -> None:
    tainted = session_of("private", "untrusted")
    book = call_of("mail/address_book")
    vouched = session_of("private", "untrusted", trusted="Ann: ann@corp.example")
    looked_up = [line("c0", book, session_of()), result("c0", book, "Ann: ann@corp.example")]
    replayed = replay([*looked_up, line("c1", SEND, vouched)])
    assert ("allow", True) == (replayed.decision.action, replayed.decides_same)
    assert not replay([line("c1", SEND, vouched)]).decides_same
    assert not replay([*looked_up, line("c1", SEND, tainted)]).decides_same


def test_a_line_that_was_changed_decides_otherwise() -> None:
    record = line("c1", SEND, session_of())
    import msgspec

    forged = msgspec.structs.replace(
        record, tool=msgspec.structs.replace(record.tool, labels=("private", "untrusted"))
    )
    assert not replay([forged]).decides_same


def test_another_policy_is_told_apart() -> None:
    replayed = replay([line("c1", SEND, session_of(), policy="sha256:other")])
    assert (True, False) == (replayed.decides_same, replayed.under_same_policy)


def test_without_content_only_what_needs_none_is_decided_again() -> None:
    session = session_of("private", "untrusted")
    read = line("c1", call_of("mail/read_inbox"), session, content=None)
    assert replay([read]).decides_same
    with pytest.raises(Undetermined):
        replay([line("c1", SEND, session, content=None)])
    with pytest.raises(Undetermined):
        replay([result("c0", call_of("mail/address_book"), None), line("c1", SEND, session)])


def test_an_id_that_is_not_there_and_a_broken_content_are_said() -> None:
    with pytest.raises(UsageError):
        replay([line("c0", SEND, session_of())])
    with pytest.raises(UsageError):
        replay([RecordLine(event="ended", id="c1", at_us=1)])
    for broken in ("{", "[]", "[" * 5000):
        with pytest.raises(MalformedInput):
            replay([line("c1", SEND, session_of(), content={"arguments": broken})])
