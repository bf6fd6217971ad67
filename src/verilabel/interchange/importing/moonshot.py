"""Results of Moonshot: recipes, or cookbooks of recipes, each with its answers and its metrics in percent.

Most metrics keep no score of the single answer. Where they do not, the answers are compared with their targets as
`exactstrmatch` and `relaxstrmatch` compare them; a metric of another kind is then not contradicted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from verilabel.errors import MalformedInput
from verilabel.interchange.importing.printed import print_claim, print_number, score_of
from verilabel.interchange.importing.run import (
    ClaimedCount,
    ClaimedMetric,
    Derivation,
    ImportedRecord,
    ImportedRun,
    RecordedScore,
)
from verilabel.interchange.importing.source import (
    Source,
    add_param,
    array_parts,
    as_count,
    as_dict,
    as_list,
    as_text,
    object_parts,
    parse_document,
    parse_object,
    plain_json,
)
from verilabel.records.canonical import digest, jcs

PERCENT = 100
RELAXED = "relax_str_match"
_SYMBOLS = re.compile(r"[^\w]")


def read_moonshot(source: Source) -> ImportedRun:
    """Read a results file. Raises MalformedInput where it holds neither recipes nor cookbooks."""
    top = object_parts(source.data, source.where)
    meta = as_dict(parse_document(top.get("metadata", b"{}"), f"{source.where} $.metadata"))
    records: list[ImportedRecord] = []
    claims: list[ClaimedMetric] = []
    counts: list[ClaimedCount] = []
    for recipe, details in _recipes(top.get("results", b"{}"), f"{source.where} $.results"):
        for detail, raws in details:
            group = _group(recipe, detail)
            held = list(_records(group, detail, raws, source.where))
            records += held
            claims += _claims(group, detail, held)
        counts += _counts(recipe, [detail for detail, _ in details])
    params: dict[str, str | int | bool] = {}
    for name in ("random_seed", "prompt_selection_percentage"):
        add_param(params, name, meta.get(name))
    system = meta.get("system_prompt")
    share = as_count(meta.get("prompt_selection_percentage"))
    return ImportedRun(
        tool="moonshot",
        format_version="results",
        files=(source.file,),
        task=as_text(meta.get("id")),
        model=", ".join(as_text(item) for item in as_list(meta.get("endpoints"))),
        created=as_text(meta.get("start_time")),
        params=params,
        system_prompt=system if isinstance(system, str) and system else None,
        metrics=tuple(claims),
        counts=tuple(counts),
        records=tuple(records),
        notes=() if share in (None, 100) else (f"the run asked {share} % of each data set",),
        objections=()
        if as_text(meta.get("status")) in ("completed", "")
        else (f"the run ended with status {as_text(meta.get('status'))!r}",),
        exact_scorers=frozenset({"exact match with the target", f"{RELAXED} with the target"}),
    )


Detail = tuple[dict[str, Any], list[bytes]]
"""A detail of a recipe without its data, and the exact bytes of each item of its data."""


def _recipes(results: bytes, where: str) -> Iterator[tuple[dict[str, Any], list[Detail]]]:
    parts = object_parts(results, where)
    raws = array_parts(parts.get("recipes", b"[]"), where)
    for cookbook in array_parts(parts.get("cookbooks", b"[]"), where):
        raws += array_parts(object_parts(cookbook, where).get("recipes", b"[]"), where)
    if not raws:
        raise MalformedInput("the results hold no recipe", where=where)
    for raw in raws:
        recipe = object_parts(raw, where)
        details = [_detail(part, where) for part in array_parts(recipe.pop("details", b"[]"), where)]
        yield {key: parse_document(part, where) for key, part in recipe.items()}, details


def _detail(raw: bytes, where: str) -> Detail:
    parts = object_parts(raw, where)
    data = array_parts(parts.pop("data", b"[]"), where)
    return {key: parse_document(part, where) for key, part in parts.items()}, data


def _group(recipe: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    parts = (recipe.get("id"), *(detail.get(key) for key in ("model_id", "dataset_id", "prompt_template_id")))
    return " ".join(filter(None, map(as_text, parts)))


def _counts(recipe: Mapping[str, Any], details: Sequence[Mapping[str, Any]]) -> Iterator[ClaimedCount]:
    """A recipe states how many prompts each model was asked, over all its data sets and templates."""
    for summary in map(as_dict, as_list(recipe.get("evaluation_summary"))):
        mine = [detail for detail in details if detail.get("model_id") == summary.get("model_id")]
        stated = as_count(summary.get("num_of_prompts"))
        if stated is not None and len(mine) == 1:
            yield ClaimedCount(
                "records", stated, f"prompts of {_group(recipe, mine[0])}", _group(recipe, mine[0])
            )


def _records(
    group: str, detail: Mapping[str, Any], raws: Sequence[bytes], where: str
) -> Iterator[ImportedRecord]:
    kept = _individual_scores(detail)
    items = [parse_object(raw, where) for raw in raws]
    for index, item in enumerate(items):
        predicted = item.get("predicted_result")
        answer = predicted if isinstance(predicted, str) else as_dict(predicted).get("response")
        targets = _listed(item.get("target"))
        scores = {name: values[index] for name, values in kept.items() if len(values) == len(items)}
        if isinstance(answer, str) and targets:
            scores["exact match with the target"] = _match(answer in targets)
            scores[f"{RELAXED} with the target"] = _match(_relaxed(answer) in map(_relaxed, targets))
        prompt = as_text(item.get("prompt"))
        yield ImportedRecord(
            id=str(index + 1),
            sha256=digest(raws[index]),
            group=group,
            messages=(("user", prompt),) if prompt else (),
            output=answer if isinstance(answer, str) else None,
            target=tuple(map(str, targets)),
            error=None if isinstance(answer, str) else "no answer",
            scores=scores,
            response=jcs(plain_json(predicted)).decode(),
            model=as_text(detail.get("model_id")),
        )


def _match(found: bool) -> RecordedScore:
    return RecordedScore(str(found).lower(), Fraction(int(found)))


def _relaxed(value: Any) -> str:
    return _SYMBOLS.sub("", str(value)).lower()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _individual_scores(detail: Mapping[str, Any]) -> dict[str, list[RecordedScore]]:
    """Scores that a metric keeps for each answer, in their order: a list of objects with a numeric `score`."""
    kept: dict[str, list[RecordedScore]] = {}
    for metric in map(as_dict, as_list(detail.get("metrics"))):
        places = {"": metric, **{name: as_dict(value) for name, value in metric.items()}}
        for name, place in places.items():
            listed = as_list(place.get("individual_scores"))
            values = [as_dict(item).get("score") for item in listed]
            if listed and all(print_number(value) is not None or isinstance(value, bool) for value in values):
                kept[name or "individual_scores"] = [score_of(value) for value in values]
    return kept


def _claims(group: str, detail: Mapping[str, Any], records: Sequence[ImportedRecord]) -> list[ClaimedMetric]:
    kept = [key for record in records[:1] for key in record.scores if not key.endswith("with the target")]
    claims = []
    for metric in map(as_dict, as_list(detail.get("metrics"))):
        for name, value in as_dict(metric.get("grading_criteria")).items():
            printed = print_claim(value)
            if printed is None:
                continue
            by_target = f"{RELAXED} with the target" if name == RELAXED else "exact match with the target"
            key = next((k for k in (name, *kept) if k in kept), by_target)
            claims.append(
                ClaimedMetric(
                    name,
                    printed,
                    key,
                    group,
                    "percent",
                    Derivation("mean", "none", PERCENT, assumed=key == by_target and name != RELAXED),
                )
            )
    return claims
