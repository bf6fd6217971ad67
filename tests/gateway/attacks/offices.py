"""A gateway with keys, a requester and an approver: the ground on which approvals are attacked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from servers.gateway_server import RunningGateway


def make_key(folder: Path, name: str, role: str = "user", *options: str, user: str = "") -> str:
    """The token of a new key."""
    command = [sys.executable, "-m", "verilabel", "gateway", "keys", "create", "--name", name]
    command += ["--user", user or name, "--role", role, "--store", str(folder / "gateway.db"), "--json"]
    made = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    return str(json.loads(made.stdout)["token"])


def end_key(folder: Path, key: str) -> None:
    """Revoke a key."""
    command = [sys.executable, "-m", "verilabel", "gateway", "keys", "revoke", key]
    subprocess.run([*command, "--store", str(folder / "gateway.db")], check=True, capture_output=True)


def bearer(token: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"authorization": f"Bearer {token}"}


class Office:
    """A gateway with a requester and an approver."""

    def __init__(self, gateway: RunningGateway, requester: str, approver: str) -> None:
        self.gateway = gateway
        self.requester, self.approver = bearer(requester), bearer(approver)

    def ask(self, text: str, **more: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
        """The requester asks."""
        headers = {**self.requester, **more.pop("headers", {})}
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
        status, given, data = self.gateway.ask(body=body, headers=headers)
        return status, given, json.loads(data)

    def approve(self, approval: str) -> tuple[int, dict[str, Any]]:
        """The approver approves."""
        path = f"/verilabel/api/approvals/{approval}/decision"
        status, _, data = self.gateway.ask(
            path, {"verdict": "approve", "reason": "seen"}, headers=self.approver
        )
        return status, json.loads(data)

    def shown(self, approval: str) -> str:
        """What the approver is shown of an approval."""
        path = f"/verilabel/api/approvals/{approval}"
        return str(json.loads(self.gateway.ask(path, headers=self.approver, method="GET")[2])["summary"])

    def pending(self) -> list[dict[str, Any]]:
        """What waits."""
        path = "/verilabel/api/approvals?state=pending"
        return list(json.loads(self.gateway.ask(path, headers=self.approver, method="GET")[2])["approvals"])
