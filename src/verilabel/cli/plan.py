"""What a label would cost and what each of its rows could decide, before anything runs. Asks nothing, writes nothing.

examples:
  verilabel plan --model openai/gpt-4o-mini --rubric core --price 0.15,0.60
  verilabel plan --model replay:answers.csv --suite xstest --mirror data --rubric xstest --design fixed --json
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from verilabel.cli import agent_options, options, signing
from verilabel.cli.console import add_json_flag, print_json, print_table
from verilabel.errors import ExitStatus

if TYPE_CHECKING:
    from verilabel.evaluation.forecasting import Forecast, RowForecast
    from verilabel.evaluation.planning import Planned

SUMMARY = "what a label would cost and what each row could decide, before anything runs"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    options.add_system_options(parser)
    options.add_plan_options(parser)
    agent_options.add_agent_options(parser)
    signing.add_attestation_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Print the plan's forecast."""
    from verilabel.cli.job import prepare
    from verilabel.evaluation.describing import describe_system
    from verilabel.evaluation.forecasting import forecast
    from verilabel.evaluation.labelling import require_counting
    from verilabel.evaluation.planning import make_plan
    from verilabel.rubric.model import load_rubric

    job = prepare(args)
    rubric = load_rubric(job.rubric, job.rubric_where)
    chosen = options.plan_options(args, fixed_outcomes=job.model.fixed_outcomes)
    system = describe_system(job.choice, job.model)
    planned = make_plan(system, rubric, job.suites, chosen)
    outlook = forecast(
        planned,
        rubric,
        {suite.name: suite for suite in job.suites},
        options.prices_of(args),
        attested=require_counting(signing.load_findings(args), rubric, system.digest, datetime.now(UTC)),
    )
    if args.json:
        print_json(_document(planned, outlook))
    else:
        _print(planned, outlook)
    return ExitStatus.OK


def _document(planned: Planned, outlook: Forecast) -> dict[str, object]:
    return {
        "plan": planned.plan.document(),
        "best_label": outlook.best_label,
        "answers": {"fewest": outlook.fewest_answers, "most": outlook.most_answers},
        "usd": None if outlook.most_usd is None else {"fewest": outlook.fewest_usd, "most": outlook.most_usd},
        "rows": [
            {
                "level": row.level,
                "test": row.test,
                "measure": row.row.measure,
                "op": row.row.op,
                "threshold": row.row.threshold,
                "tested": row.row.tested_met,
                "unit": row.unit,
                "planned": row.planned,
                "fewest_to_meet": row.fewest_to_meet,
                "fewest_to_fail": row.fewest_to_fail,
                "outlook": [
                    {"rate": str(o.rate), **{k: round(v, 6) for k, v in o.characteristics._asdict().items()}}
                    for o in row.outlooks
                ],
            }
            for row in outlook.rows
        ],
        "not_assessed": planned.unassessed,
    }


def _print(planned: Planned, outlook: Forecast) -> None:
    plan = planned.plan
    print(f"{plan.rubric.id}@{plan.rubric.version}, {plan.design} design; at best: {outlook.best_label}")
    span = (
        f"{outlook.fewest_answers} to {outlook.most_answers}"
        if outlook.fewest_answers < outlook.most_answers
        else str(outlook.most_answers)
    )
    print(f"calls: {span}{f', and {outlook.judges} judge call(s) for each' if outlook.judges else ''}")
    if outlook.most_usd is not None:
        print(
            f"cost: ${outlook.fewest_usd:.2f} to ${outlook.most_usd:.2f} "
            "(estimated: 4 characters a token, 250 tokens an answer)"
        )
    print()
    rows = [
        (
            f"{row.level} {row.test}",
            row.row.measure or "",
            f"{row.row.op} {row.row.threshold}",
            row.row.tested_met or "",
            f"{row.planned} {row.unit}",
            _or_more(row.fewest_to_meet),
            _or_more(row.fewest_to_fail),
            _mean_calls(row),
        )
        for row in outlook.rows
    ]
    print_table(
        (
            "level",
            "measure",
            "threshold",
            "tested at",
            "planned",
            "met from",
            "not met from",
            "mean calls at best / half / at it",
        ),
        rows,
    )
    for measure, why in planned.unassessed.items():
        print(f"not assessed: {measure}: {why}")


def _or_more(count: int | None) -> str:
    return "out of reach" if count is None else str(count)


def _mean_calls(row: RowForecast) -> str:
    shown = [row.outlooks[i].characteristics.calls for i in (0, 2, 3) if i < len(row.outlooks)]
    return " / ".join(f"{calls:.0f}" for calls in shown) or "-"
