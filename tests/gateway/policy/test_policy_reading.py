"""Reading policies: the place of every mistake, and what was probably meant."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput, UsageError, VerilabelError
from verilabel.gateway.limits.amounts import compile_limits
from verilabel.gateway.policy.bundled import bundled_bytes, bundled_names
from verilabel.gateway.policy.document import GuardEntry
from verilabel.gateway.policy.reading import MAX_POLICY_BYTES, PolicyFile, load_policy, read_policy
from verilabel.records.canonical import digest

HEAD = "policy: mine\nversion: '1'\n"
GUARD = HEAD + "guards:\n  - id: g\n    use: pii\n"


def load(text: str) -> PolicyFile:
    return load_policy(text.encode(), "mine.yaml")


def mistake_in(text: str) -> MalformedInput:
    with pytest.raises(MalformedInput) as caught:
        load(text)
    return caught.value


def remarks_on(text: str, today: date = date(2026, 11, 22)) -> list[tuple[str, str]]:
    read = read_policy(text.encode(), "mine.yaml", today=today)
    return [(remark.severity, remark.where) for remark in read.remarks if remark.where != "$.tests"]


def test_a_policy_is_identified_by_its_exact_bytes(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(GUARD)
    read = load_policy(path)
    assert (digest(GUARD.encode()), "mine@1", path) == (read.digest, read.name, read.path)
    assert read.digest != load(GUARD + "# a comment\n").digest


def test_decimals_are_read_as_written() -> None:
    assert Decimal("0.10") == load(GUARD + "    share: 0.10\n").policy.guards[0].share
    assert "0.10" == str(
        load(GUARD + "    settings: {threshold: 0.10}\n").policy.guards[0].settings["threshold"]
    )


@pytest.mark.parametrize(
    ("text", "where", "message", "hint"),
    [
        (GUARD + "    acton: block\n", "$.guards[0].acton", "unknown word 'acton'", "did you mean 'action'?"),
        (GUARD + '    "on": [input]\n', "$.guards[0].on", "unknown word 'on'", "did you mean 'directions'?"),
        (GUARD + "    action: blok\n", "$.guards[0].action", "'blok' is not one of", "did you mean 'block'?"),
        (GUARD + "    rules: {a: flag, b: blok}\n", "$.guards[0].rules.b", "'blok' is not one", "'block'"),
        (GUARD + "    directions: [inputs]\n", "$.guards[0].directions[0]", "'inputs' is not", "'input'"),
        (HEAD + "guards:\n  - id: g\n", "$.guards[0]", "'use' is missing", None),
        ("policy: mine\nversion: 1.0\n", "$.version", "a number where text belongs", "put it in quotes"),
        (HEAD + "guards: {}\n", "$.guards", "a mapping where a list belongs", None),
        (HEAD + "approvals: {quorm: 2}\n", "$.approvals.quorm", "unknown word 'quorm'", "'quorum'"),
        (HEAD + "format: verilabel/policy/v2\n", "$.format", "is not one of", "verilabel/policy/v1"),
        ("[]\n", "$", "a list where a mapping belongs", None),
    ],
)
def test_a_mistake_names_the_file_and_the_place(
    text: str, where: str, message: str, hint: str | None
) -> None:
    error = mistake_in(text)
    assert f"mine.yaml: {where}" == error.where
    assert message in error.message
    assert hint is None or hint in (error.hint or "")


def test_a_bare_on_is_refused_with_its_line() -> None:
    assert "mine.yaml:6:5" == mistake_in(GUARD + "    on: [input]\n").where


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (GUARD + "  - id: g\n    use: secrets\n", "$.guards[1].id"),
        (GUARD + "rules:\n  - id: g\n    when: request.stream\n", "$.rules[0].id"),
        (GUARD.replace("id: g", "id: My Guard"), "$.guards[0].id"),
        (GUARD + "    directions: []\n", "$.guards[0].directions"),
        (GUARD + "    directions: [output]\n    fields: [system, tool_result]\n", "$.guards[0].fields"),
        (GUARD + "    action: replace\n", "$.guards[0].replace_with"),
        (GUARD + "    replace_with: gone\n", "$.guards[0].replace_with"),
        (GUARD + "    action: allow\n", "$.guards[0].action"),
        (GUARD + "    share: 0\n", "$.guards[0].share"),
        (GUARD + "    share: 1.5\n", "$.guards[0].share"),
        (GUARD + "    timeout_ms: 0\n", "$.guards[0].timeout_ms"),
        (GUARD + "    window_chars: 1\n", "$.guards[0].window_chars"),
        (GUARD + "    when: request.modle == 'x'\n", "$.guards[0].when"),
        (GUARD + "    message: ''\n", "$.guards[0].message"),
        (GUARD + "    rules: {pii.email: allow}\n  - id: h\n    use: pii\n", "$.guards[0].rules.pii.email"),
        (HEAD + "rules:\n  - id: r\n    when: request.turns\n", "$.rules[0].when"),
        (HEAD + "limits:\n  - id: l\n", "$.limits[0]"),
        (HEAD + "limits:\n  - id: l\n    requests: 5/s\n    tokens: 5/s\n", "$.limits[0]"),
        (HEAD + "limits:\n  - id: l\n    requests: 5 a day\n", "$.limits[0].requests"),
        (HEAD + "limits:\n  - id: l\n    cost_usd: 5/s\n", "$.limits[0].cost_usd"),
        (HEAD + "limits:\n  - id: l\n    concurrency: 0\n", "$.limits[0].concurrency"),
        (HEAD + "limits:\n  - id: l\n    concurrency: 5\n    burst: 2\n", "$.limits[0].burst"),
        (HEAD + "limits:\n  - id: l\n    requests: 5/s\n    burst: 6\n", "$.limits[0].burst"),
        (HEAD + "limits:\n  - id: l\n    cost_usd: 0.00/day\n", "$.limits[0].cost_usd"),
        (HEAD + "limits:\n  - id: l\n    concurrency: 5\n    per: [all, key]\n", "$.limits[0].per"),
        (HEAD + "limits:\n  - id: l\n    concurrency: 5\n    route: g*t\n", "$.limits[0].route"),
        (GUARD + "    action: hold\napprovals: {roles: [auditor]}\n", "$.approvals.roles"),
        (GUARD + "    action: hold\napprovals: {roles: []}\n", "$.approvals.roles"),
        (HEAD + "approvals: {roles: [approvers]}\n", "$.approvals.roles"),
        (HEAD + "approvals: {quorum: 0}\n", "$.approvals.quorum"),
        (HEAD + "approvals: {hold_s: 10, expires_s: 5}\n", "$.approvals.hold_s"),
        (HEAD + "approvals: {webhook: nowhere}\n", "$.approvals.webhook"),
        (HEAD + "tests:\n  - {name: a, expect: allow}\n", "$.tests[0]"),
        (HEAD + "tests:\n  - {name: a, input: x, output: z, expect: allow}\n", "$.tests[0]"),
        (HEAD + "tests:\n  - {name: a, input: x, text: z, expect: block}\n", "$.tests[0].text"),
        (HEAD + "tests:\n  - {name: a, input: x, rules: [z], expect: allow}\n", "$.tests[0].rules"),
        (
            HEAD + "tests:\n  - {name: a, input: x, expect: allow}\n  - {name: a, input: z, expect: flag}\n",
            "$.tests[1].name",
        ),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(text: str, where: str) -> None:
    assert ("error", where) in remarks_on(text)
    assert f"mine.yaml: {where}" == mistake_in(text).where


@given(
    word=st.sampled_from(["requests", "tokens", "cost_usd", "budget_tokens"]),
    number=st.sampled_from(
        ["0", "1", "5", "60", "007", "0.5", "0.000001", "0.0000001", "0.0", "1e3", "-1", "", "1."]
    ),
    unit=st.sampled_from(["/s", "/min", "/h", "/day", "/month", "/year", "", "/"]),
    burst=st.none() | st.integers(-1, 70),
)
def test_limits_without_mistakes_are_limits_that_can_be_counted(
    word: str, number: str, unit: str, burst: int | None
) -> None:
    row = json.dumps({"id": "l", word: number + unit} | ({} if burst is None else {"burst": burst}))
    read = read_policy(f"{HEAD}limits: [{row}]\n".encode(), "mine.yaml")
    if not any(remark.severity == "error" for remark in read.remarks):
        [compiled] = compile_limits(read.policy.limits, "$.limits")
        assert ("l", compiled.limit.amount >= 1) == (compiled.id, True)


def admit(row: str) -> str:
    return HEAD + f"admit:\n  - {{rubric: core, granted: L2{row}}}\n"


@pytest.mark.parametrize(
    ("row", "where"),
    [
        (", scope: [paramz]", "$.admit[0].scope"),
        (", ruled_out: L3", "$.admit[0]"),
        (", max_age_days: 0", "$.admit[0].max_age_days"),
        (", route: 'a*b'", "$.admit[0].route"),
        (
            ", waivers: [{requirement: grantd, reason: r, by: b, until: 2027-01-31}]",
            "$.admit[0].waivers[0].requirement",
        ),
        (
            ", waivers: [{requirement: ruled_out, reason: r, by: b, until: 2027-01-31}]",
            "$.admit[0].waivers[0].requirement",
        ),
        (
            ", waivers: [{requirement: granted, reason: ' ', by: b, until: 2027-01-31}]",
            "$.admit[0].waivers[0].reason",
        ),
        (
            ", waivers: [{requirement: granted, reason: r, by: b, until: 2027-02-30}]",
            "$.admit[0].waivers[0].until",
        ),
    ],
)
def test_an_admission_row_that_cannot_be_meant_is_refused(row: str, where: str) -> None:
    assert ("error", where) in remarks_on(admit(row))


@pytest.mark.parametrize(
    "guard",
    [
        "use: json, directions: [output], settings: {schema_file: answer.json}",
        "use: nemo, settings: {config: rails}",
    ],
)
def test_a_scope_that_binds_the_policy_is_refused_where_guards_read_other_files(guard: str) -> None:
    guards = f"guards:\n  - {{id: beside, {guard}}}\n"
    read = [
        place for severity, place in remarks_on(admit(", scope: [params]") + guards) if severity == "error"
    ]
    assert [] == read
    asked = admit(", scope: [params, guardrails]") + guards
    assert "beside" in mistake_in(asked).message
    assert ("error", "$.admit[0].scope") in remarks_on(asked)


@pytest.mark.parametrize(
    "guard",
    [
        "use: json, directions: [output], settings: {schema: {type: object}}",
        "use: model, settings: {base_url: 'http://127.0.0.1:1/v1', model: m, key_file: key}",
    ],
)
def test_a_scope_may_bind_the_policy_where_it_holds_all_that_guards_judge_by(guard: str) -> None:
    asked = admit(", scope: [guardrails]") + f"guards:\n  - {{id: whole, {guard}}}\n"
    assert [] == [place for severity, place in remarks_on(asked) if severity == "error"]


def test_a_waiver_that_ended_is_a_doubt_so_that_time_alone_refuses_no_policy() -> None:
    row = admit(", waivers: [{requirement: granted, reason: r, by: b, until: 2026-11-21}]")
    place = "$.admit[0].waivers[0].until"
    assert ("warning", place) in remarks_on(row, date(2026, 11, 22))
    assert ("warning", place) not in remarks_on(row, date(2026, 11, 21))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (HEAD, "$.guards"),
        (GUARD + "    mode: shadow\n", "$.guards"),
        (GUARD + "    directions: [input]\n", "$.guards"),
        (GUARD + "    directions: [output]\n", "$.guards"),
        (GUARD + "    on_error: allow\n", "$.guards[0].on_error"),
        (GUARD + "    release: optimistic\n", "$.guards[0].release"),
        (GUARD + "    rules: {pii.email: redact}\n", "$.guards[0].rules.pii.email"),
        (HEAD + "rules:\n  - {id: r, when: request.stream, on_error: allow}\n", "$.rules[0].on_error"),
        (admit(", otherwise: flag"), "$.admit[0].otherwise"),
        (HEAD + "admit:\n  - {granted: L2}\n", "$.admit[0].rubric"),
    ],
)
def test_what_is_allowed_and_probably_not_meant_is_a_doubt(text: str, where: str) -> None:
    assert ("warning", where) in remarks_on(text)
    load(text)


def test_an_allowance_that_the_other_guard_leaves_out_is_no_contradiction() -> None:
    allowing = GUARD + "    rules: {pii.email: allow}\n"
    other = "  - id: h\n    use: pii\n"
    assert ("error", "$.guards[0].rules.pii.email") in remarks_on(allowing + other)
    for apart in (
        "    settings: {without: [pii.email]}\n",
        "    mode: shadow\n",
        "    settings: {only: [pii.ssn]}\n",
    ):
        assert not [each for each in remarks_on(allowing + other + apart) if each[0] == "error"]
    assert ("warning", "$.guards[0].rules.pii.email") in remarks_on(allowing + other + "    share: 0.5\n")


def test_the_kind_of_a_guard_is_checked_by_whoever_knows_the_kinds() -> None:
    def check(entry: GuardEntry, where: str) -> list[str]:
        if entry.use != "pii":
            raise MalformedInput(f"no guard {entry.use!r}", where=f"{where}.use", hint="pii")
        return ["pii.email", "pii.card"]

    load_policy(GUARD.encode(), "mine.yaml", check_guard=check)
    with pytest.raises(MalformedInput) as caught:
        load_policy(GUARD.replace("pii", "pio").encode(), "mine.yaml", check_guard=check)
    assert ("mine.yaml: $.guards[0].use", "pii") == (caught.value.where, caught.value.hint)
    with pytest.raises(MalformedInput) as caught:
        load_policy((GUARD + "    rules: {pii.mail: flag}\n").encode(), "mine.yaml", check_guard=check)
    assert "mine.yaml: $.guards[0].rules.pii.mail" == caught.value.where
    assert "did you mean 'pii.email'?" == caught.value.hint


def test_the_first_mistake_says_how_many_more_there_are() -> None:
    error = mistake_in(GUARD + "    share: 2\n    timeout_ms: 0\n    window_chars: 0\n")
    assert "mine.yaml: $.guards[0].share" == error.where
    assert "2 more" in (error.hint or "")


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.yaml", tmp_path):
        with pytest.raises(UsageError):
            load_policy(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"#" * (MAX_POLICY_BYTES + 1))
    with pytest.raises(LimitExceeded):
        load_policy(path)


@pytest.mark.parametrize("name", bundled_names())
def test_bundled_policies_have_no_mistakes_and_carry_tests(name: str) -> None:
    read = load_policy(bundled_bytes(name), name)
    assert name == read.policy.policy
    assert {True, False} == {test.input is not None for test in read.policy.tests}
    assert {"allow"} < {test.expect for test in read.policy.tests} or name == "observe"


def test_a_bundled_name_is_never_a_path() -> None:
    with pytest.raises(UsageError) as caught:
        bundled_bytes("../data/default")
    assert "did you mean" in (caught.value.hint or "") or "there are" in (caught.value.hint or "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab:-*", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "use", "rules", "when"]), inner)
    ),
    max_leaves=6,
)


@given(
    section=st.sampled_from(["guards", "rules", "admit", "limits", "approvals", "tests", "images", "extra"]),
    value=JSON,
)
def test_no_document_makes_reading_fail_otherwise(section: str, value: object) -> None:
    document = json.dumps({"policy": "mine", "version": "1", section: value}).encode()
    try:
        load_policy(document, "mine.yaml")
    except VerilabelError as error:
        assert str(error.where).startswith("mine.yaml")
