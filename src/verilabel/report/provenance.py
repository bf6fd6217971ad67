"""The last sections of a page: where everything comes from, and how anyone checks it again."""

from __future__ import annotations

import shlex

from verilabel.report.markup import Markup, element, join, table
from verilabel.report.sections import say_lead
from verilabel.report.view import ReportView
from verilabel.report.wording import say_number

_OUTCOME_WORDS = {
    "passed": "✓ passed",
    "failed": "✕ failed",
    "skipped": "– skipped",
    "not_reached": "– not reached",
}


def _pairs(*facts: tuple[str, str | int | None]) -> Markup:
    terms = (
        element("div", element("dt", term), element("dd", value), class_="pair-row")
        for term, value in facts
        if value not in (None, "")
    )
    return element("dl", *terms, class_="pairs")


def _digest(text: str | None) -> Markup | None:
    return None if text is None else element("span", text, class_="digest")


def show_provenance(view: ReportView) -> Markup:
    """System, rubric, plan, suites and seal, with every digest."""
    return join(
        (
            element("h3", "System under test"),
            _pairs(
                ("Name", view.system.name),
                ("Model", view.system.provider_model),
                ("Identity", view.system.identity),
                ("Descriptor", _digest(view.system.sha256)),
                *((fact.replace("_", " ").capitalize(), value) for fact, value in view.system.facts),
                ("Models that answered", _say_served(view)),
            ),
            element("h3", "Rubric"),
            _pairs(
                ("Rubric", f"{view.rubric.id} {view.rubric.version}: {view.rubric.title}"),
                ("Digest", _digest(view.rubric.sha256)),
                ("Kept by", ", ".join(view.rubric.stewards)),
                ("Licence", view.rubric.license),
                ("Draws on", "; ".join(view.rubric.sources)),
                ("Error level", view.rubric.alpha),
                ("Applies where equal", ", ".join(key.replace("_", " ") for key in view.rubric.bind)),
            ),
            element("h3", "Plan, made before the first request"),
            _pairs(
                ("Digest", _digest(view.plan.sha256)),
                ("Made", view.plan.created),
                ("Design", view.plan.design),
                ("Order", f"{view.plan.order}, seed {view.plan.seed}"),
                ("Attempts for an answer", f"at most {view.plan.max_attempts}"),
                ("Budget", view.plan.budget),
                (
                    "Outcomes",
                    "fixed: asking again gives the same answer" if view.plan.fixed_outcomes else None,
                ),
            ),
            element("h3", "Suites"),
            _suites(view),
            element("h3", "Seal", class_="block"),
            _pairs(
                ("Merkle root", _digest(view.seal.root)),
                ("Records", say_number(view.seal.leaves)),
                ("Signed by", view.seal.signer),
                ("Key", _digest(view.seal.keyid)),
                ("Plan in the log", None if view.seal.log_index is None else f"entry {view.seal.log_index}"),
                ("Issued", view.seal.issued),
                ("Valid until", view.seal.valid_until),
                ("Made with", view.seal.tool),
                ("Tokens", _say_tokens(view)),
            ),
        )
    )


def _say_served(view: ReportView) -> str:
    return "; ".join(
        f"{item.model or 'not named'}{' ' + item.fingerprint if item.fingerprint else ''} ({say_number(item.answers)})"
        for item in view.served
    )


def _say_tokens(view: ReportView) -> str:
    totals = view.totals
    return f"{say_number(totals.input_tokens)} in, {say_number(totals.output_tokens)} out, as the provider counted"


def _suites(view: ReportView) -> Markup:
    headings = ("Suite", "Answers", "Samples", "Licence", "Source")
    rows = (
        (
            join(
                (
                    suite.name,
                    element("span", suite.title, class_="under") if suite.title else None,
                    element("span", suite.sha256, class_="under digest"),
                )
            ),
            f"{say_number(suite.answered)} of {say_number(suite.allowed * suite.epochs)}",
            say_number(suite.samples),
            suite.license or "not stated",
            suite.citation or suite.uri or "–",
        )
        for suite in view.suites
    )
    return table(headings, rows, caption="Suites", numeric=frozenset((1, 2)))


def show_verification(view: ReportView) -> Markup:
    """The steps of this reading, and how anyone repeats them."""
    name = shlex.quote(view.bundle)
    commands = (
        "pip install verilabel\n"
        f"verilabel verify {name} --trust trust.yaml   # eleven steps, offline; the label is derived again\n"
        f"verilabel show {name} --json                 # every figure of this page\n"
        f"verilabel show {name} --html page.html       # this page"
    )
    steps = (
        element(
            "li",
            element("span", str(step.number)),
            element("b", step.name),
            element("span", _OUTCOME_WORDS[step.outcome], class_=step.outcome),
            element("span", step.detail, class_="detail soft"),
        )
        for step in view.steps
    )
    return join(
        (
            say_lead(
                "Do not believe this page: anyone can write one. Take the bundle and check it on your own machine. "
                "It needs no network and no key of ours."
            ),
            element("pre", element("code", commands)),
            element(
                "p",
                "The root, the plan's digest and the signer's key must be those above. Ask the signer by another way "
                "whether the key is theirs: a trust policy then says so once and for all.",
            ),
            element("h3", "The steps of this reading", class_="block"),
            element("ol", *steps, class_="steps"),
        )
    )
