"""What a model card, system card or results file claims, what its claims lack, and what bundles say of them.

SOURCE is a file or folder, an https address, or a model on the Hugging Face hub (hf:ORG/NAME); the network is used
for the last two alone. Read are Markdown and plain text (tables, also HTML ones, sentences, `model-index`),
`.eval_results` YAML and Every Eval Ever JSON. A PDF is not read: save its text first.

For each claim the fields that acting on it needs are counted as stated, stated in part or missing; there is no score.
With --bundle each figure is held against the bundle's bounds: supported, contradicted or not evidenced. A figure
without a unit is never converted: where it could be a fraction or a percentage, both are tried, and where they differ
nothing is said.

examples:
  verilabel claims README.md
  verilabel claims hf:org/model --json
  verilabel claims card.md --bundle model.bundle --same "Our Model=model-v1" --same "XSTest=xstest"
  verilabel claims system-card.txt --extractor openai/gpt-4o-mini

exit statuses: 1 where a bundle contradicts a claim, or with --strict where the claims are not actionable
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.claims.claim import Claim, Extraction
    from verilabel.claims.completeness import Actionability, FieldCount
    from verilabel.claims.matching import Match, VerifiedBundle

SUMMARY = "what a model card claims, what its claims lack, and what bundles say of them"
SHOWN = 20
"""Claims that are printed without --all."""
WIDTH = 48


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""

    parser.add_argument("source", metavar="SOURCE", help="a file, a folder, https://..., or hf:ORG/NAME")
    parser.add_argument(
        "--bundle",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a bundle to hold the claims against (repeatable)",
    )
    parser.add_argument(
        "--subject", default="", metavar="NAME", help="the model, where the source does not name it"
    )
    parser.add_argument(
        "--same",
        action="append",
        default=[],
        metavar="NAME=NAME",
        help="a benchmark or model as the source writes it, and its suite or system in the bundles (repeatable)",
    )
    parser.add_argument(
        "--extractor", metavar="ADDRESS", help="also ask this model for claims; their quotes are checked"
    )
    parser.add_argument(
        "--extractor-url", metavar="URL", help="the server of the extractor, where it is another"
    )
    parser.add_argument("--all", action="store_true", help=f"print every claim, not the first {SHOWN}")
    parser.add_argument("--strict", action="store_true", help="exit 1 where the claims are not actionable")
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Extract, count, match, print."""
    from verilabel.claims.completeness import count_fields, judge_actionability
    from verilabel.claims.extraction import extract_claims
    from verilabel.claims.matching import match_claims
    from verilabel.claims.source import open_source

    same = _pairs(args.same)
    bundles = _verify(args)
    extraction = extract_claims(args.source, open_source(args.source), subject=args.subject)
    if args.extractor:
        extraction = _ask(args, extraction)
    counts = count_fields(extraction.claims)
    verdict = judge_actionability(counts, len(extraction.claims))
    matches = match_claims(extraction.claims, bundles, same=same) if bundles else []
    if args.json:
        print_json(_document(extraction, counts, verdict, matches))
    else:
        _print(extraction, counts, verdict, matches, everything=args.all)
    contradicted = any(match.outcome == "contradicted" for match in matches)
    failed = contradicted or (args.strict and verdict.actionable is False)
    return ExitStatus.CHECK_FAILED if failed else ExitStatus.OK


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for pair in given:
        written, equals, meant = pair.partition("=")
        if not equals or not written.strip() or not meant.strip():
            raise UsageError(f"{pair!r} is not NAME=NAME", where="--same")
        pairs[written.strip()] = meant.strip()
    return pairs


def _verify(args: Namespace) -> list[VerifiedBundle]:
    """Verify the bundles. Raises what the verifier found where one of them is not genuine or not in force."""
    from datetime import UTC, datetime

    from verilabel.claims.matching import VerifiedBundle
    from verilabel.detectors.catalogue import find_card
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.suites.loading import find_suite

    trust, now = seal_options.open_trust(args), datetime.now(UTC)
    verified = []
    for path in args.bundle:
        found = verify_bundle(path, trust=trust, now=now, find_card=find_card, find_suite=find_suite)
        if found.failure is not None:
            raise found.failure
        verified.append(VerifiedBundle(str(path), found))
    return verified


def _ask(args: Namespace, extraction: Extraction) -> Extraction:
    import asyncio

    from verilabel.claims.asking import ask_for_claims
    from verilabel.models.address import open_model

    async def ask() -> Extraction:
        async with open_model(args.extractor, base_url=args.extractor_url) as model:
            return await ask_for_claims(model, extraction, subject=args.subject)

    return asyncio.run(ask())


# ---------------------------------------------------------------- printing


def _document(
    extraction: Extraction, counts: Sequence[FieldCount], verdict: Actionability, matches: Sequence[Match]
) -> dict[str, Any]:
    import msgspec

    from verilabel.claims.completeness import count_kinds

    claims = [msgspec.to_builtins(claim) for claim in extraction.claims]
    for document, match in zip(claims, matches, strict=False):
        document["match"] = msgspec.to_builtins(match)
    return {
        "source": extraction.source,
        "documents": [
            {"name": d.name, "kind": d.kind, "sha256": d.sha256, "characters": len(d.text)}
            for d in extraction.documents
        ],
        "claims": claims,
        "kinds": count_kinds(extraction.claims),
        "fields": msgspec.to_builtins(counts),
        "verdict": msgspec.to_builtins(verdict),
        "matches": dict(Counter(match.outcome for match in matches)),
        "unread": [{"place": str(item.place), "reason": item.reason} for item in extraction.unread],
        "dropped": extraction.dropped,
    }


def _print(
    extraction: Extraction,
    counts: Sequence[FieldCount],
    verdict: Actionability,
    matches: Sequence[Match],
    *,
    everything: bool,
) -> None:
    from verilabel.claims.claim import FIELD_SAYS
    from verilabel.claims.completeness import count_kinds

    kinds = ", ".join(f"{count} {name}" for name, count in count_kinds(extraction.claims).items())
    print(f"{plain(extraction.source)}: {len(extraction.claims)} claims{f' ({kinds})' if kinds else ''}\n")
    _print_claims(extraction.claims, matches, everything=everything)
    if extraction.claims:
        print_table(
            ("what acting on a claim needs", "claims", "stated", "in part", "missing", "nearby"),
            [
                (FIELD_SAYS[c.field], c.asked, c.stated, c.in_part, c.missing, c.nearby)
                for c in counts
                if c.asked
            ],
        )
        print("nearby: of those stated, where the words stand in the claim's section and not in the claim\n")
    print(verdict.sentence)
    for reason in verdict.reasons:
        print(f"  - {reason}")
    _print_matches(extraction.claims, matches)
    for item in extraction.unread:
        print(f"not read: {plain(str(item.place))}: {plain(item.reason)}")
    for reason, count in extraction.dropped.items():
        print(f"dropped: {count} of the extractor's: {reason}")


def _print_claims(claims: Sequence[Claim], matches: Sequence[Match], *, everything: bool) -> None:
    shown = claims if everything else claims[:SHOWN]
    if not shown:
        return
    outcomes = [match.outcome.replace("_", " ") for match in matches] or [""] * len(claims)
    heads = ["line", "model", "benchmark", "metric", "says", "unit"] + (["bundles"] if matches else [])
    rows = []
    for claim, outcome in zip(shown, outcomes, strict=False):
        value = claim.value
        unit = "" if value is None else "ambiguous" if value.unit_ambiguous else value.unit
        says = (
            (value.text if claim.place.table or claim.place.path else _about(claim))
            if value
            else _about(claim)
        )
        cells = [
            str(claim.place.line or claim.place.path or ""),
            claim.subject,
            claim.benchmark,
            claim.metric,
            says,
            unit,
        ]
        rows.append([_cut(plain(cell)) for cell in cells] + ([outcome] if matches else []))
    print_table(heads, rows)
    if len(shown) < len(claims):
        print(f"... and {len(claims) - len(shown)} more (--all prints them)")
    print()


def _about(claim: Claim) -> str:
    if claim.value is not None:
        sign = "" if claim.value.comparator == "=" else f"{claim.value.comparator} "
        return f"{sign}{claim.value.text}: {claim.text}"
    return f"{claim.category or claim.kind}: {claim.text}"


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def _print_matches(claims: Sequence[Claim], matches: Sequence[Match]) -> None:
    if not matches:
        return
    print("\nagainst the bundles:")
    for outcome in ("contradicted", "supported"):
        for claim, match in zip(claims, matches, strict=True):
            if match.outcome == outcome and match.evidence is not None:
                e = match.evidence
                print(
                    f"  {outcome}: {plain(str(claim.place))}: {plain(claim.subject)}, {plain(claim.benchmark)}"
                )
                print(
                    f"    {plain(match.reason)} ({e.events} of {e.n}, {plain(e.suite)}, {e.level} {plain(e.bundle)})"
                )
                for note in match.notes:
                    print(f"    note: {plain(note)}")
    reasons = Counter(match.reason for match in matches if match.outcome == "not_evidenced")
    for reason, count in reasons.most_common():
        print(f"  not evidenced, {count}: {plain(reason)}")
