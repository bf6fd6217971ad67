"""The label card at the top of a page: both halves of the pair with equal weight, the scale, level and validity."""

from __future__ import annotations

from verilabel.report.markup import Markup, element
from verilabel.report.view import BadgeView, Half, Place, ReportView
from verilabel.report.wording import CLAIMS_SAYS, IDENTITY_SAYS, say_number


def draw_card(view: ReportView) -> Markup:
    """The card. The two halves come from one pair and are drawn by one function."""
    system = view.system
    low, high = view.pair
    subject = f"{system.provider_model}, {IDENTITY_SAYS.get(system.identity, system.identity)}"
    return element(
        "section",
        element("h1", system.name, id="label"),
        element("p", subject, class_="subject"),
        _alert(view),
        _standing(view),
        element("div", _half(low, "held"), _half(high, "open"), class_="pair"),
        _scale(view),
        _interpretation(view),
        element("dl", *_facts(view), class_="facts"),
        element("p", view.sentence, class_="sentence"),
        class_="card",
        aria_labelledby="label",
    )


def _standing(view: ReportView) -> Markup:
    """The level of verification, and beside it what a reader must not miss, as words with a sign and a colour."""
    level = element(
        "li", element("b", view.level), element("span", "level of verification"), class_="badge level-badge"
    )
    return element(
        "ul", level, *(_badge(badge) for badge in view.badges), class_="badges", aria_label="How it stands"
    )


def _badge(badge: BadgeView) -> Markup:
    word = element("b", element("span", badge.sign, aria_hidden="true"), f" {badge.word}")
    return element("li", word, element("span", badge.says), class_=f"badge tone-{badge.tone}")


def _half(half: Half, place: Place) -> Markup:
    return element(
        "div",
        element("p", half.word, class_="word"),
        element("p", f"{half.id} {half.name}", class_="grade"),
        element("p", half.meaning, class_="meaning") if half.meaning else None,
        class_=f"half {place}",
    )


def _scale(view: ReportView) -> Markup:
    levels = (
        element(
            "li",
            element("span", class_="mark", aria_hidden="true"),
            element("b", f"{level.id} {level.name}"),
            element("span", level.says, class_="says"),
            class_=level.place,
        )
        for level in view.scale
    )
    return element("ol", *levels, class_="scale", aria_label="The scale, lowest level first")


def _alert(view: ReportView) -> Markup | None:
    if view.warning is None:
        return None
    claims = None if view.genuine else element("p", CLAIMS_SAYS)
    return element(
        "div",
        element("p", element("strong", f"{view.warning} "), view.failure or ""),
        claims,
        class_="alert",
        role="alert",
    )


def _interpretation(view: ReportView) -> Markup | None:
    if not view.rubric.is_interpretation:
        return None
    return element(
        "p",
        "This rubric is an interpretation of a published framework. Its levels are not a verdict by the framework's "
        "author.",
        class_="note",
    )


def _facts(view: ReportView) -> list[Markup]:
    totals = view.totals
    design = {
        "fixed": "Every planned answer was asked for, then the bounds were read once.",
        "anytime": "Stopped when decided; the bounds hold at any stopping time.",
    }[view.design]
    facts = (
        ("Verification", view.level, f"{view.level_says} {view.level_limit}"),
        (_say_heading(view), view.reason, None) if view.failure is None else None,
        ("Validity", view.validity, f"read at {view.read_at}"),
        ("Answers counted", say_number(totals.answers), _spent(view)) if totals.answers else None,
        ("Design", view.design, design),
        ("Rubric", f"{view.rubric.id} {view.rubric.version}", view.rubric.title),
        ("Signed by", view.seal.signer or "nobody", None),
    )
    return [_fact(*fact) for fact in facts if fact is not None]


def _say_heading(view: ReportView) -> str:
    return "What it leaves open" if view.level.startswith("V4") else "Why not higher"


def _spent(view: ReportView) -> str:
    totals = view.totals
    parts = [f"{say_number(totals.requests)} requests"]
    if totals.judge_requests:
        parts.append(f"{say_number(totals.judge_requests)} to judges")
    missing = sum(count.count for count in totals.unanswered)
    parts.append(f"{say_number(missing)} unanswered")
    if totals.withheld:
        parts.append(f"{say_number(sum(count.count for count in totals.withheld))} withheld")
    return ", ".join(parts)


def _fact(term: str, value: str, more: str | None) -> Markup:
    return element("div", element("dt", term), element("dd", value, element("span", more) if more else None))
