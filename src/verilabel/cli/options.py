"""Options that several commands share, and what they open: systems, suites, rubrics, plans, keys, logs, trust."""

from __future__ import annotations

import re
import secrets
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.seal_options import add_reference_option
from verilabel.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from verilabel.evaluation.describing import SystemChoice
    from verilabel.evaluation.planning import PlanOptions
    from verilabel.evaluation.spending import Prices
    from verilabel.models.interface import Model
    from verilabel.records.plan import Budget
    from verilabel.records.system import Scalar
    from verilabel.suites.loading import Suite

AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})", re.ASCII)
ADDRESSES = (
    "openai/NAME, anthropic/NAME, google/NAME, ollama/NAME, vllm/NAME, hf/PATH, command:PROGRAM, replay:FILE, "
    "simulated:rate=0.01, scripted:oracle"
)


# -- the system and its model ------------------------------------------------------------------------------


def add_system_options(parser: ArgumentParser) -> None:
    """Options that say what is tested and how it is reached."""
    group = parser.add_argument_group("the system under test")
    group.add_argument(
        "--model",
        metavar="ADDRESS",
        help=ADDRESSES,
    )
    group.add_argument(
        "--system", type=Path, metavar="FILE", help="a system file (YAML) instead of the options below"
    )
    group.add_argument("--name", help="the system's name on the label")
    group.add_argument("--base-url", metavar="URL", help="any OpenAI-compatible server")
    group.add_argument("--system-prompt", metavar="TEXT|@FILE", help="the system prompt, or @FILE to read it")
    group.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter of every request, such as temperature=0.7 (repeatable)",
    )
    group.add_argument("--use-case", help="what the system is used for (default general-chat)")
    group.add_argument("--locale", help="language and place, such as en-US")
    group.add_argument("--weights", metavar="DIGEST", help="sha256:... of the weights, where known")
    group.add_argument(
        "--guardrail",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a guardrail's configuration, bound by digest (repeatable)",
    )
    group.add_argument(
        "--tool",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a tool's definition, bound by digest (repeatable)",
    )
    reach = parser.add_argument_group("reaching the model")
    reach.add_argument("--key-env", metavar="VARIABLE", help="environment variable that holds the API key")
    reach.add_argument(
        "--key-file", type=Path, metavar="FILE", help="file that holds the API key (mode 0600)"
    )
    reach.add_argument(
        "--timeout", type=float, default=120.0, metavar="S", help="seconds for one answer (default 120)"
    )
    reach.add_argument(
        "--connections",
        type=int,
        default=20,
        metavar="N",
        help="questions in flight at most (default 20); shrinks on push-back",
    )
    reach.add_argument(
        "--max-attempts", type=int, default=5, metavar="N", help="attempts for one answer (default 5)"
    )
    reach.add_argument(
        "--price", metavar="IN,OUT", help="US dollars per million tokens, for cost and money budgets"
    )
    reach.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="ROLE=NAME",
        help="replay: which column holds prompt, output, id (repeatable)",
    )
    reach.add_argument(
        "--match-by",
        choices=("prompt", "id"),
        default="prompt",
        help="replay: how recorded answers are found",
    )
    reach.add_argument(
        "--allow-insecure", action="store_true", help="send a key over plain http to another host"
    )


def choose_system(args: Namespace) -> SystemChoice:
    """The system that the options describe. Raises UsageError where no model is named."""
    from verilabel.evaluation.describing import DEFAULT_PARAMS, SystemChoice, read_system_file

    if args.system is not None:
        choice = read_system_file(args.system)
    elif args.model:
        choice = SystemChoice(model=args.model)
    else:
        raise UsageError("no model is named", hint="--model ADDRESS or --system FILE")
    tools, guardrails = _named_files(args.tool, "--tool"), _named_files(args.guardrail, "--guardrail")
    given: dict[str, object] = {
        "model": args.model,
        "name": args.name,
        "base_url": args.base_url,
        "weights": args.weights,
        "use_case": args.use_case,
        "locale": args.locale,
        "system_prompt": _text_or_file(args.system_prompt),
        "guardrails": {**choice.guardrails, **guardrails},
        "tools": {**choice.tools, **tools},
    }
    if args.param:
        given["params"] = {**DEFAULT_PARAMS, **choice.params, **_scalars(args.param)}
    return replace(choice, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]


def open_chosen_model(choice: SystemChoice, args: Namespace, suites: Sequence[Suite]) -> Model:
    """The model of a chosen system, which may be a scripted agent that knows the suites it is asked.

    Raises MissingExtra where the packages for asking models are missing.
    """
    from verilabel.evaluation.agents.opening import agentic_suites
    from verilabel.evaluation.agents.scripted import ScriptedModel, is_scripted
    from verilabel.models.address import open_model

    if args.connections < 1 or not args.timeout > 0:
        raise UsageError("--connections must be at least 1 and --timeout above 0")
    if is_scripted(choice.model):
        return ScriptedModel(choice.model, suites, agentic_suites(suites))
    return open_model(
        choice.model,
        base_url=choice.base_url,
        key_env=args.key_env,
        key_file=args.key_file,
        timeout_s=args.timeout,
        connections=args.connections,
        columns=name_values(args.column, "--column") or None,
        match_by=args.match_by,
        answers=gold_answers(suites),
        allow_insecure=args.allow_insecure,
    )


def gold_answers(suites: Sequence[Suite]) -> dict[tuple[str, str], str]:
    """Gold answers of the suites, which a simulated model needs to be right at its stated rate."""
    return {
        (suite.name, sample.id): sample.target[0]
        for suite in suites
        for sample in suite.samples
        if sample.target
    }


def _text_or_file(value: str | None) -> str | None:
    if value is None or not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"the system prompt is not UTF-8 at byte {error.start}", where=value[1:]) from error


def _named_files(values: Sequence[str], option: str) -> dict[str, bytes]:
    return {name: Path(file).read_bytes() for name, file in name_values(values, option).items()}


def name_values(values: Sequence[str], option: str) -> dict[str, str]:
    """What `NAME=VALUE` options say. Raises UsageError for another form, and for a name that is given twice."""
    pairs = {}
    for value in values:
        key, sign, rest = value.partition("=")
        if not sign or not key:
            raise UsageError(f"{value!r} is not of the form NAME=VALUE", where=option)
        if key in pairs:
            raise UsageError(f"{key!r} is given twice", where=option)
        pairs[key] = rest
    return pairs


def _scalars(values: Sequence[str]) -> dict[str, Scalar]:
    result: dict[str, Scalar] = {}
    for key, text in name_values(values, "--param").items():
        if text in ("true", "false"):
            result[key] = text == "true"
        else:
            result[key] = int(text) if WHOLE_NUMBER.fullmatch(text) else text
    return result


# -- suites, rubric, plan ----------------------------------------------------------------------------------


def add_plan_options(parser: ArgumentParser) -> None:
    """Options that decide what is measured and by which rule."""
    group = parser.add_argument_group("what is measured")
    group.add_argument(
        "--rubric",
        required=True,
        metavar="ID|FILE",
        help="the rubric: a bundled id (verilabel rubric list) or a file",
    )
    group.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="ID|PATH",
        help="a suite (repeatable; default: the rubric's own that are at hand)",
    )
    group.add_argument(
        "--mirror", type=Path, metavar="DIR", help="folder in which suites' data is looked for first"
    )
    group.add_argument(
        "--design",
        choices=("anytime", "fixed"),
        default="anytime",
        help="anytime stops as soon as the label is decided; fixed asks every sample (default anytime)",
    )
    group.add_argument("--limit", type=int, metavar="N", help="samples of each suite at most")
    group.add_argument(
        "--epochs", type=int, default=1, metavar="K", help="times each sample is asked (default 1)"
    )
    group.add_argument(
        "--seed", help="commits the order of the samples (default: drawn and written into the plan)"
    )
    add_reference_option(group)
    group.add_argument(
        "--detector",
        action="append",
        default=[],
        metavar="EVENT=NAME",
        help="detector for an event or a measure, such as harmful=judge:openai/gpt-4o (repeatable)",
    )
    group.add_argument(
        "--detector-card",
        action="append",
        default=[],
        metavar="EVENT=FILE",
        help="measured errors of a detector, from `verilabel detectors measure --out` (repeatable)",
    )
    group.add_argument(
        "--judge-key-env", metavar="VARIABLE", help="environment variable with the key of judges' servers"
    )
    group.add_argument(
        "--budget",
        action="append",
        default=[],
        metavar="WHAT=N",
        help="requests=N, tokens=N or usd=N (repeatable)",
    )


def load_chosen_suites(args: Namespace) -> list[Suite]:
    """The suites given, or those of the rubric's that can be loaded without a network.

    Generated suites without a seed of their own follow from the run's seed (`settle_seed`).
    """
    from verilabel.evaluation.finding import load_given
    from verilabel.rubric.model import find_rubric
    from verilabel.suites.loading import load_suite

    if args.suite:
        return [load_given(given, mirror=args.mirror, run_seed=args.seed) for given in args.suite]
    suites = []
    for reference in dict.fromkeys(measure.suite for measure in find_rubric(args.rubric).measures.values()):
        try:
            suites.append(load_suite(reference, mirror=args.mirror, run_seed=args.seed))
        except UsageError:
            continue  # the plan names every measure that is not assessed for want of its suite
    return suites


def settle_seed(args: Namespace, store: Path | None = None) -> None:
    """Settle the run's seed before suites are made from it: a begun store's own, the given one, or a drawn one."""
    from verilabel.evidence.layout import PLAN
    from verilabel.records.canonical import parse_json

    if store is not None and (kept := store / PLAN).is_file():
        plan = parse_json(kept.read_bytes(), where=str(kept))
        args.seed = plan.get("seed") if isinstance(plan, dict) else None
    args.seed = args.seed or secrets.token_hex(16)


def plan_options(args: Namespace, *, fixed_outcomes: bool) -> PlanOptions:
    """The plan's options."""
    from verilabel.evaluation.planning import PlanOptions
    from verilabel.evaluation.referring import read_reference
    from verilabel.evidence.plan_checks import MAX_EPOCHS

    now = datetime.now(UTC).replace(microsecond=0)
    if (args.limit is not None and args.limit < 1) or args.epochs < 1 or args.max_attempts < 1:
        raise UsageError("--limit, --epochs and --max-attempts must be at least 1")
    if args.epochs > MAX_EPOCHS:
        raise UsageError(f"a sample is asked {MAX_EPOCHS} times at most", where=f"--epochs {args.epochs}")
    return PlanOptions(
        design=args.design,
        seed=args.seed or secrets.token_hex(16),
        now=now,
        limit=args.limit,
        epochs=args.epochs,
        max_attempts=args.max_attempts,
        budget=_budget(args.budget),
        detectors=name_values(args.detector, "--detector"),
        cards={key: Path(file) for key, file in name_values(args.detector_card, "--detector-card").items()},
        fixed_outcomes=fixed_outcomes,
        references=[read_reference(path, trust=None, now=now) for path in args.reference],
    )


def _budget(values: Sequence[str]) -> Budget:
    from verilabel.records.plan import Budget

    given = name_values(values, "--budget")
    if unknown := sorted(set(given) - {"requests", "tokens", "usd"}):
        raise UsageError(f"no budget of {unknown[0]!r}", hint="requests=N, tokens=N or usd=N")
    for key, text in given.items():
        if not (AMOUNT if key == "usd" else WHOLE_NUMBER).fullmatch(text) or text.startswith("-"):
            kind = "an amount" if key == "usd" else "a whole number"
            raise UsageError(f"{text!r} is not {kind}", where=f"--budget {key}")
    counts = {key: int(given[key]) for key in ("requests", "tokens") if key in given}
    return Budget(usd=given.get("usd"), **counts)


def prices_of(args: Namespace) -> Prices | None:
    """The prices given. Raises UsageError where they are not two numbers."""
    from verilabel.evaluation.spending import Prices

    if args.price is None:
        return None
    parts = args.price.split(",")
    if len(parts) != 2 or not all(AMOUNT.fullmatch(part) for part in parts):
        raise UsageError("prices are two numbers", where=f"--price {args.price}", hint="--price 2.50,10")
    return Prices(*map(Decimal, parts))


# -- signing, logging, trusting ----------------------------------------------------------------------------


def require_evaluation() -> None:
    """Check that the packages for asking models are installed. Raises MissingExtra."""
    import importlib.util

    for package in ("aiohttp", "rich"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "eval")
