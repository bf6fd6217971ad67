"""The section of the page about scripted agents: what they score on the same samples, and figures over all episodes."""

from __future__ import annotations

from verilabel.report.baselines import show_share
from verilabel.report.markup import Markup, element, join, table
from verilabel.report.sections import say_lead
from verilabel.report.view import ReportView

_LEAD = (
    "Scripted agents, which are no models, on the samples of the suites that are generated: one that does nothing, one "
    "that acts at random, one that knows the answers, and others. A measure is worth what it says beside them."
)


def show_baselines(view: ReportView) -> Markup | None:
    """Every measure on a generated suite beside the scripted agents; None where the bundle has no such suite."""
    beside = view.baselines
    if not beside.says_something:
        return None
    parts: list[Markup] = [say_lead(_LEAD)]
    if beside.measures:
        rows = [
            (
                measure.measure,
                measure.event,
                f"{measure.events}/{measure.answers}",
                *(show_share(measure.scripts.get(name)) for name in beside.scripts),
            )
            for measure in beside.measures
        ]
        headings = ("measure", "event", "this system", *beside.scripts)
        numeric = frozenset(range(2, len(headings)))
        parts.append(table(headings, rows, caption="Measures beside scripted agents", numeric=numeric))
    said = [f"{suite}: {name} {text}" for suite, of in beside.figures.items() for name, text in of.items()]
    lines = [*said, *beside.remarks]
    if lines:
        parts.append(element("ul", *(element("li", line) for line in lines)))
    return join(parts)
