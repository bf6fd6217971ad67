"""What others signed, in the page: the same badges, words and order as the report of the same bundle has them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from bundle_factory import ISSUER, READ, Recipe
from party_factory import (
    CRITIC,
    STRANGER,
    WHO_COUNTS,
    another_digest,
    dispute_of,
    make_party,
    policy,
    replica_recipe,
    replication_of,
    statement_of,
    withdrawal_of,
)
from sealed_bundles import make_sealed
from verilabel.evidence.container import open_container
from verilabel.evidence.others.attaching import attach_statements
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.trust import TrustPolicy, parse_trust
from verilabel.evidence.verifier import verify_bundle
from verilabel.report.building import build_view
from verilabel.report.view import ReportView
from verilabel.report.wording import CLAIMS_SAYS, SIGNER_SAYS, STATEMENT_SAYS, WITHHELD_SAYS

if TYPE_CHECKING:
    from playwright.sync_api import Page

T = TypeVar("T")
FORGED = Path(__file__).resolve().parents[1] / "bundles" / "forged_label.zip"
HOSTILE = '</blockquote><img src=x onerror="document.title=1"> \u202egnp'
TRUST = "format: verilabel/trust/v1\naccept:\n  any:\n" + "".join(
    f"    - {{key: {key.public.line!r}, name: {name}, roles: [{role}]}}\n" for key, name, role in WHO_COUNTS
)


def apart(make: Callable[[], T]) -> T:
    """What a function gives in a thread of its own, because Chromium's driver occupies this one's event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(make).result()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return apart(lambda: make_party(tmp_path_factory.mktemp("original"), Recipe(zipped=True)))


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return apart(lambda: make_party(tmp_path_factory.mktemp("replica"), replica_recipe()))


def view_of(bundle: Path, *statements: Signed, trust: TrustPolicy | None = None) -> ReportView:
    """What the report shows of the same."""
    found = verify_bundle(bundle, trust=trust, now=READ, statements=statements)
    with open_container(bundle) as container:
        return build_view(container, found, bundle=bundle.name, read_at=READ, beside=statements)


def show_in(page: Page, folder: Path, bundle: Path, *statements: Signed, trust: bool = False) -> None:
    """Pick a bundle, statements beside it and the policy of `party_factory`, and wait until it is judged."""
    for number, signed in enumerate(statements):
        (folder / f"{number}.json").write_bytes(signed.data)
    if trust:
        (folder / "trust.yaml").write_text(TRUST)
        page.set_input_files("#pick-trust", folder / "trust.yaml")
    if statements:
        page.set_input_files("#pick-statements", sorted(folder.glob("?.json")))
    page.set_input_files("#pick-folder" if bundle.is_dir() else "#pick-zip", bundle)
    page.wait_for_selector("#result .card", timeout=60_000)


def badges_in(page: Page) -> list[tuple[str, str]]:
    """Each badge beside the level: its sign and word, and what it says."""
    found = (badge.inner_text().split("\n") for badge in page.query_selector_all(".badge[data-flag]"))
    return [(word, says) for word, says in found]


def headings_in(page: Page) -> list[str]:
    """The heading of each statement."""
    return [heading.inner_text() for heading in page.query_selector_all("#statements h3")]


def assert_same(page: Page, view: ReportView) -> None:
    """The page has the report's level, badges, statements and standing, word for word."""
    assert view.level == page.inner_text(".level-badge b")
    assert [(f"{badge.sign} {badge.word}", badge.says) for badge in view.badges] == badges_in(page)
    assert [f"{STATEMENT_SAYS[s.kind]}: {s.verdict}" for s in view.statements] == headings_in(page)
    facts = page.inner_text(".facts")
    assert view.validity in facts and f"{view.level_says} {view.level_limit}" in facts
    section = page.inner_text("#statements") if view.statements else ""
    for statement in view.statements:
        assert f"Signed by {statement.signer}, {statement.signer_says}; {statement.issued[:10]}, " in section
        assert statement.why in section
        for term, value in statement.facts:
            assert term in section and value in section
    alert = page.inner_text(".alert") if view.warning else ""
    assert (view.warning or "") in alert


def test_a_replicated_and_disputed_label_is_both_on_its_card(
    page: Page, tmp_path: Path, original: Path, replica: Path
) -> None:
    about = statement_of(original)
    given = (replication_of(original, replica), dispute_of(about), dispute_of(about, STRANGER, text="not I"))
    show_in(page, tmp_path, original, *given, trust=True)
    view = view_of(original, *given, trust=policy())
    assert [("! Disputed", "by Critic")] == badges_in(page)
    assert "V3 replicated" == view.level
    assert_same(page, view)
    assert [True, True, False] == [statement.counts for statement in view.statements]
    assert "another laboratory, with an account of its own" in page.inner_text("#statements")
    compared = view.statements[1].measures
    assert len(compared) == len(page.query_selector_all("#statements tbody tr")) > 0
    assert "Checked: V3 replicated; Disputed" == page.inner_text("#status")


@pytest.mark.parametrize("successor", [None, another_digest()])
def test_a_withdrawn_label_says_so_beside_its_level(
    page: Page, tmp_path: Path, original: Path, successor: str | None
) -> None:
    given = (
        withdrawal_of(statement_of(original), ISSUER, successor=successor),
        dispute_of(statement_of(original)),
    )
    show_in(page, tmp_path, original, *given)
    view = view_of(original, *given)
    assert ["revoked" if successor is None else "superseded", "disputed"] == [b.flag for b in view.badges]
    assert_same(page, view)
    # the figures still follow from what was sealed
    assert "claims" not in page.inner_text(".alert")
    assert "(claimed)" not in page.inner_text(".pair").lower()


def test_a_dispute_that_was_taken_back_is_not_on_the_card(page: Page, tmp_path: Path, original: Path) -> None:
    dispute = dispute_of(statement_of(original))
    given = (dispute, withdrawal_of(dispute.attestation.digest, CRITIC))
    show_in(page, tmp_path, original, *given)
    view = view_of(original, *given)
    assert () == view.badges
    assert_same(page, view)


def test_a_policy_that_takes_any_key_names_nobody(page: Page, tmp_path: Path, original: Path) -> None:
    anyone = "format: verilabel/trust/v1\naccept: {unsafe_accept_any_key: true}\n"
    (tmp_path / "any.yaml").write_text(anyone)
    page.set_input_files("#pick-trust", tmp_path / "any.yaml")
    dispute = dispute_of(statement_of(original))
    show_in(page, tmp_path, original, dispute)
    view = view_of(original, dispute, trust=parse_trust(anyone.encode()))
    assert SIGNER_SAYS["anyone"] == view.statements[0].signer_says
    assert_same(page, view)


def test_text_of_a_statement_is_shown_when_it_counts_and_never_acts(
    page: Page, tmp_path: Path, original: Path
) -> None:
    show_in(page, tmp_path, original, dispute_of(statement_of(original), text=HOSTILE))
    assert HOSTILE.replace("\u202e", "[U+202E]") == page.inner_text("#statements blockquote")
    assert page.query_selector("#statements img") is None
    assert "Verilabel: verify a label" == page.title()


def test_text_of_a_statement_that_does_not_count_is_folded_away(
    page: Page, tmp_path: Path, original: Path
) -> None:
    show_in(page, tmp_path, original, dispute_of(statement_of(original), STRANGER, text="not I"), trust=True)
    assert not page.is_visible("#statements blockquote")
    page.click("#statements summary")
    assert "not I" == page.inner_text("#statements blockquote")


def test_a_sealed_bundle_shows_what_is_withheld_as_withheld(page: Page, tmp_path: Path) -> None:
    sealed = apart(lambda: make_sealed(tmp_path).sealed)
    show_in(page, tmp_path, sealed)
    view = view_of(sealed)
    assert ["sealed_records"] == [badge.flag for badge in view.badges]
    assert_same(page, view)
    shown = [item.inner_text() for item in page.query_selector_all("#withheld li")]
    assert [f"Withheld: {gap.what}" for gap in view.gaps if gap.kind == "withheld"] == shown
    page.click("text=Look at the answers >> nth=0")
    page.click(".record:has(.withheld) .sample-button >> nth=0")
    page.wait_for_selector(".exchange li")
    assert WITHHELD_SAYS == page.inner_text(".exchange p.withheld")
    assert page.query_selector(".exchange button") is None, "there is no text to show"


def test_statements_beside_one_that_is_not_genuine_are_counted_as_not_judged(
    page: Page, tmp_path: Path, replica: Path
) -> None:
    bundle = tmp_path / "changed"
    shutil.copytree(replica, bundle)
    about = statement_of(bundle)
    attach_statements(bundle, [dispute_of(about), dispute_of(about, STRANGER)])
    changed = min(bundle.glob("statements/*.json"))
    changed.write_bytes(changed.read_bytes().replace(b'"format"', b'"Format"', 1))
    show_in(page, tmp_path, bundle)
    view = view_of(bundle)
    assert (2, ()) == (view.statements_not_judged, view.statements)
    assert "2 enclosed and not judged" in page.inner_text("#statements")
    assert str(view.warning) in page.inner_text(".alert")
    assert view.validity in page.inner_text(".facts")


def test_figures_that_do_not_follow_are_called_claims(page: Page, tmp_path: Path) -> None:
    show_in(page, tmp_path, FORGED)
    view = view_of(FORGED)
    assert not view.genuine
    assert [half.word for half in view.pair] == [
        word.inner_text().lower() for word in page.query_selector_all(".pair .word")
    ]
    assert str(view.warning) in page.inner_text(".alert") and CLAIMS_SAYS in page.inner_text(".alert")


@pytest.mark.parametrize("width", [390, 1280])
def test_what_others_signed_is_no_wider_than_the_window(
    page: Page, tmp_path: Path, original: Path, replica: Path, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    text = "averylongword" * 60
    given = (replication_of(original, replica), dispute_of(statement_of(original), text=text))
    show_in(page, tmp_path, original, *given)
    assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_print_leaves_out_what_a_reader_chooses_with(page: Page, tmp_path: Path, original: Path) -> None:
    show_in(page, tmp_path, original, dispute_of(statement_of(original)))
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.is_visible(".choose") and not page.is_visible(".open-records >> nth=0")
    assert page.is_visible(".badges") and page.is_visible("#statements")
    assert "rgb(255, 255, 255)" == page.evaluate("getComputedStyle(document.body).backgroundColor")
