"""Requests and replies that wait for people, through a real gateway process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

POLICY: dict[str, Any] = {
    "guards": [
        {
            "id": "payments",
            "use": "words",
            "action": "hold",
            "directions": ["input"],
            "settings": {"words": ["wire transfer"]},
        },
        {
            "id": "sending",
            "use": "words",
            "action": "hold",
            "directions": ["output"],
            "fields": ["tool_arguments"],
            "settings": {"words": ["all-customers"]},
        },
    ],
    "approvals": {"expires_s": 600, "hold_s": 20},
}


def _make_key(folder: Path, name: str, role: str) -> str:
    command = [sys.executable, "-m", "verilabel", "gateway", "keys", "create", "--name", name, "--user", name]
    command += ["--role", role, "--store", str(folder / "gateway.db"), "--json"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return str(made["token"])


class Office:
    """A gateway with a requester and an approver."""

    def __init__(self, gateway: RunningGateway, requester: str, approver: str) -> None:
        self.gateway = gateway
        self.requester = {"authorization": f"Bearer {requester}"}
        self.approver = {"authorization": f"Bearer {approver}"}

    def ask(self, text: str, **more: Any) -> tuple[int, dict[str, str], bytes]:
        headers = {**self.requester, **more.pop("headers", {})}
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
        return self.gateway.ask(body=body, headers=headers)

    def decide(self, approval: str, verdict: str, who: dict[str, str] | None = None) -> int:
        path = f"/verilabel/api/approvals/{approval}/decision"
        body = {"verdict": verdict, "reason": "seen"}
        return self.gateway.ask(path, body, headers=who or self.approver)[0]

    def pending(self) -> list[dict[str, Any]]:
        _, _, data = self.gateway.ask(
            "/verilabel/api/approvals?state=pending", headers=self.approver, method="GET"
        )
        return list(json.loads(data)["approvals"])


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(scope="module")
def office(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    config = write_gateway(folder, upstream.base_url, policy=POLICY, auth="keys")
    requester, approver = (
        _make_key(folder, "requester", "approver"),
        _make_key(folder, "approver", "approver"),
    )
    with gateway_process(config) as gateway:
        yield Office(gateway, requester, approver)


def _approval(data: bytes) -> str:
    return str(json.loads(data)["verilabel"]["approval"])


def test_a_held_request_waits_and_passes_once_after_it_was_approved(
    office: Office, upstream: Upstream
) -> None:
    text = "please do the wire transfer of monday"
    before = len(upstream.requests)
    status, headers, data = office.ask(text)
    assert (403, "approval_pending", before) == (
        status,
        json.loads(data)["error"]["code"],
        len(upstream.requests),
    )
    approval = _approval(data)
    assert approval == headers["x-verilabel-approval"]
    assert 403 == office.ask(text)[0]
    assert 200 == office.decide(approval, "approve")
    status, _, data = office.ask(text)
    assert (200, before + 1) == (status, len(upstream.requests))
    assert "approval_pending" == json.loads(office.ask(text)[2])["error"]["code"]


def test_nobody_approves_what_they_asked_for_themselves(office: Office) -> None:
    approval = _approval(office.ask("the wire transfer of tuesday")[2])
    assert 403 == office.decide(approval, "approve", who=office.requester)
    assert 403 == office.ask("the wire transfer of tuesday")[0]


def test_an_approval_fits_no_other_request(office: Office) -> None:
    approval = _approval(office.ask("the wire transfer of wednesday")[2])
    assert 200 == office.decide(approval, "approve")
    assert 403 == office.ask("the wire transfer of wednesday, doubled")[0]
    assert 403 == office.ask("the wire transfer of wednesday", temperature=1)[0]
    assert 200 == office.ask("the wire transfer of wednesday")[0]


def test_a_denied_request_is_refused(office: Office) -> None:
    approval = _approval(office.ask("the wire transfer of thursday")[2])
    assert 200 == office.decide(approval, "deny")
    status, _, data = office.ask("the wire transfer of thursday", headers={"x-verilabel-approval": approval})
    assert (403, True) == (status, json.loads(data)["error"]["code"].startswith("approval_"))


def _arguments(data: bytes) -> str:
    """The arguments of the tool call in a reply or stream, whatever pieces they came in."""
    lines = data.decode().split("\n")
    documents = [json.loads(line[6:]) for line in lines if line.startswith("data: {")] or [json.loads(data)]
    choices = [choice for document in documents for choice in document["choices"]]
    said = [choice.get("delta") or choice.get("message") or {} for choice in choices]
    return "".join(call["function"]["arguments"] for each in said for call in each.get("tool_calls") or [])


@pytest.mark.parametrize("stream", [False, True])
def test_a_held_tool_call_reaches_the_client_only_after_approval(
    office: Office, upstream: Upstream, stream: bool
) -> None:
    upstream.tool_arguments = json.dumps({"to": "all-customers", "n": int(stream)})
    try:
        asked = len(upstream.requests)
        status, _, data = office.ask("send it", stream=stream)
        assert (403, False) == (status, b"all-customers" in data)
        approval = _approval(data)
        assert ["tool_call"] == [each["kind"] for each in office.pending() if each["id"] == approval]
        early = office.ask("send it", stream=stream, headers={"x-verilabel-approval": approval})
        assert 403 == early[0]
        assert 200 == office.decide(approval, "approve")
        status, _, data = office.ask("send it", stream=stream, headers={"x-verilabel-approval": approval})
        assert (200, upstream.tool_arguments, asked + 1) == (status, _arguments(data), len(upstream.requests))
        again = office.ask("send it", stream=stream, headers={"x-verilabel-approval": approval})
        assert (403, False) == (again[0], b"all-customers" in again[2])
    finally:
        upstream.tool_arguments = ""


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_may_wait_on_its_open_connection(office: Office, stream: bool) -> None:
    text = f"the wire transfer of friday, stream {stream}"
    got: list[tuple[int, dict[str, str], bytes]] = []
    waiting = threading.Thread(
        target=lambda: got.append(office.ask(text, stream=stream, headers={"x-verilabel-wait": "hold"}))
    )
    waiting.start()
    while not (found := [each for each in office.pending() if text in each["summary"]]):
        pass
    assert 200 == office.decide(found[0]["id"], "approve")
    waiting.join(20)
    status, _, data = got[0]
    assert (200, True) == (status, b"42" in data)


def test_polling_clients_are_told_where_to_look(office: Office) -> None:
    status, headers, data = office.ask("the wire transfer of saturday", headers={"x-verilabel-wait": "poll"})
    assert 202 == status
    approval = _approval(data)
    assert f"/verilabel/api/approvals/{approval}" == headers["location"]
    _, _, seen = office.gateway.ask(headers["location"], headers=office.requester, method="GET")
    assert "pending" == json.loads(seen)["state"]
