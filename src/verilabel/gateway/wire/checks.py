"""What a decoded request must be for its texts to be found where they stand; and its first fault, with the place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from verilabel.gateway.verdicts import Refusal

MODEL_LIMIT = 256
"""Characters of a model's name."""
CHOICES_LIMIT = 128

Fault = tuple[str, str]
"""Where, and what must stand there."""
Check = Callable[[Any, str], Fault | None]


def refuse(fault: Fault | None) -> Refusal | None:
    """The refusal for a fault."""
    if fault is None:
        return None
    where, wanted = fault
    return Refusal(
        status=400, kind="invalid_request", code="invalid_request", message=f"{where}: {wanted}", where=where
    )


def first_fault(faults: Iterable[Fault | None]) -> Fault | None:
    """The first fault there is."""
    return next((fault for fault in faults if fault is not None), None)


def check_shared(body: dict[str, Any]) -> Fault | None:
    """Model and stream, which every API has."""
    model = body.get("model")
    if not isinstance(model, str) or not model or len(model) > MODEL_LIMIT or not model.isprintable():
        return "$.model", f"must be the name of a model, at most {MODEL_LIMIT} characters"
    if not isinstance(body.get("stream"), bool | None):
        return "$.stream", "must be true or false"
    return None


def check_count(body: dict[str, Any], name: str, most: int = 1 << 31) -> Fault | None:
    """A member that is absent, null, or an integer of at least 1."""
    value = body.get(name)
    if value is None or (type(value) is int and 1 <= value <= most):
        return None
    return f"$.{name}", f"must be an integer between 1 and {most}"


def check_text(value: Any, where: str) -> Fault | None:
    """A text, or nothing."""
    return None if value is None or isinstance(value, str) else (where, "must be text")


def check_objects(value: Any, where: str) -> Fault | None:
    """A list of objects, or nothing."""
    if value is None:
        return None
    if not isinstance(value, list):
        return where, "must be a list of objects"
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            return f"{where}[{index}]", "must be an object"
    return None


def check_object(value: Any, where: str) -> Fault | None:
    """An object, or nothing."""
    return None if value is None or isinstance(value, dict) else (where, "must be an object")


def check_content(value: Any, where: str) -> Fault | None:
    """A text, or a list of parts that are objects whose `text`, where they have one, is text."""
    if value is None or isinstance(value, str):
        return None
    if not isinstance(value, list):
        return where, "must be text or a list of parts"
    for index, part in enumerate(value):
        if not isinstance(part, dict):
            return f"{where}[{index}]", "must be an object"
        if not isinstance(part.get("text"), str | None):
            return f"{where}[{index}].text", "must be text"
    return None


def check_texts_alone(value: Any, where: str) -> Fault | None:
    """A text or a list of texts. Lists of token ids are refused: they say texts that no guard can read."""
    if isinstance(value, str):
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return None
    return where, "must be text or a list of texts; token ids cannot be looked at and are not taken"


def check_members(node: dict[str, Any], where: str, checks: dict[str, Check]) -> Fault | None:
    """The first fault among members of an object."""
    for name, check in checks.items():
        if name in node:
            fault = check(node[name], f"{where}.{name}")
            if fault is not None:
                return fault
    return None
