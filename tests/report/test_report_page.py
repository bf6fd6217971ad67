"""The page: what outside text can never do in it, what it always shows, and that it needs nothing but itself."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import UsageError
from verilabel.report.page import render_page, write_report
from verilabel.report.untrusted import show_unseen
from verilabel.report.view import (
    BadgeView,
    ComparedMeasure,
    Count,
    FlagView,
    Gap,
    ReportView,
    ServedView,
    StatementView,
)

VOID = {"br", "hr", "meta", "line", "rect", "circle", "polyline", "polygon"}


class Parsed(HTMLParser):
    """A page as a browser takes it apart: elements with attributes and depth, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.shape: list[str] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.shape.append(f"<{tag} {' '.join(sorted(name for name, _ in attrs))}>")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.shape.append(f"<{tag} {' '.join(sorted(name for name, _ in attrs))}/>")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self.shape.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.texts.append((tuple(self._open), data))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self) -> str:
        return "".join(data for path, data in self.texts if "style" not in path)


def with_text(view: ReportView, text: str) -> ReportView:
    """The view with one text in every place that the outside can fill."""
    replace = msgspec.structs.replace
    low, high = view.pair
    level = view.levels[0]
    row = replace(level.rows[0], title=text, reason=text, counted=text, threshold=text, flags=(text,))
    return replace(
        view,
        bundle=text,
        sentence=text,
        reason=text,
        failure=text,
        warning="A warning.",
        pair=(replace(low, name=text, meaning=text), replace(high, name=text, meaning=text)),
        scale=tuple(replace(item, id=text, name=text) for item in view.scale),
        levels=(replace(level, name=text, meaning=text, rows=(row, *level.rows[1:])), *view.levels[1:]),
        system=replace(view.system, name=text, provider_model=text, facts=((text, text),)),
        gaps=(Gap("undetermined", text, text, "row-0-0"),),
        flags=(FlagView(text, text),),
        badges=(BadgeView("disputed", "Disputed", "!", "open", text),),
        statements=tuple(
            StatementView(
                kind=kind,
                digest=text,
                about=text,
                signer=text,
                signer_says=text,
                keyid=text,
                issued=text,
                counts=counts,
                says=text,
                verdict=text,
                why=text,
                logged=counts,
                text=text,
                facts=((text, text),),
                measures=(ComparedMeasure(text, text, 1, 1, 1, 1, 1, text, text),),
            )
            for kind, counts in (("dispute", True), ("replication", False))
        ),
        served=(ServedView(text, text, 1),),
        breakdowns=tuple(
            replace(b, title=text, tag=text, groups=tuple(replace(g, value=text) for g in b.groups))
            for b in view.breakdowns
        ),
        detectors=tuple(
            replace(d, name=text, errors=tuple(replace(e, dataset=text, method=text) for e in d.errors))
            for d in view.detectors
        ),
        suites=tuple(replace(s, name=text, title=text, license=text, citation=text) for s in view.suites),
        rubric=replace(view.rubric, title=text, stewards=(text,), sources=(text,)),
        plan=replace(view.plan, seed=text),
        seal=replace(view.seal, signer=text, tool=text),
        totals=replace(view.totals, unscored=(Count(text, 1),), unanswered=(Count(text, 1),)),
        steps=tuple(replace(step, detail=text) for step in view.steps),
        samples=tuple(
            replace(s, prompt=text, output=text, sample=text, findings=(text,)) for s in view.samples
        ),
    )


PIECES = st.sampled_from(
    (
        *(
            "<script>",
            "</script>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            '"',
            "'",
            "`",
            ">",
            "<",
            "&",
            "&lt;",
            "</title>",
        ),
        *(
            "</pre>",
            "</style>",
            "</svg>",
            "<svg/onload=alert(1)>",
            "javascript:",
            "onerror=",
            "$body",
            "${title}",
        ),
        *("\u202e", "\x00", "\r", "\ud800"),
    )
)
TEXTS = (
    st.lists(PIECES | st.text(max_size=6), min_size=1, max_size=6)
    .map("".join)
    .filter(lambda t: t.strip() != "")
)


@pytest.fixture(scope="module")
def plain_shape(core_view: ReportView) -> list[str]:
    """The elements of the page when every outside text is one letter."""
    return Parsed(render_page(with_text(core_view, "x"))).shape


@settings(max_examples=25)
@given(text=TEXTS)
def test_no_text_from_outside_changes_the_structure_of_the_page(
    core_view: ReportView, plain_shape: list[str], text: str
) -> None:
    page = Parsed(render_page(with_text(core_view, text)).encode("utf-8").decode("utf-8"))
    assert plain_shape == page.shape
    assert not page.all("script")


@settings(max_examples=25)
@given(text=st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40))
def test_text_from_outside_is_read_as_it_was_written(core_view: ReportView, text: str) -> None:
    view = msgspec.structs.replace(core_view, system=msgspec.structs.replace(core_view.system, name=text))
    names = [data for path, data in Parsed(render_page(view)).texts if path and path[-1] == "h1"]
    assert show_unseen(text) == "".join(names)


def test_a_bundle_full_of_hostile_texts_gives_a_page_without_active_content(hostile_view: ReportView) -> None:
    page = Parsed(render_page(hostile_view))
    allowed = {
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "main",
            "header",
            "footer",
            "nav",
            "section",
            "div",
            "a",
        ),
        *(
            "h1",
            "h2",
            "h3",
            "h4",
            "p",
            "b",
            "strong",
            "span",
            "code",
            "pre",
            "ul",
            "ol",
            "li",
            "dl",
            "dt",
            "dd",
        ),
        *(
            "table",
            "caption",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "figure",
            "figcaption",
            "details",
            "summary",
        ),
        *("svg", "desc", "rect", "line", "circle", "text", "polyline", "polygon"),
    }
    assert set() == {tag for tag, _ in page.elements} - allowed
    for _, attributes in page.elements:
        assert not {
            name
            for name in attributes
            if name.startswith("on") or name in ("src", "style", "srcdoc", "xlink:href")
        }
        assert attributes.get("href", "#").startswith("#")
    assert "alert('name')" in page.text()


def test_control_and_bidi_characters_are_made_visible(hostile_view: ReportView) -> None:
    page = render_page(hostile_view)
    for character in "\u202e\u202c\u2066\u2069\x1b\x07\U000e0041":
        assert character not in page
    assert "left [U+202E]right[U+202C] [U+001B][31mred[U+0007]" in page


def test_the_page_asks_the_network_for_nothing(core_view: ReportView) -> None:
    page = render_page(core_view)
    parsed = Parsed(page)
    policy = next(meta["content"] for meta in parsed.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    for tag in ("link", "script", "img", "iframe", "object", "embed", "form", "base"):
        assert parsed.all(tag) == []
    style = "".join(data for path, data in parsed.texts if "style" in path)
    assert not re.search(r"url\(|@import|@font-face|expression\(", style)


@pytest.mark.parametrize("name", ["core_view", "hostile_view"])
def test_both_halves_of_the_pair_stand_together_with_equal_weight(
    name: str, request: pytest.FixtureRequest
) -> None:
    view: ReportView = request.getfixturevalue(name)
    page = render_page(view)
    halves = re.findall(r'<div class="half (\w+)">(.*?)</div>', page, re.DOTALL)
    assert ["held", "open"] == [kind for kind, _ in halves]
    grades = [re.findall(r'<p class="(\w+)">', content) for _, content in halves]
    assert grades[0][:2] == grades[1][:2] == ["word", "grade"]
    title = next(data for path, data in Parsed(page).texts if path[-1:] == ("title",) and "svg" not in path)
    for half in view.pair:
        assert half.word in title and half.id in title


def test_headings_tables_and_drawings_can_be_read_by_a_screen_reader(core_view: ReportView) -> None:
    parsed = Parsed(render_page(core_view))
    depths = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch("h[1-6]", tag)]
    assert depths[0] == 1 and depths.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(depths))
    assert all(cell.get("scope") in ("col", "row") for cell in parsed.all("th"))
    assert len(parsed.all("caption")) == len(parsed.all("table"))
    drawings = [attributes for attributes in parsed.all("svg") if attributes.get("aria-hidden") != "true"]
    assert len(drawings) == len(parsed.all("desc")) > 10
    assert all(attributes["aria-label"] for attributes in drawings)


def test_every_link_leads_to_a_place_in_the_page(core_view: ReportView) -> None:
    parsed = Parsed(render_page(core_view))
    ids = Counter(attributes["id"] for _, attributes in parsed.elements if "id" in attributes)
    assert set(ids.values()) == {1}
    for link in parsed.all("a"):
        assert link["href"][1:] in ids


def test_answers_stand_behind_two_folds_and_only_when_asked_for(core_view: ReportView) -> None:
    shown = [
        path for path, data in Parsed(render_page(core_view)).texts if path[-1:] == ("pre",) and data.strip()
    ]
    answers = [path for path in shown if "details" in path]
    assert 2 * len(core_view.samples) == len(answers) > 0
    assert all(path.count("details") == 2 for path in answers)
    without = msgspec.structs.replace(core_view, samples=(), samples_asked_for=0)
    page = render_page(without)
    assert "<details" not in page
    assert all(sample.output is None or sample.output[:60] not in page for sample in core_view.samples)


def test_the_page_gives_no_verdict_that_evidence_cannot_give(core_view: ReportView) -> None:
    words = Parsed(render_page(core_view)).text().lower()
    assert not re.search(r"\b(safe|compliant|certified|guarantees?|guaranteed)\b", words)


def test_groups_are_marked_as_no_part_of_the_decision(core_view: ReportView) -> None:
    assert core_view.breakdowns
    assert "These counts are not part of the decision." in render_page(core_view)


def test_a_report_is_not_written_over_another_file(core_view: ReportView, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("mine")
    with pytest.raises(UsageError, match="already there"):
        write_report(target, core_view)
    assert ["report.html"] == [path.name for path in tmp_path.iterdir()]
    assert "mine" == target.read_text()
    write_report(target, core_view, overwrite=True)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")


def _luminance(colour: str) -> float:
    """Relative luminance of `#rgb` or `#rrggbb` (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_text_colour_has_contrast_enough_in_light_dark_and_print(core_view: ReportView) -> None:
    style = "".join(data for path, data in Parsed(render_page(core_view)).texts if "style" in path)
    themes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert 3 == len(themes)
    for theme in themes:
        for text in ("ink", "soft", "accent", "met", "not-met", "undetermined", "not-assessed"):
            for ground in (
                "paper",
                "sunk",
                "ground",
                *(("alert", "allowed") if text in ("ink", "not-met", "undetermined") else ()),
            ):
                light, dark = sorted((_luminance(theme[text]), _luminance(theme[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {ground}"
