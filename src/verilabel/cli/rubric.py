"""List, show, check, explain and compare rubrics: the files that say what each level of a label takes.

  list         the rubrics that come with the program
  show         a rubric's exact text (with --json: its content and the digest of its bytes)
  lint         check a file: mistakes end with status 3, doubts are printed and end with 0
  explain      each level in plain words, with the answers it takes
  diff         what two rubrics ask differently, by meaning: stricter, laxer or other
  impact       every bundle of a folder under another version: which labels flip, and why
  sensitivity  how much of a bundle's label hangs on each threshold and on the alpha

RUBRIC is a bundled name (core, xstest, verilabel/core@0.1.0) or a file.

examples:
  verilabel rubric list
  verilabel rubric explain core
  verilabel rubric show core > my-rubric.yaml
  verilabel rubric lint my-rubric.yaml
  verilabel rubric diff core my-rubric.yaml
  verilabel rubric impact my-rubric.yaml bundles
  verilabel rubric sensitivity gpt.bundle
  verilabel rubric sensitivity gpt.bundle --rubric open-label --json

exit status: impact ends with 1 where a bundle could not be decided (it does not verify to V1, for example).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from verilabel.errors import ExitStatus

SUMMARY = "list, lint, show, explain and compare rubrics"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `verilabel rubric`."""
    from verilabel.cli.console import add_json_flag

    verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join(_VERBS))
    for verb, meaning in _VERBS.items():
        sub = verbs.add_parser(verb, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")
        if verb in ("show", "lint", "explain"):
            sub.add_argument("rubric", metavar="RUBRIC", help="a bundled name or a file")
        add_json_flag(sub)
        if verb in _COMPARING:
            _COMPARING[verb](sub)


def _configure_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="a bundled name or a file")
    parser.add_argument("new", metavar="NEW", help="a bundled name or a file")


def _configure_impact(parser: argparse.ArgumentParser) -> None:
    from verilabel.cli.seal_options import add_trust_option

    parser.add_argument("rubric", metavar="RUBRIC", help="the new version: a bundled name or a file")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder with the bundles")
    parser.add_argument(
        "--any-rubric", action="store_true", help="decide labels of other rubrics under this one too"
    )
    add_trust_option(parser)


def _configure_sensitivity(parser: argparse.ArgumentParser) -> None:
    from verilabel.cli.seal_options import add_trust_option

    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a folder or a .zip")
    parser.add_argument("--rubric", metavar="ID|FILE", help="another rubric than the bundle's own")
    add_trust_option(parser)


_VERBS = {
    "list": "the rubrics that come with the program",
    "show": "a rubric's exact text",
    "lint": "check a rubric file",
    "explain": "what each level takes, in plain words",
    "diff": "what two rubrics ask differently, by meaning",
    "impact": "which labels of a folder's bundles another version flips, and why",
    "sensitivity": "how much of a label hangs on each threshold and on the alpha",
}
_COMPARING = {
    "diff": _configure_diff,
    "impact": _configure_impact,
    "sensitivity": _configure_sensitivity,
}


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one verb."""
    if args.verb in _COMPARING:
        from verilabel.cli import rubric_comparing

        return rubric_comparing.run(args)
    verbs = {"list": _list, "show": _show, "lint": _lint, "explain": _explain}
    verbs[args.verb](args)
    return ExitStatus.OK


def _list(args: argparse.Namespace) -> None:
    from verilabel.cli.console import print_json, print_table
    from verilabel.rubric.model import bundled_rubrics

    rubrics = bundled_rubrics()
    if args.json:
        print_json(
            [
                {
                    "id": rubric.id,
                    "version": rubric.version,
                    "sha256": rubric.sha256,
                    "title": rubric.title,
                    "kind": rubric.scale.kind,
                    "levels": [level.id for level in rubric.scale.levels],
                    "suites": sorted({measure.suite for measure in rubric.measures.values()}),
                }
                for rubric in rubrics
            ]
        )
        return
    rows = [
        (rubric.name, rubric.scale.kind, " ".join(level.id for level in rubric.scale.levels), rubric.title)
        for rubric in rubrics
    ]
    print_table(("rubric", "scale", "levels", "title"), rows)


def _show(args: argparse.Namespace) -> None:
    from verilabel.cli.console import print_json
    from verilabel.records.strict_yaml import load_strict_yaml
    from verilabel.rubric.model import load_rubric, rubric_bytes

    data, where = rubric_bytes(args.rubric)
    rubric = load_rubric(data, where)
    if args.json:
        print_json({"sha256": rubric.sha256, "rubric": load_strict_yaml(data, where=where)})
    else:
        print(data.decode("utf-8"), end="")


def _lint(args: argparse.Namespace) -> None:
    import msgspec

    from verilabel.cli.console import print_json
    from verilabel.rubric.lint import remark_on
    from verilabel.rubric.model import find_rubric

    rubric = find_rubric(args.rubric)
    remarks = remark_on(rubric)
    if args.json:
        print_json(
            {"id": rubric.id, "version": rubric.version, "sha256": rubric.sha256}
            | {"remarks": msgspec.to_builtins(remarks)}
        )
        return
    for remark in remarks:
        print(f"doubt: {remark.message} @ {remark.path}")
    print(f"{rubric.name} is a rubric ({rubric.sha256}), {len(remarks)} doubts")


def _explain(args: argparse.Namespace) -> None:
    import msgspec

    from verilabel.cli.console import print_json
    from verilabel.rubric.explain import explain_rubric
    from verilabel.rubric.model import find_rubric

    explanation = explain_rubric(find_rubric(args.rubric))
    if args.json:
        print_json(msgspec.to_builtins(explanation))
        return
    print("\n".join(explanation.lines()))
