"""The page of an audit: what it always says, what outside text can never do in it, and that it needs nothing else."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_shown import HOSTILE, poor_audit, rich_audit
from verilabel.audit.exporting.dataset import DatasetOptions, open_audited_data
from verilabel.audit.exporting.eu_summary import OPEN, Question, write_eu_summary
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.provenance.card_files import Card, Claim
from verilabel.audit.provenance.cards import Declared, Problem
from verilabel.audit.provenance.digests import DigestClaim
from verilabel.errors import UsageError
from verilabel.evidence.keys import new_key
from verilabel.report.audit.drawing import (
    BOUND_WIDTH,
    COVERAGE_WIDTH,
    draw_bound,
    draw_coverage,
    draw_histogram,
)
from verilabel.report.audit.page import render_audit_page, write_audit_page
from verilabel.report.audit.summary import render_summary_page
from verilabel.report.audit.view import AuditReport, Standing, build_audit_report, check_standing
from verilabel.report.audit.wording import FAMILY_SAYS

READ = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
VOID = {"br", "hr", "meta", "line", "rect", "circle", "polyline", "polygon"}


class Parsed(HTMLParser):
    """A page as a browser takes it apart: elements with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert [] == self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self._open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)

    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def report_of(folder: Path) -> AuditReport:
    return build_audit_report(folder, check_standing(folder, None), READ)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> AuditReport:
    return report_of(rich_audit(tmp_path_factory.getbasetemp() / "rich-audit"))


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> AuditReport:
    return report_of(poor_audit(tmp_path_factory.getbasetemp() / "poor-audit"))


def test_it_needs_nothing_but_itself(rich: AuditReport) -> None:
    page = render_audit_page(rich)
    parsed = Parsed(page)
    names = {name for name, _ in parsed.elements}
    assert set() == names & {"script", "img", "link", "iframe", "object", "form", "base"}
    assert "default-src 'none'" in page
    assert {"href", "id", "class"} >= {
        key for name, attributes in parsed.elements if name == "a" for key in attributes
    }
    assert all(a["href"].startswith("#") for name, a in parsed.elements if name == "a")
    assert not re.search(r"url\(|@import", page)
    attributes = {key for _, found in parsed.elements for key in found}
    assert not {key for key in attributes if key.startswith("on") or key == "src"}


def test_names_from_outside_are_text_and_nothing_else(rich: AuditReport) -> None:
    page = render_audit_page(rich)
    assert "<img" not in page
    assert "\u202e" not in page
    assert f"part-{HOSTILE[:-1]}[U+202E]-1.jsonl" in Parsed(page).text()


def test_it_says_what_a_root_proves_and_how_much_was_read(rich: AuditReport, poor: AuditReport) -> None:
    text = Parsed(render_audit_page(rich)).text()
    assert "This root proves what was audited, not what a model was trained on." in text
    assert "50 of 52 documents were read" in text
    assert "not a JSON object: 1 document" in text
    assert "Not all was read" in text
    assert "96.1 % read" in text
    assert "Not all was read" not in Parsed(render_audit_page(poor)).text()


def test_every_kind_stands_with_its_count_and_its_bound(rich: AuditReport) -> None:
    text = Parsed(render_audit_page(rich)).text()
    for kind in rich.kinds:
        assert kind.kind in text
    assert "640 000" in text  # of telephone numbers, of a million
    for family in {kind.family for kind in rich.kinds}:
        assert FAMILY_SAYS[family] in text


def test_without_canaries_every_bound_is_missing_and_said_to_be(poor: AuditReport) -> None:
    page = render_audit_page(poor)
    text = Parsed(page).text()
    assert len(poor.kinds) == page.count(">no bound</td>")
    assert "No values were planted" in text
    assert "No sample was drawn" in text
    assert "Not looked for in this audit: licences, contamination, duplicates" in text


def test_nothing_is_called_clean_or_safe(rich: AuditReport, poor: AuditReport) -> None:
    for report in (rich, poor):
        said = Parsed(render_audit_page(report)).text().lower().replace("not counted as clean", "")
        said = said.replace("documents that were not read are", "")
        assert not re.search(r"\b(clean|safe|free of)\b", said.replace("as free of it below", ""))


def test_sections_without_anything_to_show_are_left_out(rich: AuditReport, poor: AuditReport) -> None:
    def sections(report: AuditReport) -> list[str]:
        return [
            a["id"]
            for name, a in Parsed(render_audit_page(report)).elements
            if name == "section" and "id" in a
        ]

    assert ["findings", "sources", "limits", "proof"] == sections(poor)
    assert {
        "examples",
        "contamination",
        "duplicates",
        "licences",
        "languages",
        "origin",
        "sample",
        "canaries",
    } <= set(sections(rich))


def test_every_picture_says_in_words_what_it_shows(rich: AuditReport) -> None:
    pictures = [attributes for name, attributes in Parsed(render_audit_page(rich)).elements if name == "svg"]
    assert len(pictures) > 40
    assert all(picture.get("aria-label") and "img" == picture.get("role") for picture in pictures)


def test_examples_are_masked_and_folded_away(rich: AuditReport) -> None:
    page = render_audit_page(rich)
    assert "202-555-0143" not in page
    assert "ada.9" not in page
    assert "1 of 1 example that the audit keeps" in Parsed(page).text()


def test_an_audit_that_does_not_hold_is_shown_as_a_claim(rich: AuditReport, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(rich.folder, tmp_path / "spoilt.audit"))
    (folder / "examples.jsonl").write_bytes((folder / "examples.jsonl").read_bytes()[:-1])
    standing = check_standing(folder, None)
    assert not standing.holds
    page = render_audit_page(replace(rich, standing=standing))
    assert 'class="claimed"' in page
    assert "what it claims, not what was found" in Parsed(page).text()
    assert "Holds together" not in page


@pytest.mark.parametrize(
    ("is_trusted", "says"),
    [
        (None, "no trust policy was asked whose key this is"),
        (True, "whom the trust policy names for audits"),
        (False, "whom the trust policy does not name for audits"),
    ],
)
def test_a_signature_is_named_with_what_is_known_of_its_key(
    poor: AuditReport, is_trusted: bool | None, says: str
) -> None:
    key = new_key("auditor.example.org")
    standing = Standing(True, None, key.public, True, is_trusted)
    text = Parsed(render_audit_page(replace(poor, standing=standing))).text()
    assert "Signed by auditor.example.org" in text
    assert says in text
    assert "Not signed" not in text


def test_what_cards_beside_the_data_say_is_text_of_others(poor: AuditReport) -> None:
    claims = (DigestClaim("part.parquet", "sha256", "sha256", "not a digest"),)
    card = Card("croissant.json", "croissant", licences=(Claim(HOSTILE, ()),), digests=claims)
    declared = Declared((card,), (Problem("README.md", "not UTF-8"),))
    manifest = msgspec.structs.replace(poor.manifest, declared=declared)
    page = render_audit_page(replace(poor, manifest=manifest))
    assert "<img" not in page
    text = Parsed(page).text()
    assert f"{HOSTILE[:-1]}[U+202E]" in text
    assert "not a digest 1" in text
    assert "README.md: not UTF-8" in text


def test_a_page_does_not_replace_a_file_unless_it_may(poor: AuditReport, tmp_path: Path) -> None:
    target = tmp_path / "audit.html"
    write_audit_page(target, poor)
    with pytest.raises(UsageError, match="already there"):
        write_audit_page(target, poor)
    write_audit_page(target, poor, overwrite=True)
    assert [target] == list(tmp_path.iterdir())


def test_the_draft_as_a_page_marks_every_open_answer(rich: AuditReport) -> None:
    folder = AuditFolder(rich.folder)
    blocks = write_eu_summary(open_audited_data(folder, DatasetOptions(name=HOSTILE)))
    page = render_summary_page(blocks, "made by a test")
    assert sum(isinstance(block, Question) for block in blocks) == Parsed(page).text().count(OPEN)
    assert "<img" not in page


counts = st.integers(min_value=0, max_value=10**15)


@given(st.lists(st.tuples(st.sampled_from(["read", "not text", "torn"]), counts), max_size=8), counts)
def test_a_coverage_bar_never_leaves_its_frame(parts: list[tuple[str, int]], unknown: int) -> None:
    picture = Parsed(draw_coverage(parts, unknown, "says"))
    rectangles = [attributes for name, attributes in picture.elements if name == "rect"]
    for each in rectangles:
        assert float(each["width"]) >= 0
        assert -0.1 <= float(each["x"]) <= float(each["x"]) + float(each["width"]) <= COVERAGE_WIDTH + 0.1


@given(counts, counts, counts, counts, st.booleans())
def test_a_bound_never_leaves_its_frame(found: int, upper: int, lower: int, top: int, bounded: bool) -> None:
    picture = Parsed(draw_bound(found, upper, top, lower=lower, bounded=bounded, says="says"))
    for name, attributes in picture.elements:
        for key in ("x1", "x2", "cx"):
            if name != "svg" and key in attributes:
                assert 0 <= float(attributes[key]) <= BOUND_WIDTH


@given(st.lists(st.tuples(st.text(max_size=12), counts), max_size=90))
def test_a_histogram_is_well_formed_whatever_it_counts(bars: list[tuple[str, int]]) -> None:
    picture = Parsed(draw_histogram("title", bars, "things"))
    assert sum(count > 0 for _, count in bars) == sum(name == "rect" for name, _ in picture.elements)
