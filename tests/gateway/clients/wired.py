"""One gateway for all tests with real SDKs: its routes and policies, and clients that know it by base URL and key."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream

SECRET = "ghp_" + "a1B2c3D4e5F6" * 3
EMAIL = "contact@example.com"
GUARDS: list[dict[str, Any]] = [
    {"id": "pii", "use": "pii", "action": "redact", "directions": ["output"]},
    {"id": "secrets", "use": "secrets", "action": "block", "message": "no secrets here"},
]
PAYMENTS = {
    "id": "payments",
    "use": "words",
    "action": "hold",
    "directions": ["input"],
    "settings": {"words": ["wire transfer"]},
}
SENDING = {
    "id": "sending",
    "use": "words",
    "action": "hold",
    "directions": ["output"],
    "fields": ["tool_arguments"],
    "settings": {"words": ["all-customers"]},
}
POLICIES: dict[str, dict[str, Any]] = {
    "open": {},
    "guarded": {"guards": GUARDS},
    "held": {"guards": [PAYMENTS], "approvals": {"expires_s": 600, "hold_s": 30}},
    "held-briefly": {"guards": [PAYMENTS], "approvals": {"expires_s": 600, "hold_s": 1, "wait": "hold"}},
    "held-calls": {"guards": [SENDING], "approvals": {"expires_s": 600, "hold_s": 30}},
    "limited": {"limits": [{"id": "calls", "requests": "2/s", "burst": 1, "per": ["model"]}]},
    "no-images": {"images": "block"},
}
DIALECTS = {
    "gpt": "openai",
    "o": "openai-responses",
    "claude": "anthropic",
    "gemini": "google",
}
"""The first word of a model's name says which API its upstream speaks."""


def route_of(family: str, policy: str = "open") -> str:
    """The name by which clients ask for a model of a family under a policy."""
    return f"{family}-{policy}"


class Wired:
    """A running gateway, the provider behind it, and keys."""

    def __init__(self, gateway: RunningGateway, upstream: Upstream, admin: str) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.admin = admin
        self.key = self.make_key("developer", "user")
        self.approver = self.make_key("reviewer", "approver")

    def make_key(self, name: str, role: str, **more: Any) -> str:
        """A virtual key, by the administration's API."""
        body = {"name": name, "user": name, "role": role, **more}
        status, _, data = self.gateway.ask("/verilabel/api/keys", body, headers=_bearer(self.admin))
        assert status == 201, data
        return str(json.loads(data)["token"])

    def openai(self, **more: Any) -> OpenAI:
        """OpenAI's client; without retries unless said otherwise."""
        settings = {"max_retries": 0, "api_key": self.key, **more}
        return OpenAI(base_url=self.gateway.base_url, **settings)

    def async_openai(self) -> AsyncOpenAI:
        """The same for asyncio."""
        return AsyncOpenAI(base_url=self.gateway.base_url, api_key=self.key, max_retries=0)

    def anthropic(self, **more: Any) -> Anthropic:
        """Anthropic's client."""
        settings = {"max_retries": 0, "api_key": self.key, **more}
        return Anthropic(base_url=self.gateway.url, **settings)

    def async_anthropic(self) -> AsyncAnthropic:
        """The same for asyncio."""
        return AsyncAnthropic(base_url=self.gateway.url, api_key=self.key, max_retries=0)

    def pending(self) -> list[dict[str, Any]]:
        """What waits for people."""
        path = "/verilabel/api/approvals?state=pending"
        _, _, data = self.gateway.ask(path, headers=_bearer(self.approver), method="GET")
        return list(json.loads(data)["approvals"])

    def decide(self, approval: str, verdict: str) -> None:
        """The reviewer's decision."""
        path = f"/verilabel/api/approvals/{approval}/decision"
        body = {"verdict": verdict, "reason": "looked at it"}
        status, _, data = self.gateway.ask(path, body, headers=_bearer(self.approver))
        assert status == 200, data


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@contextmanager
def wired_gateway(folder: Path, upstream: Upstream) -> Iterator[Wired]:
    """A running gateway with a route for each family of models and each policy."""
    for name, policy in POLICIES.items():
        written = {"policy": name, "version": "1.0.0", **policy}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    upstreams = [
        {"id": family, "base_url": upstream.base_url, "dialect": dialect, "retries": 0}
        for family, dialect in DIALECTS.items()
    ]
    upstreams += [
        {"id": family, "base_url": upstream.base_url, "dialect": dialect, "retries": 0}
        for family, dialect in (("failing", "openai"), ("failing-claude", "anthropic"))
    ]
    models: list[dict[str, Any]] = [
        {"name": route_of(family, policy), "to": [{"upstream": family}], "policy": policy}
        for family in DIALECTS
        for policy in POLICIES
    ]
    models += [
        {"name": f"{name}:{family}", "to": [{"upstream": family, "model": name}]}
        for name in ("error-429", "error-500", "error-400", "dies", "broken-sse")
        for family in ("failing", "failing-claude")
    ]
    config = write_gateway(
        folder,
        upstream.base_url,
        upstreams=upstreams,
        models=models,
        auth="keys",
        policies={name: f"{name}.yaml" for name in POLICIES},
    )
    command = [sys.executable, "-m", "verilabel", "gateway", "keys", "create", "--name", "admin", "--json"]
    command += ["--role", "admin", "--store", str(folder / "gateway.db")]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    with gateway_process(config) as gateway:
        yield Wired(gateway, upstream, str(json.loads(made.stdout)["token"]))
