"""How baselines of generated suites are printed beside a label."""

from __future__ import annotations

from verilabel.cli.console import plain, print_table
from verilabel.report.baselines import Beside, show_share


def print_beside(beside: Beside) -> None:
    """Print what stands beside the label; nothing where there is nothing."""
    if beside.measures:
        print("\nbeside scripted agents, which are no models (events/samples)")
        rows = [
            (
                plain(measure.measure),
                plain(measure.event),
                f"{measure.events}/{measure.answers}",
                *(show_share(measure.scripts.get(name)) for name in beside.scripts),
            )
            for measure in beside.measures
        ]
        print_table(("measure", "event", "this system", *beside.scripts), rows)
    for suite, figures in beside.figures.items():
        for name, text in figures.items():
            print(plain(f"{suite}: {name} {text}"))
    for remark in beside.remarks:
        print(plain(remark))
