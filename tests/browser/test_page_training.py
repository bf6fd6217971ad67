"""Training data in the page for the browser: the text of the report's section, word for word, and V4 on the card."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from audit_statements import (
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
from party_factory import STRANGER, make_party, model_that, replica_recipe, replication_of
from verilabel.evidence.container import open_container
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.verifier import verify_bundle
from verilabel.report.building import build_view
from verilabel.report.page import render_page
from verilabel.report.view import ReportView

if TYPE_CHECKING:
    from playwright.sync_api import Page

T = TypeVar("T")
HOSTILE = '</td><img src=x onerror="document.title=1"> \u202egnp'


def apart(make: Callable[[], T]) -> T:
    """What a function gives in a thread of its own, because Chromium's driver occupies this one's event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(make).result()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return apart(lambda: make_party(tmp_path_factory.mktemp("original")))


@pytest.fixture(scope="module")
def replication(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Signed:
    def make() -> Signed:
        replica = make_party(tmp_path_factory.mktemp("replica"), replica_recipe(), model_that(11))
        return replication_of(original, replica)

    return apart(make)


def view_of(bundle: Path, *statements: Signed) -> ReportView:
    """What the report shows of the same."""
    found = verify_bundle(bundle, trust=TRUST, now=READ, statements=statements)
    with open_container(bundle) as container:
        return build_view(container, found, bundle=bundle.name, read_at=READ, beside=statements)


def words_of(view: ReportView) -> str:
    """The text of the report's section, without its markup."""
    page = render_page(view)
    start = page.index('<section id="training-data"')
    return html.unescape(re.sub(r"<[^>]*>", "", page[start : page.index("</section>", start)]))


def show_in(page: Page, folder: Path, bundle: Path, *statements: Signed) -> None:
    """Pick a bundle, the policy and statements beside it, and wait until it is judged."""
    (folder / "trust.yaml").write_text(TRUST_TEXT)
    page.set_input_files("#pick-trust", folder / "trust.yaml")
    for number, signed in enumerate(statements):
        (folder / f"{number}.json").write_bytes(signed.data)
    page.set_input_files("#pick-statements", sorted(folder.glob("?.json")))
    page.set_input_files("#pick-folder", bundle)
    page.wait_for_selector("#result .card", timeout=60_000)


def test_a_v4_label_has_the_report_s_words_on_its_card(
    page: Page, tmp_path: Path, original: Path, replication: Signed
) -> None:
    given = (replication, declaration_of(original), *findings_of(original))
    show_in(page, tmp_path, original, *given)
    view = view_of(original, *given)
    assert "V4 audited" == view.level == page.inner_text(".level-badge b")
    facts = page.inner_text(".facts")
    assert f"{view.level_says} {view.level_limit}" in facts
    assert "What it leaves open" in facts.replace("\n", " ")
    assert view.reason in facts
    assert words_of(view) == page.text_content("#training-data")


def test_audits_are_shown_as_in_the_report(page: Page, tmp_path: Path, original: Path) -> None:
    _, plan = read_parts(original)
    dirty = covering(plan, items_matched=2, documents=1, unchecked=3)
    given = (
        declaration_of(original, contamination=(matches(), dirty[0]), audit=reference(unknown=1)),
        declaration_of(original, STRANGER, contamination=covering(plan, items=5)),
        declaration_of(
            original,
            relation="declared-fine-tuning-data",
            statements=(bounded(kind=HOSTILE, bound_per_million="7.25"),),
            canaries=(),
        ),
        declaration_of(original, relation="audited", contamination=()),
    )
    show_in(page, tmp_path, original, *given)
    view = view_of(original, *given)
    assert [True, True, False, False] == [audit.counts for audit in view.audits]
    assert words_of(view) == page.text_content("#training-data")
    assert [("! Suites in the training data", "an audit found items of the label's own suites")] == [
        tuple(badge.inner_text().split("\n")) for badge in page.query_selector_all(".badge[data-flag]")
    ]
    assert page.query_selector("#training-data img") is None
    assert 2 == len(page.query_selector_all("#training-data details"))
    headings = [h.inner_text() for h in page.query_selector_all("#statements h3")]
    assert [f"Training-data audit: {s.verdict}" for s in view.statements] == headings


@pytest.mark.parametrize("width", [390, 1280])
def test_training_data_is_no_wider_than_the_window(
    page: Page, tmp_path: Path, original: Path, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    long = "averylongword" * 15
    show_in(page, tmp_path, original, declaration_of(original, statements=(bounded(kind=long, method=long),)))
    assert width >= page.evaluate("document.documentElement.scrollWidth")
