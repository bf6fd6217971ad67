"""Training data on the report and in `show`: what was read, the label's own suites, bounds, and what stays open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit_statements import (
    AUDITOR,
    ROOT,
    TRUST,
    TRUST_TEXT,
    bounded,
    covering,
    declaration_of,
    findings_of,
    matches,
    read_parts,
    reference,
)
from bundle_factory import READ
from party_factory import STRANGER, make_party, model_that, replica_recipe, replication_of, statement_of
from party_factory import withdrawal_of as take_back
from verilabel.cli import main
from verilabel.evidence.container import open_container
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.trust import TrustPolicy
from verilabel.evidence.verifier import verify_bundle
from verilabel.report.building import build_view
from verilabel.report.page import render_page
from verilabel.report.view import ReportView
from verilabel.report.wording import TRAINING_LIMITS, say_bound

HOSTILE = "</td><script>alert(1)</script> \u202egnp"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def replication(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Signed:
    replica = make_party(tmp_path_factory.mktemp("replica"), replica_recipe(), model_that(11))
    return replication_of(original, replica)


def view_with(path: Path, *statements: Signed, trust: TrustPolicy | None = TRUST) -> ReportView:
    """The view of a bundle with statements beside it."""
    found = verify_bundle(path, trust=trust, now=READ, statements=statements)
    with open_container(path) as container:
        return build_view(container, found, bundle="b", read_at=READ, beside=statements)


def section_of(view: ReportView) -> str:
    """The section's markup, with apostrophes as they are read."""
    page = render_page(view).replace("&#x27;", "'")
    start = page.index('<section id="training-data"')
    return page[start : page.index("</section>", start)]


def test_a_label_that_nobody_audited_has_no_such_section(original: Path) -> None:
    view = view_with(original)
    assert ((), False) == (view.audits, 'id="training-data"' in render_page(view))


def test_the_label_s_suites_stand_first_also_those_that_nobody_looked_for(original: Path) -> None:
    _, plan = read_parts(original)
    quiz = next(m for m in covering(plan) if "quiz" in m.benchmark)
    (audit,) = view_with(original, declaration_of(original, contamination=(matches(), quiz))).audits
    assert [
        ("test/quiz@1.0.0", 20, 20),
        ("test/puzzles@1.0.0", 0, 10),
        ("gsm8k.jsonl", 1319, None),
    ] == [(b.benchmark, b.items, b.samples) for b in audit.benchmarks]
    section = section_of(view_with(original, declaration_of(original, contamination=(matches(), quiz))))
    assert "a suite of this label: not looked for" in section
    assert "a suite of this label: not found" in section
    assert section.index("test/puzzles@1.0.0") < section.index("gsm8k.jsonl")


def test_the_section_has_what_was_read_bounds_canaries_and_limits(original: Path) -> None:
    section = section_of(view_with(original, declaration_of(original)))
    for text in (
        "training data of this system, as the signer declares",
        "998 of 1\u202f000 documents, 2\u202f500\u202f000 bytes of text, in 3 shards; 2 could not be read",
        "pii.email",
        "15\u202f235",
        "every one that was read: 998",
        "a sample of 100",
        "299",
        ROOT,
        "not what the model was trained on",
        *TRAINING_LIMITS,
    ):
        assert text in section


def test_items_of_the_label_s_suites_in_the_data_are_said_on_the_card(original: Path) -> None:
    _, plan = read_parts(original)
    dirty = declaration_of(original, contamination=covering(plan, items_matched=2, documents=1))
    view = view_with(original, dirty)
    assert ["contaminated"] == [badge.flag for badge in view.badges]
    assert "a suite of this label: found" in section_of(view)
    partly = declaration_of(original, contamination=covering(plan, items=5))
    assert "not all were looked for" in section_of(view_with(original, partly))


def test_what_an_audit_cannot_know_stands_beside_its_figures(original: Path) -> None:
    _, plan = read_parts(original)
    unsure = declaration_of(original, audit=reference(unknown=3), contamination=covering(plan, unchecked=4))
    section = section_of(view_with(original, unsure))
    assert "a suite of this label: not found; 4 items cannot be told from chance" in section
    assert "2 could not be read; at 3 places nobody can know how many more" in section


def test_an_audit_that_does_not_count_is_folded_away_and_comes_last(original: Path) -> None:
    stranger = declaration_of(original, STRANGER, statements=(bounded(method="the stranger's method"),))
    view = view_with(original, stranger, declaration_of(original))
    assert [True, False] == [audit.counts for audit in view.audits]
    section = section_of(view)
    assert (
        section.index("canary recall") < section.index("<details>") < section.index("the stranger's method")
    )
    assert "not a key of this policy" in section


def test_text_of_an_audit_never_acts(original: Path) -> None:
    view = view_with(original, declaration_of(original, statements=(bounded(kind=HOSTILE, method=HOSTILE),)))
    page = render_page(view)
    assert "<script" not in page
    assert "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt; [U+202E]gnp" in page


def test_a_label_at_v4_says_what_the_level_leaves_open(original: Path, replication: Signed) -> None:
    view = view_with(original, replication, declaration_of(original), *findings_of(original))
    page = render_page(view).replace("&#x27;", "'")
    card = page[page.index('<section class="card"') : page.index("<nav")]
    assert ("V4 audited", ()) == (view.level, view.lacking_for_v4)
    assert "What it leaves open" in card
    assert "Why not higher" not in card
    assert "an audit's root proves what was audited, not what the model was trained on" in card


def test_a_label_below_v4_says_what_it_lacks(original: Path, replication: Signed) -> None:
    view = view_with(original, replication, declaration_of(original))
    page = render_page(view)
    assert ("no statement on elicitation", "no statement on governance") == view.lacking_for_v4
    assert "no statement on elicitation; no statement on governance (V4)" in page


@pytest.mark.parametrize(
    ("per_million", "said"),
    [
        ("0", "0"),
        ("0.000001", "0.000001"),
        ("7.5", "7.5"),
        ("10.5", "11"),
        ("15234.000561", "15\u202f235"),
        ("1000000", "1\u202f000\u202f000"),
        ("999999.999999", "1\u202f000\u202f000"),
    ],
)
def test_a_bound_is_never_said_lower_than_it_is(per_million: str, said: str) -> None:
    assert said == say_bound(per_million)


def test_show_says_the_same_and_leaves_out_who_does_not_count(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files: list[str] = []
    statements = (
        declaration_of(original, statements=(bounded(kind="pii.\x1b[31m"),)),
        declaration_of(original, STRANGER, statements=(bounded(method="the stranger's method"),)),
    )
    for number, signed in enumerate(statements):
        (tmp_path / f"{number}.json").write_bytes(signed.data)
        files += ["--statements", str(tmp_path / f"{number}.json")]
    (tmp_path / "trust.yaml").write_text(TRUST_TEXT)
    asked = ["show", str(original), "--trust", str(tmp_path / "trust.yaml"), *files]
    assert 0 == main(asked)
    out = capsys.readouterr().out
    training = out[out.index("\ntraining data\n") : out.index("\nwhat others signed")]
    assert "signed by Auditor, until 2120-06-01" in training
    assert "a suite of this label: not found" in training
    assert "the stranger" not in training
    assert "\x1b" not in out
    assert all(f"note: {limit}" in training for limit in TRAINING_LIMITS)
    assert 0 == main([*asked, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert [True, False] == [audit["counts"] for audit in document["audits"]]
    assert document["audits"][0]["documents_read"] == 998


def test_one_audit_is_checked_alone(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "audit.json"
    path.write_bytes(declaration_of(original).data)
    assert 0 == main(["statements", "check", str(path)])
    out = capsys.readouterr().out
    for text in (
        "relation",
        "declared-training-data",
        "998 of 1000 read",
        "0 of 20 items (0 cannot",
        "299 of 300 found",
    ):
        assert text in out
    assert "not what the model was trained on" in out


def test_withdrawals_of_an_audit_are_shown_with_it(original: Path) -> None:
    audit = declaration_of(original)
    view = view_with(original, audit, take_back(audit.attestation.digest, AUDITOR))
    assert ["withdrawal", "audit"] == [s.kind for s in view.statements]
    assert "its signer withdrew it" in section_of(view)
    assert statement_of(original) not in {s.about for s in view.statements}
