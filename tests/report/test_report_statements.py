"""What others signed, on the report's card, in its section and in `show`: every word of it, and whether it counts."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from bundle_factory import READ, Recipe, fixed_key
from party_factory import (
    CRITIC,
    REPLICATOR,
    SIGNED,
    STRANGER,
    another_digest,
    dispute_of,
    make_party,
    policy,
    replica_recipe,
    replication_of,
    statement_of,
    withdrawal_of,
)
from sealed_bundles import Made, make_sealed
from verilabel.cli import main
from verilabel.evidence.container import open_container
from verilabel.evidence.others.attaching import attach_statements
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.trust import TrustPolicy, parse_trust
from verilabel.evidence.verification import Level
from verilabel.evidence.verifier import verify_bundle
from verilabel.report.building import build_view
from verilabel.report.page import render_page
from verilabel.report.view import ReportView
from verilabel.report.wording import BADGE_SAYS, FLAG_SAYS, LEVEL_LIMITS, LEVEL_SAYS, say_list

HOSTILE = '</blockquote><script>alert(1)</script><h2 onclick="x">Certified</h2> \u202egnp'


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_party(tmp_path_factory.mktemp("replica"), replica_recipe())


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_sealed(tmp_path_factory.mktemp("sealed"), Recipe(accuracy="0.7", errors="0.1"))


def view_with(
    path: Path, *statements: Signed, trust: TrustPolicy | None = None, samples: int = 0
) -> ReportView:
    """The view of a bundle with statements beside it."""
    found = verify_bundle(path, trust=trust, now=READ, statements=statements)
    with open_container(path) as container:
        return build_view(container, found, bundle="b", read_at=READ, samples=samples, beside=statements)


def card_of(view: ReportView) -> str:
    """The card's markup, with apostrophes as they are read."""
    page = render_page(view).replace("&#x27;", "'")
    return page[page.index('<section class="card"') : page.index("<nav")]


def section_of(view: ReportView) -> str:
    """The markup of what others signed, with apostrophes as they are read."""
    page = render_page(view).replace("&#x27;", "'")
    start = page.index('<section id="statements"')
    return page[start : page.index("</section>", start)]


# -- the card ------------------------------------------------------------------------------------------------------


def test_a_replicated_and_disputed_label_is_both_on_its_card(original: Path, replica: Path) -> None:
    about = statement_of(original)
    view = view_with(original, replication_of(original, replica), dispute_of(about), trust=policy())
    card = card_of(view)
    assert "V3 replicated" in card
    assert "Disputed" in card and "by Critic" in card
    assert LEVEL_SAYS["V3"] in card and LEVEL_LIMITS["V3"] in card
    assert [("disputed", "by Critic")] == [(badge.flag, badge.says) for badge in view.badges]


@pytest.mark.parametrize(
    ("successor", "flag", "word"),
    [(None, "revoked", "Withdrawn by its issuer"), (another_digest(), "superseded", "Superseded")],
)
def test_a_withdrawn_label_says_so_beside_its_level(
    original: Path, successor: str | None, flag: str, word: str
) -> None:
    view = view_with(original, withdrawal_of(statement_of(original), successor=successor))
    assert [flag] == [badge.flag for badge in view.badges]
    assert f" {word}</b>" in card_of(view)
    assert SIGNED.date().isoformat() in view.badges[0].says
    assert ("withdrawn by its issuer", "V0 claimed") == (view.validity, view.level)
    assert view.genuine and "This label is not in force." == view.warning
    assert "mistaken" in section_of(view)
    assert ("In its place" in section_of(view)) is (successor is not None)


def test_nobody_else_can_put_a_withdrawal_on_the_card(original: Path) -> None:
    view = view_with(original, withdrawal_of(statement_of(original), STRANGER))
    assert () == view.badges
    assert "it is not signed with the key of the label" in section_of(view)


def test_a_dispute_that_was_taken_back_is_shown_and_not_on_the_card(original: Path) -> None:
    dispute = dispute_of(statement_of(original))
    back = withdrawal_of(dispute.attestation.digest, CRITIC, issued=SIGNED + timedelta(hours=1))
    view = view_with(original, dispute, back, trust=policy())
    assert () == view.badges
    assert [("withdrawal", True), ("dispute", False)] == [(s.kind, s.counts) for s in view.statements]
    assert "its signer withdrew it" in section_of(view)
    assert dispute.attestation.digest in dict(view.statements[0].facts)["Takes back"]


def test_a_sealed_bundle_shows_what_is_withheld_as_withheld(sealed: Made) -> None:
    view = view_with(sealed.sealed, samples=50)
    assert "V2s recomputed, records sealed" == view.level
    assert LEVEL_SAYS["V2s"] in card_of(view) and LEVEL_LIMITS["V2s"] in card_of(view)
    assert "Records sealed" in card_of(view)
    withheld = {gap.what for gap in view.gaps if gap.kind == "withheld"}
    assert len(withheld) == len(view.totals.withheld) > 0
    for count in view.totals.withheld:
        # the first five answers of each suite stay open
        answered = next(suite.answered for suite in view.suites if suite.name == count.what)
        assert answered - 5 == count.count
        assert f"{count.what}: {count.count} of {answered} answers are withheld" in withheld
    page = render_page(view)
    hidden = [sample for sample in view.samples if sample.withheld]
    assert hidden and len(hidden) < len(view.samples)
    assert len(hidden) == page.count('<p class="withheld">Withheld. ')
    assert len(view.samples) - len(hidden) == page.count("Show the prompt and the answer.")


def test_an_open_bundle_has_nothing_beside_its_level(sealed: Made) -> None:
    view = view_with(sealed.open)
    assert ((), (), ()) == (view.badges, view.statements, view.totals.withheld)
    assert 'id="statements"' not in render_page(view)
    assert "withheld" not in {gap.kind for gap in view.gaps}


def test_an_imported_label_says_that_nobody_saw_it_being_measured(home: Path, tmp_path: Path) -> None:
    rows = "".join(f"{i},Question {i}?,four,{int(i > 2)}\n" for i in range(120))
    (tmp_path / "answers.csv").write_text("id,prompt,output,right\n" + rows)
    (tmp_path / "rubric.yaml").write_text(IMPORT_RUBRIC)
    given = ("--column", "score=right", "--claim", "right=0.975", "--model", "lab/model")
    kept = (
        "--rubric",
        str(tmp_path / "rubric.yaml"),
        "--measure",
        "sums=right",
        "--out",
        str(tmp_path / "kept"),
    )
    assert 0 == main(["import", str(tmp_path / "answers.csv"), *given, *kept])
    bundle = tmp_path / "imported.bundle"
    assert 0 == main(["decide", str(tmp_path / "kept" / "store"), "--out", str(bundle)])
    found = verify_bundle(bundle, now=READ.replace(year=2100))
    with open_container(bundle) as container:
        view = build_view(container, found, bundle="b", read_at=READ)
    assert ["imported"] == [badge.flag for badge in view.badges]
    assert "Imported, not observed" in card_of(view)


IMPORT_RUBRIC = """\
verilabel: rubric/v1
id: test/imported
version: 1.0.0
title: Sums
license: CC0-1.0
stewards: [{name: Tests}]
statistics: {alpha: 0.025, missing: worst_case, max_missing: 0.2, judge: {adjust: none}}
validity: {max_age: P36500D}
scope: {subject: system, bind: [provider_model, params]}
measures:
  sums: {suite: imported/answers@1, estimand: proportion, event: correct, direction: higher_is_safer}
scale:
  kind: assurance
  levels:
    - {id: U, name: Unlabelled}
    - {id: L1, name: Basic, when: {all: [{measure: sums, op: ">=", value: 0.5}]}}
"""


# -- the section ---------------------------------------------------------------------------------------------------


def test_signers_are_called_what_the_trust_policy_calls_them(original: Path, replica: Path) -> None:
    about = statement_of(original)
    given = (replication_of(original, replica), dispute_of(about), withdrawal_of(about))
    view = view_with(original, *given, trust=policy())
    named = "so named by the trust policy"
    assert [
        ("withdrawal", "Lab", "the key of the label itself"),
        ("dispute", "Critic", named),
        ("replication", "Second lab", named),
    ] == [(s.kind, s.signer, s.signer_says) for s in view.statements]


def test_without_a_policy_a_name_is_shown_as_the_keys_own_word(original: Path, replica: Path) -> None:
    view = view_with(original, replication_of(original, replica))
    (statement,) = view.statements
    assert not statement.counts
    assert f"second.example ({REPLICATOR.keyid[:19]})" == statement.signer
    assert "so the key calls itself; no trust policy vouches for the name" == statement.signer_says
    section = section_of(view)
    assert "does not count</span>: no trust policy says whose key that is" in section
    assert REPLICATOR.keyid in section


def test_a_policy_that_takes_any_key_names_nobody(original: Path, replica: Path) -> None:
    anyone = parse_trust(b"format: verilabel/trust/v1\naccept: {unsafe_accept_any_key: true}\n")
    given = (replication_of(original, replica), dispute_of(statement_of(original)))
    view = view_with(original, *given, trust=anyone)
    says = "the trust policy takes any key and does not say whose this one is"
    assert [("dispute", says), ("replication", says)] == [(s.kind, s.signer_says) for s in view.statements]


def test_what_counts_stands_first_and_only_its_words_stand_open(original: Path) -> None:
    about = statement_of(original)
    stranger = dispute_of(about, STRANGER, text="a stranger's words", issued=SIGNED - timedelta(days=1))
    view = view_with(original, stranger, dispute_of(about, text="a critic's words"), trust=policy())
    assert [True, False] == [statement.counts for statement in view.statements]
    section = section_of(view)
    assert section.index("a critic's words") < section.index("<details>")
    assert section.index("<details>") < section.index("a stranger's words")


def test_a_replication_is_shown_measure_by_measure(original: Path, replica: Path) -> None:
    signed = replication_of(original, replica)
    (statement,) = view_with(original, signed, trust=policy()).statements
    compared = signed.attestation.predicate.comparison.measures  # type: ignore[union-attr]
    assert [m.measure for m in compared] == [m.measure for m in statement.measures]
    section = section_of(view_with(original, signed, trust=policy()))
    for measure in compared:
        assert f"{measure.events_replica} of {measure.n_replica}" in section
    assert "another laboratory, with an account of its own" in section


def test_text_of_a_statement_is_shown_and_never_acts(original: Path) -> None:
    liar = fixed_key("liar", "lab.example")
    view = view_with(original, dispute_of(statement_of(original), liar, text=HOSTILE))
    section = section_of(view)
    assert "&lt;/blockquote&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in section
    assert "[U+202E]gnp" in section
    assert "<script" not in render_page(view)
    # it calls itself by the issuer's name: the key's id and the words beside it tell them apart
    assert liar.keyid[:19] in view.badges[0].says
    assert "so the key calls itself" in section


def test_statements_that_the_check_did_not_come_to_are_counted_as_not_judged(
    original: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(original, bundle)
    attach_statements(
        bundle, [dispute_of(statement_of(original)), dispute_of(statement_of(original), STRANGER)]
    )
    assert 2 == len(view_with(bundle).statements)
    name = min(bundle.glob("statements/*.json"))
    name.write_bytes(name.read_bytes().replace(b'"format"', b'"Format"', 1))
    view = view_with(bundle)
    assert ((), 2) == (view.statements, view.statements_not_judged)
    assert "A statement about this label is not genuine." == view.warning
    assert "2 enclosed and not judged" in section_of(view)


def test_every_badge_is_a_flag_with_words_of_its_own() -> None:
    assert set(BADGE_SAYS) <= set(FLAG_SAYS)
    words = [badge["word"] for badge in BADGE_SAYS.values()]
    assert len(words) == len(set(words))
    assert {badge["tone"] for badge in BADGE_SAYS.values()} == {"against", "open", "note"}
    assert all(badge["sign"] for badge in BADGE_SAYS.values())


@pytest.mark.parametrize("level", list(Level))
def test_every_level_says_what_it_shows_and_what_it_does_not(level: Level) -> None:
    assert LEVEL_SAYS[level].endswith(".")
    assert LEVEL_LIMITS[level].startswith("It does not say that ")


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], ""),
        (["A"], "A"),
        (["A", "B", "A"], "A and B"),
        (["A", "B", "C"], "A, B and C"),
        (["A", "B", "C", "D", "E"], "A, B and 3 others"),
    ],
)
def test_lists_name_a_few_and_count_the_rest(items: list[str], said: str) -> None:
    assert said == say_list(items)


# -- show ----------------------------------------------------------------------------------------------------------


def test_show_says_the_same_words_and_takes_statements_beside_the_bundle(
    original: Path, replica: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name, signed in (
        ("r", replication_of(original, replica)),
        ("d", dispute_of(statement_of(original), text="the suite is\x1b[31m narrow")),
    ):
        files += ["--statements", str(tmp_path / f"{name}.json")]
        (tmp_path / f"{name}.json").write_bytes(signed.data)
    given = (str(original), *files)
    assert 0 == main(["show", *given, "--html", str(tmp_path / "page.html")])
    out = capsys.readouterr().out
    view = view_with(
        original,
        replication_of(original, replica),
        dispute_of(statement_of(original), text="the suite is\x1b[31m narrow"),
    )
    for badge in view.badges:
        assert f"{badge.word}: {badge.says}" in out
    assert len(view.statements) == 2
    for statement in view.statements:
        assert statement.verdict in out and statement.signer_says in out
    assert "the suite is[U+001B][31m narrow" in out and "\x1b" not in out
    assert "What others signed" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert 0 == main(["show", *given, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert [s.digest for s in view.statements] == [s["digest"] for s in document["statements"]]
    assert ["disputed"] == [badge["flag"] for badge in document["badges"]]


def test_a_statement_file_that_is_none_is_refused_before_anything_is_shown(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.json").write_text("{}")
    assert 3 == main(["show", str(original), "--statements", str(tmp_path / "no.json")])
    captured = capsys.readouterr()
    assert "" == captured.out
    assert "not a signed statement" in captured.err
