"""List, show, pull, lint and start suites: sets of prompts under one digest.

A suite is named by its bundled id (xstest, core/factual@1) or by a folder with a suite.yaml. Nothing is
fetched from the network except by pull. Prompts are printed only where --samples asks for them.
Suites for agents are generated from a seed (cap/planning:count=200,seed=5eed); a run derives it from its
own seed. `baselines` says what scripted agents score on one, without a model.

examples:
  verilabel suites list
  verilabel suites show core/bias
  verilabel suites show xstest --mirror ~/benchmarks --samples 3
  verilabel suites pull xstest
  verilabel suites pull gsm8k --mirror ~/benchmarks
  verilabel suites lint my-suite
  verilabel suites show cap/planning:seed=5eed --samples 1
  verilabel suites baselines cap/planning
  verilabel suites baselines agent/injection --seed 5eed --count 240 --json
  verilabel suites new my-suite/prompts.csv --prompt question
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verilabel.cli.console import add_json_flag, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.suites.loading import Suite, SuiteFile

SUMMARY = "list, show, pull and lint suites"
EXAMPLE_SEED = "example"
"""The run's seed that generated suites are shown with where none is given."""
SHOWN_IDS = 5
SHOWN_VALUES = 30


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)

    listing = action("list", "the bundled suites, and whether their data is on this machine")
    show = action("show", "what a suite is and holds: metadata, digest, counts by tag")
    show.add_argument("suite", metavar="SUITE")
    show.add_argument("--samples", type=_count, default=0, metavar="N", help="also print the first N prompts")
    pull = action("pull", "download a suite's data, check its digest and keep it in the cache")
    pull.add_argument("suites", metavar="SUITE", nargs="+")
    lint = action("lint", "check a suite: digest, repeats, gold letters, missing facts")
    lint.add_argument("suite", metavar="SUITE")
    lint.add_argument("--strict", action="store_true", help="warnings fail the check too")
    new = action("new", "write a suite.yaml beside a data file, with its digest")
    new.add_argument("file", metavar="FILE", type=Path)
    new.add_argument(
        "--id", dest="suite_id", metavar="ID", help="the suite's id (default: from the file name)"
    )
    new.add_argument("--prompt", metavar="COLUMN", help="the column with the prompts")
    new.add_argument("--records", default="", metavar="KEY", help="the key of the list inside a JSON object")
    new.add_argument("--license", dest="license_id", default="", metavar="SPDX", help="the data's licence")
    new.add_argument("--force", action="store_true", help="overwrite an existing suite.yaml")
    baselines = action("baselines", "play scripted agents on a generated suite, without a model")
    baselines.add_argument("suite", metavar="SUITE")
    baselines.add_argument("--seed", metavar="HEX", help="the suite's seed (default: an example)")
    baselines.add_argument("--count", type=_count, metavar="N", help="samples (default: the suite's own 120)")
    for sub in (listing, show, pull, lint):
        sub.add_argument(
            "--mirror", type=Path, metavar="DIR", help="a folder with the data of published suites"
        )
    for sub in (listing, show, pull, lint, new, baselines):
        add_json_flag(sub)


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is no count")
    return int(text)


def run(args: argparse.Namespace) -> ExitStatus:
    """Run the chosen action."""
    if getattr(args, "mirror", None) is not None and not args.mirror.is_dir():
        raise UsageError("the mirror is no folder", where=str(args.mirror))
    actions = {
        "list": _list,
        "show": _show,
        "pull": _pull,
        "lint": _lint,
        "new": _new,
        "baselines": _baselines,
    }
    return actions[args.action](args)


def _list(args: argparse.Namespace) -> ExitStatus:
    from verilabel.suites.generated import generated_ids
    from verilabel.suites.loading import availability_of, bundled_files, read_suite_file

    # one sample is enough to say what a generated suite is; its digests come with a seed
    generated = [read_suite_file(f"{name}:count=1", run_seed=EXAMPLE_SEED) for name in generated_ids()]
    suites = [(file, availability_of(file, mirror=args.mirror)) for file in (*bundled_files(), *generated)]
    if args.json:
        unsettled = dict.fromkeys(("digest", "data_sha256", "seed"))
        listed = [{**_facts(file), "data": available} for file, available in suites]
        print_json([{**row, **unsettled} if row["data"] == "generated" else row for row in listed])
        return ExitStatus.OK
    rows = [(file.name, file.manifest.license, available, file.manifest.title) for file, available in suites]
    print_table(("suite", "licence", "data", "title"), rows)
    return ExitStatus.OK


def _facts(file: SuiteFile | Suite) -> dict[str, Any]:
    manifest = file.manifest
    generated = (
        {"environment": manifest.environment, "seed": manifest.data.seed} if manifest.data.seed else {}
    )
    return {
        "suite": manifest.name,
        "title": manifest.title,
        "summary": manifest.summary,
        "license": manifest.license,
        "language": manifest.language,
        "citation": manifest.source.citation,
        "uri": manifest.source.uri,
        "digest": file.digest,
        "data_sha256": manifest.data.sha256,
        "detectors": list(manifest.detectors),
        "strata": manifest.strata,
        **generated,
    }


def _show(args: argparse.Namespace) -> ExitStatus:
    from verilabel.suites.loading import ABSENT, availability_of, load_suite, read_suite_file

    file = read_suite_file(args.suite, run_seed=EXAMPLE_SEED)
    available = availability_of(file, mirror=args.mirror)
    facts: dict[str, Any] = {**_facts(file), "data": available}
    if available == "generated" and "seed=" not in args.suite and not file.path.exists():
        facts["note"] = "the seed is an example; a run derives its own"
    if available in ABSENT and not args.samples:
        return _print_facts(facts, {}, args.json)
    suite = load_suite(args.suite, mirror=args.mirror, run_seed=EXAMPLE_SEED)
    facts["samples"] = len(suite.samples)
    facts["families"] = len({sample.unit for sample in suite.samples})
    counts = _tag_counts(suite)
    if args.samples:
        facts["prompts"] = [{"id": s.id, "prompt": s.prompt} for s in suite.samples[: args.samples]]
    return _print_facts(facts, counts, args.json)


def _tag_counts(suite: Suite) -> dict[str, dict[str, int]]:
    """How many samples have each value of each tag, of the stratum and of the gold letter."""
    counts = {
        tag: Counter(s.tags[tag] for s in suite.samples if tag in s.tags)
        for tag in suite.manifest.fields.tags
    }
    if suite.strata:
        counts["(stratum)"] = Counter(s.stratum for s in suite.samples)
    if any(s.choices for s in suite.samples):
        counts["(gold letter)"] = Counter(t for s in suite.samples for t in s.target)
    return {
        tag: dict(sorted(values.items(), key=lambda item: (-item[1], len(item[0]), item[0])))
        for tag, values in counts.items()
    }


def _print_facts(facts: Mapping[str, Any], counts: dict[str, dict[str, int]], as_json: bool) -> ExitStatus:
    if as_json:
        print_json({**facts, "counts": counts})
        return ExitStatus.OK
    prompts = facts.get("prompts", [])
    for key, value in facts.items():
        if key != "prompts" and value not in ("", [], {}):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            print(f"{key:<12} {shown}")
    for tag, values in counts.items():
        print(f"\n{tag}")
        for name, count in list(values.items())[:SHOWN_VALUES]:
            print(f"  {count:>7}  {name}")
        if len(values) > SHOWN_VALUES:
            print(f"  and {len(values) - SHOWN_VALUES} more values")
    for prompt in prompts:
        print(f"\n[{prompt['id']}]\n{prompt['prompt']}")
    return ExitStatus.OK


def _pull(args: argparse.Namespace) -> ExitStatus:
    from verilabel.suites.loading import pull_suite

    pulled = []
    for reference in args.suites:
        outcome = pull_suite(reference, mirror=args.mirror)
        pulled.append({"suite": outcome.name, "path": str(outcome.path), "fetched": outcome.fetched})
        if not args.json:
            where = "generated, there is nothing to pull" if outcome.path is None else outcome.path
            how = "" if outcome.path is None else "fetched to " if outcome.fetched else "already at "
            print(f"{outcome.name}: {how}{where}")
    if args.json:
        print_json(pulled)
    return ExitStatus.OK


def _lint(args: argparse.Namespace) -> ExitStatus:
    from verilabel.suites.linting import lint_suite
    from verilabel.suites.loading import load_suite

    suite = load_suite(args.suite, mirror=args.mirror, run_seed=EXAMPLE_SEED)
    findings = lint_suite(suite)
    failed = any(args.strict or finding.severity == "problem" for finding in findings)
    if args.json:
        listed = [
            {"severity": f.severity, "rule": f.rule, "message": f.message, "samples": list(f.samples)}
            for f in findings
        ]
        print_json(
            {"suite": suite.name, "digest": suite.digest, "samples": len(suite.samples), "findings": listed}
        )
    else:
        print(f"{suite.name}: {len(suite.samples)} samples, digests hold, {len(findings)} findings")
        for finding in findings:
            ids = ", ".join(finding.samples[:SHOWN_IDS]) + (
                ", ..." if len(finding.samples) > SHOWN_IDS else ""
            )
            print(f"  {finding.severity}: {finding.message} [{finding.rule}]" + (f": {ids}" if ids else ""))
    return ExitStatus.CHECK_FAILED if failed else ExitStatus.OK


def _baselines(args: argparse.Namespace) -> ExitStatus:
    from verilabel.suites.baselines import play_baselines
    from verilabel.suites.loading import load_suite

    options = [f"{key}={value}" for key in ("count", "seed") if (value := getattr(args, key)) is not None]
    if options and ":" in args.suite:
        raise UsageError("seed and count are given twice", where=args.suite)
    reference = f"{args.suite}:{','.join(options)}" if options else args.suite
    suite = load_suite(reference, run_seed=EXAMPLE_SEED)
    if suite.manifest.data.format != "generated":
        raise UsageError(f"{suite.name} is not generated", hint="'verilabel suites list' shows which are")
    played = play_baselines(suite)
    shares = {name: {event: played.share(name, event) for event in played.events} for name in played.findings}
    if args.json:
        scripts = {
            name: {"events": {event: share.events for event, share in of.items()}, **played.figures[name]}
            for name, of in shares.items()
        }
        print_json(
            {
                "suite": suite.name,
                "digest": suite.digest,
                "seed": suite.manifest.data.seed,
                "samples": len(suite.samples),
                "scripts": scripts,
                "not_played": played.not_played,
                "scripted_roles": list(played.scripted_roles),
            }
        )
        return ExitStatus.OK
    print(
        f"{suite.name} with seed {suite.manifest.data.seed}: {len(suite.samples)} samples, digest {suite.digest}"
    )
    rows = [
        (name, *(f"{share.events}/{share.samples}" for share in of.values()), *played.figures[name].values())
        for name, of in shares.items()
    ]
    labels = next(iter(played.figures.values())).keys()
    print_table(("script", *played.events, *labels), rows)
    for name, reason in played.not_played.items():
        print(f"{name}: not played; {reason}")
    for role in played.scripted_roles:
        print(f"the role {role!r} was played by a rule: these figures say nothing of a model in it")
    return ExitStatus.OK


def _new(args: argparse.Namespace) -> ExitStatus:
    from verilabel.suites.cache import write_whole
    from verilabel.suites.loading import SUITE_FILE
    from verilabel.suites.skeleton import draft_suite_file

    if not args.file.is_file():
        raise UsageError("no such file", where=str(args.file))
    target = args.file.parent / SUITE_FILE
    if target.exists() and not args.force:
        raise UsageError("there is a suite file already", where=str(target), hint="--force overwrites it")
    draft = draft_suite_file(
        args.file,
        suite_id=args.suite_id,
        prompt=args.prompt,
        records=args.records,
        license_id=args.license_id,
    )
    write_whole(target, draft.content)
    if args.json:
        print_json({"path": str(target), "samples": draft.samples, "columns": draft.guessed})
        return ExitStatus.OK
    columns = ", ".join(f"{fact} from {column!r}" for fact, column in draft.guessed.items())
    print(f"{target}: {draft.samples} samples; {columns}")
    print(
        "Check the columns, the licence and the scorer in it, then run 'verilabel suites lint' on the folder."
    )
    return ExitStatus.OK
