"""A small suite folder for tests, built by each test from exactly the bytes it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from verilabel.suites.cache import Cache

MakeSuite = Callable[..., Path]

TEXT = """verilabel: suite/v1
id: my/suite
version: 1.2.3
title: Mine
license: CC0-1.0
data:
  file: {file}
  format: {form}
  sha256: "{sha256}"
{data}fields:
{fields}
scorer: {scorer}
{rest}"""


@pytest.fixture
def make_suite(tmp_path: Path) -> MakeSuite:
    """Write a suite folder and return it: data bytes, format, YAML lines of `fields` and of the rest."""

    def make(
        data: bytes,
        form: str = "csv",
        fields: str = "  prompt: prompt",
        *,
        rest: str = "",
        scorer: str = "refusal",
        data_lines: str = "",
        sha256: str | None = None,
    ) -> Path:
        folder = tmp_path / "suite"
        folder.mkdir(exist_ok=True)
        (folder / "samples.data").write_bytes(data)
        text = TEXT.format(
            file="samples.data",
            form=form,
            sha256=sha256 or hashlib.sha256(data).hexdigest(),
            data=data_lines,
            fields=fields,
            scorer=scorer,
            rest=rest,
        )
        (folder / "suite.yaml").write_text(text, encoding="utf-8")
        return folder

    return make


@pytest.fixture
def empty_cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")
