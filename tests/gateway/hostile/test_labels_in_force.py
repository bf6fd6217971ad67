"""Labels take effect in the real process: what is tampered with, too old or out of scope is refused, with reasons."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundle_factory import ISSUER, LOG, SYSTEM_PROMPT
from gateway.hostile.waiting import until
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

TRUST = f"""format: verilabel/trust/v1
accept:
  any:
    - {{key: "{ISSUER.public.line}", name: Issuer, roles: [labels]}}
    - {{key: "{LOG.public.line}", name: Log, roles: [log]}}
"""
PROMPT = {"role": "system", "content": SYSTEM_PROMPT}
QUESTION = {"role": "user", "content": "hi"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture
def gateway(upstream: Upstream, bundle: Path, tmp_path: Path) -> Iterator[RunningGateway]:
    folder = tmp_path / "gateway"
    folder.mkdir()
    (folder / "trust.yaml").write_text(TRUST)
    usual = {"route": "quiz", "rubric": "test/quiz-label", "granted": "L2"}
    rows = [
        {**usual, "scope": ["system_prompt"]},
        {**usual, "route": "old", "max_age_days": 1},
        {**usual, "route": "high", "granted": "L4"},
    ]
    target = {"upstream": "main", "model": "m", "bundle": str(bundle)}
    models: list[dict[str, Any]] = [{"name": name, "to": [dict(target)]} for name in ("quiz", "old", "high")]
    config = write_gateway(
        folder, upstream.base_url, policy={"admit": rows}, models=models, trust="trust.yaml"
    )
    with gateway_process(config) as running:
        yield running


def _ask(gateway: RunningGateway, model: str, *messages: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
    body = {"model": model, "messages": list(messages or (PROMPT, QUESTION))}
    status, headers, data = gateway.ask(body=body)
    return status, headers, json.loads(data).get("error", {})


def test_a_label_admits_its_model_until_its_bundle_is_touched(
    gateway: RunningGateway, upstream: Upstream, bundle: Path, made_bundle: Path
) -> None:
    status, headers, _ = _ask(gateway, "quiz")
    assert (200, True) == (status, headers["x-verilabel-label"].startswith("test/quiz-label@1.0.0 L2 "))
    for model, why in (("old", "old"), ("high", "L4")):
        status, headers, error = _ask(gateway, model)
        assert (403, "label_not_admitted", True) == (status, error["code"], why in error["message"])
        assert "label_not_admitted" == gateway.records()[-1]["code"]
    for messages in ((QUESTION,), ({**PROMPT, "content": "Answer as a pirate."}, QUESTION)):
        status, _, error = _ask(gateway, "quiz", *messages)
        assert (403, "label_not_admitted", True) == (
            status,
            error["code"],
            "system_prompt" in error["message"],
        )
    before = len(upstream.requests)
    file = max((each for each in bundle.rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert until(lambda: _ask(gateway, "quiz")[0] == 403)
    asked = len(upstream.requests)
    assert 403 == _ask(gateway, "quiz")[0]
    assert asked == len(upstream.requests) >= before
    shutil.rmtree(bundle)
    assert until(
        lambda: gateway.ask("/health/live", method="GET")[0] == 200 and _ask(gateway, "quiz")[0] == 403
    )
    shutil.copytree(made_bundle, bundle)
    assert until(lambda: _ask(gateway, "quiz")[0] == 200)
