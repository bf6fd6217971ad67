"""Claims in data: a card's `model-index`, the files of `.eval_results`, and Every Eval Ever results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from verilabel.claims.claim import Claim, Place, Unit, Unread, Value
from verilabel.claims.numbers import unit_of_metric
from verilabel.claims.words import known_words, name_metric, topic_of
from verilabel.errors import LimitExceeded, MalformedInput

MAX_CLAIMS = 100_000
Found = Claim | Unread
_UNITS: dict[str, Unit] = {
    "proportion": "fraction",
    "fraction": "fraction",
    "ratio": "fraction",
    "percent": "percent",
    "percentage": "percent",
    "%": "percent",
    "points": "points",
    "elo": "points",
}


# ---------------------------------------------------------------- model-index


def read_model_index(front: Mapping[str, Any], *, source: str, line: int) -> Iterator[Found]:
    """Claims of the `model-index` in a card's front matter; entries that are not of its form are told."""
    index = front.get("model-index")
    if index is None:
        return
    for path, model in _entries(index, "$.model-index"):
        name = _text(model.get("name")) if isinstance(model, dict) else ""
        results = model.get("results") if isinstance(model, dict) else None
        for result_path, result in _entries(results, f"{path}.results"):
            if not isinstance(result, dict) or not isinstance(result.get("metrics"), list):
                yield Unread(Place(source, line, path=result_path), "a result without metrics")
                continue
            for metric_path, metric in _entries(result["metrics"], f"{result_path}.metrics"):
                yield _index_claim(name, result, metric, Place(source, line, path=metric_path))


def _index_claim(name: str, result: Mapping[str, Any], metric: Any, place: Place) -> Found:
    if not isinstance(metric, dict) or (value := _value(metric.get("value"))) is None:
        return Unread(place, "a metric without a number")
    dataset, source = _mapping(result.get("dataset")), _mapping(result.get("source"))
    kind, title = _text(metric.get("type")), _text(metric.get("name"))
    plain = name_metric(kind) or name_metric(title)
    unit = _UNITS.get(_text(metric.get("unit")).casefold(), unit_of_metric(plain, value.unit))
    benchmark = _text(dataset.get("name")) or _text(dataset.get("type")) or title
    parts = [
        f"{key}: {_text(dataset[key])}"
        for key in ("config", "split", "revision")
        if dataset.get(key) is not None
    ]
    parts += [f"metric args: {_text(metric['args'])}"] if metric.get("args") else []
    return Claim(
        kind="number",
        topic=_topic(plain, benchmark, title),
        text=f"{title or kind}: {value.text}",
        place=place,
        found_by="model-index",
        subject=name,
        benchmark=benchmark,
        metric=plain or kind,
        value=_with_unit(value, unit),
        date=_text(result.get("date") or metric.get("date")),
        configuration="; ".join(parts),
        fields=_stated(
            metric=kind or title,
            evaluator=_text(source.get("name")),
            evidence=_text(source.get("url")),
            date=_text(result.get("date") or metric.get("date")),
        ),
    )


# ---------------------------------------------------------------- .eval_results


def read_eval_results(document: Any, *, source: str, subject: str) -> Iterator[Found]:
    """Claims of a file of the folder `.eval_results` on the Hugging Face hub."""
    if not isinstance(document, list):
        raise MalformedInput("not a list of results", where=source)
    for path, entry in _entries(document, "$"):
        place = Place(source, path=path)
        dataset = _mapping(entry.get("dataset")) if isinstance(entry, dict) else {}
        value = _value(entry.get("value")) if isinstance(entry, dict) else None
        if value is None or not dataset.get("id"):
            yield Unread(place, "an entry without dataset.id or value")
            continue
        origin = _mapping(entry.get("source"))
        task, date = _text(dataset.get("task_id")), _text(entry.get("date"))
        benchmark = _text(dataset["id"]) + (f" ({task})" if task and task != "default" else "")
        yield Claim(
            kind="number",
            topic=_topic("", benchmark, ""),
            text=f"{benchmark}: {value.text}",
            place=place,
            found_by=".eval_results",
            subject=subject,
            benchmark=benchmark,
            value=value,
            date=date,
            configuration=_text(entry.get("notes")),
            fields=_stated(
                date=date,
                evaluator=_text(origin.get("user")) or _text(origin.get("name")),
                evidence=_text(origin.get("url")),
            ),
        )


# ---------------------------------------------------------------- Every Eval Ever


def is_every_eval_ever(document: Any) -> bool:
    """True if a JSON document has the form of Every Eval Ever's aggregate results."""
    return (
        isinstance(document, dict)
        and {"schema_version", "evaluation_results", "model_info"} <= document.keys()
    )


def read_every_eval_ever(document: Mapping[str, Any], *, source: str) -> Iterator[Found]:
    """Claims of an Every Eval Ever results file, versions 0.2 and 0.3. Raises MalformedInput for another one."""
    version = _text(document.get("schema_version"))
    if not version.startswith(("0.2.", "0.3.")):
        raise MalformedInput(
            f"Every Eval Ever {version!r} is not read",
            where=f"{source}: $.schema_version",
            hint="0.2 and 0.3 are",
        )
    model, origin = _mapping(document.get("model_info")), _mapping(document.get("source_metadata"))
    subject = _text(model.get("id")) or _text(model.get("name"))
    details = _mapping(document.get("detailed_evaluation_results"))
    for path, entry in _entries(document["evaluation_results"], "$.evaluation_results"):
        place = Place(source, path=path)
        score = _mapping(entry.get("score_details")) if isinstance(entry, dict) else {}
        value = _value(score.get("score"))
        if value is None:
            yield Unread(place, "a result without a score")
            continue
        yield _ever_claim(document, entry, score, value, place, subject, origin, details)


def _ever_claim(
    document: Mapping[str, Any],
    entry: Mapping[str, Any],
    score: Mapping[str, Any],
    value: Value,
    place: Place,
    subject: str,
    origin: Mapping[str, Any],
    details: Mapping[str, Any],
) -> Claim:
    config, data = _mapping(entry.get("metric_config")), _mapping(entry.get("source_data"))
    uncertainty = _mapping(score.get("uncertainty"))
    generation = _mapping(entry.get("generation_config"))
    arguments = _mapping(generation.get("generation_args"))
    name, about = _text(entry.get("evaluation_name")), _text(config.get("evaluation_description"))
    plain = next(
        (
            m
            for m in (name_metric(_text(config.get(k))) for k in ("metric_kind", "metric_name", "metric_id"))
            if m
        ),
        name_metric(about),
    )
    library = _mapping(document.get("eval_library")) or _mapping(entry.get("eval_library"))
    judged = _mapping(config.get("llm_scoring"))
    moment = _moment(entry.get("evaluation_timestamp") or document.get("evaluation_timestamp"))
    settings = "; ".join(
        f"{key}: {_text(arguments[key])}" for key in sorted(arguments) if key not in ("prompt_template",)
    )
    benchmark = (
        _text(data.get("dataset_name")) if "leaderboard" not in _text(data.get("dataset_name")) else name
    )
    return Claim(
        kind="number",
        topic=_topic(plain, benchmark or name, about),
        text=f"{name}: {value.text}",
        place=place,
        found_by="every_eval_ever",
        subject=subject,
        benchmark=benchmark or name,
        metric=plain,
        value=_with_unit(value, _ever_unit(config, plain, value)),
        n=_text(uncertainty.get("num_samples") or details.get("total_rows")),
        interval=_interval_text(uncertainty),
        date=moment,
        configuration=settings,
        fields=_stated(
            prompts=_text(arguments.get("prompt_template")),
            metric=_text(config.get("metric_name")) or about,
            n=_text(uncertainty.get("num_samples") or details.get("total_rows")),
            interval=_interval_text(uncertainty),
            method=_known(library.get("name")) or _text(judged.get("input_prompt")),
            date=moment,
            evaluator=_known(origin.get("source_organization_name")),
            evidence=_text(details.get("file_path")),
        ),
    )


def _ever_unit(config: Mapping[str, Any], metric: str, value: Value) -> Unit:
    said = _UNITS.get(_text(config.get("metric_unit")).casefold())
    if said:
        return said
    # a declared range of 0 to 1 or 0 to 100 is a unit that the file states
    bounds = (_number(config.get("min_score")), _number(config.get("max_score")))
    if bounds == (Decimal(0), Decimal(1)):
        return "fraction"
    if bounds == (Decimal(0), Decimal(100)) and metric in known_words().proportions:
        return "percent"
    return unit_of_metric(metric, value.unit)


def _interval_text(uncertainty: Mapping[str, Any]) -> str:
    interval = _mapping(uncertainty.get("confidence_interval"))
    if interval.get("lower") is not None and interval.get("upper") is not None:
        level = f" at {_text(interval['confidence_level'])}" if interval.get("confidence_level") else ""
        return f"{_text(interval['lower'])} .. {_text(interval['upper'])}{level}"
    error = _mapping(uncertainty.get("standard_error"))
    return f"standard error {_text(error['value'])}" if error.get("value") is not None else ""


# ---------------------------------------------------------------- small readers


def load_decimal_json(data: bytes, *, where: str) -> Any:
    """JSON with its numbers as decimals, digits as printed. Raises MalformedInput for what is no JSON, NaN included."""
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            parse_float=lambda text: _bounded(text, where),
            parse_int=lambda text: _bounded(text, where),
            parse_constant=lambda text: _refuse(text, where),
        )
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=where) from error
    except json.JSONDecodeError as error:
        raise MalformedInput(
            f"not JSON: {error.msg}", where=f"{where}:{error.lineno}:{error.colno}"
        ) from error
    except RecursionError:
        raise LimitExceeded("JSON nested too deep", where=where) from None


def _bounded(text: str, where: str) -> Decimal:
    number = Decimal(text) if len(text) <= 40 else None
    if number is None or (number and abs(number.adjusted()) > 30):
        raise LimitExceeded(f"the number {text[:40]} is too long or too large", where=where)
    return number


def _refuse(text: str, where: str) -> Any:
    raise MalformedInput(f"{text} is not a number that can be compared", where=where)


def _entries(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    entries = value if isinstance(value, list) else [] if value is None else [value]
    if len(entries) > MAX_CLAIMS:
        raise LimitExceeded(f"{len(entries)} entries, at most {MAX_CLAIMS} are read", where=path)
    for index, entry in enumerate(entries):
        yield f"{path}[{index}]", entry


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip() if isinstance(value, str) else str(value)


def _known(value: Any) -> str:
    text = _text(value)
    return "" if text.casefold() in ("unknown", "n/a", "none") else text


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _value(raw: Any) -> Value | None:
    """A figure of data; a text such as `87.3%` is one too."""
    if isinstance(raw, str):
        from verilabel.claims.numbers import read_cell

        cell = read_cell(raw)
        return cell.value if cell else None
    number = _number(raw)
    if number is None:
        return None
    return Value(str(raw), f"{number:f}", "unstated")


def _with_unit(value: Value, unit: Unit) -> Value:
    said = unit if value.unit == "unstated" else value.unit
    return Value(value.text, value.number, said, value.comparator)


def _topic(metric: str, *texts: str) -> Any:
    return "safety" if metric in known_words().safety_metrics else topic_of(*texts)


def _moment(value: Any) -> str:
    number = _number(value)
    if number is not None and 0 < number < 10**11:
        return datetime.fromtimestamp(int(number), UTC).date().isoformat()
    return _text(value)


def _stated(**words: str) -> dict[Any, Any]:
    from verilabel.claims.claim import Said

    return {field: Said("stated", text) for field, text in words.items() if text}
