"""An agent's episode on the page: a numbered list of steps, each with its texts under their names."""

from __future__ import annotations

from verilabel.report.markup import Markup, element
from verilabel.report.view import EpisodeView, StepView


def draw_episode(episode: EpisodeView) -> Markup:
    """The steps in their order, how many more there are, and how the episode ended."""
    more = f"{episode.left_out:,} more steps are in the record. " if episode.left_out else ""
    held = f" Sandbox: {episode.containment}." if episode.containment else ""
    return element(
        "div",
        element("ol", *(_step(step) for step in episode.steps), class_="episode"),
        element("p", f"{more}{episode.ending}{held}", class_="soft"),
    )


def _step(step: StepView) -> Markup:
    notes = element("span", " · ".join(step.notes), class_="notes") if step.notes else None
    return element(
        "li",
        element("p", element("b", step.heading), " " if notes else None, notes),
        *(_text(name, text) for name, text in step.texts),
    )


def _text(name: str, text: str) -> Markup:
    # the name stands in an element of its own, so that no text can look like the name of another
    return element(
        "div",
        element("span", name, class_="of") if name else None,
        element("pre", text, class_="text") if text else element("p", "(nothing)", class_="soft"),
        class_="said",
    )
