"""The page on translation names every member that is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest

from verilabel.gateway.translation.clients import chat_request, messages_request, responses_request
from verilabel.gateway.translation.shapes import Shape

PAGE = Path(__file__).resolve().parents[3] / "docs" / "gateway-translation.md"


def left_out(module: Any) -> set[str]:
    """Members that a module's shapes take and never read: those of any type."""
    shapes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Shape) and value is not Shape
    ]
    assert len(shapes) > 10
    return {
        field.encode_name
        for shape in shapes
        for field in msgspec.structs.fields(shape)
        if get_type_hints(shape)[field.name] is Any
    }


@pytest.mark.parametrize("module", [chat_request, messages_request, responses_request])
def test_every_member_that_is_left_out_is_documented(module: Any) -> None:
    table = PAGE.read_text().partition("### Left out")[2].partition("## Replies")[0]
    members = left_out(module)
    assert len(members) >= 5
    assert [] == sorted(name for name in members if f"`{name}`" not in table)
