"""Stores that go away in the middle: what cannot be counted, approved or recorded does not pass; then all recovers."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.hostile.waiting import until
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.postgres_server import PostgresServer, postgres_server
from servers.redis_server import redis_server
from servers.upstream import Upstream, upstream_server

LIMITS: dict[str, Any] = {"limits": [{"id": "rate", "per": ["all"], "requests": "100000/min"}]}
HOLDING: dict[str, Any] = {
    "guards": [
        {
            "id": "payments",
            "use": "words",
            "action": "hold",
            "directions": ["input"],
            "settings": {"words": ["wire transfer"]},
        }
    ]
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


def _body(text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def _ask(gateway: RunningGateway, text: str = "hi", **more: Any) -> tuple[int, str]:
    status, _, data = gateway.ask(body=_body(text), **more)
    return status, json.loads(data).get("error", {}).get("code", "")


def _metric(gateway: RunningGateway, name: str) -> float:
    data = gateway.ask("/metrics", method="GET")[2].decode()
    values = re.findall(rf"^verilabel_gateway_{name}(?:{{[^}}]*}})? (\S+)$", data, re.MULTILINE)
    assert values, f"there is no metric {name}"
    return sum(map(float, values))


def _verify(folder: Path) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "verilabel", "gateway", "verify-log", str(folder / "audit"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


# --- Redis


def test_while_redis_is_gone_nothing_passes_a_limit_and_it_is_counted(
    upstream: Upstream, tmp_path: Path
) -> None:
    with redis_server() as redis:
        config = write_gateway(tmp_path, upstream.base_url, policy=LIMITS, limits_store=redis.url)
        with gateway_process(config) as gateway:
            assert (200, "") == _ask(gateway)
            redis.kill()
            before = len(upstream.requests)
            assert [(503, "limits_lost")] * 3 == [_ask(gateway) for _ in range(3)]
            assert (before, 3.0) == (len(upstream.requests), _metric(gateway, "limits_lost_total"))
            redis.start()
            assert until(lambda: _ask(gateway) == (200, ""))


def test_a_stream_that_began_before_redis_went_away_ends_well(upstream: Upstream, tmp_path: Path) -> None:
    with redis_server() as redis:
        config = write_gateway(tmp_path, upstream.base_url, policy=LIMITS, limits_store=redis.url)
        with gateway_process(config) as gateway:
            upstream.pause_s = 0.02
            heard: list[bytes] = []
            try:
                asked = len(upstream.requests)
                stream = threading.Thread(
                    target=lambda: heard.append(gateway.ask(body=_body(stream=True))[2])
                )
                stream.start()
                assert until(lambda: len(upstream.requests) > asked)
                redis.kill()
                stream.join(20)
            finally:
                upstream.pause_s = 0.0
            assert heard[0].endswith(b"data: [DONE]\n\n") and b'"error"' not in heard[0]
            assert "answered" == gateway.records()[-1]["outcome"]


# --- the database


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


def _make_key(store: str, name: str, role: str) -> str:
    command = [sys.executable, "-m", "verilabel", "gateway", "keys", "create", "--name", name, "--user", name]
    command += ["--role", role, "--store", store, "--json"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return str(made["token"])


def test_while_postgresql_is_gone_what_must_be_approved_does_not_pass(
    upstream: Upstream, postgres: PostgresServer, tmp_path: Path
) -> None:
    store = postgres.new_database()
    config = write_gateway(tmp_path, upstream.base_url, policy=HOLDING, auth="keys", store=store)
    requester = {"authorization": f"Bearer {_make_key(store, 'requester', 'user')}"}
    approver = {"authorization": f"Bearer {_make_key(store, 'approver', 'approver')}"}
    with gateway_process(config) as gateway:
        status, _, data = gateway.ask(body=_body("wire transfer of monday"), headers=requester)
        approval = json.loads(data)["verilabel"]["approval"]
        path = f"/verilabel/api/approvals/{approval}/decision"
        said = {"verdict": "approve", "reason": "seen"}
        assert (403, 200) == (status, gateway.ask(path, said, headers=approver)[0])
        postgres.stop()
        try:
            before = len(upstream.requests)
            # approved or not, it cannot be told now: nothing that must be held passes, all else does
            for text in ("wire transfer of monday", "wire transfer of tuesday"):
                status, code = _ask(gateway, text, headers=requester)
                assert (503, True) == (status, "lost" in code)
            assert before == len(upstream.requests)
            assert (200, "") == _ask(gateway, headers=requester)
            status, _ = _ask(gateway, headers={**requester, "x-verilabel-approval": approval})
            assert 503 == status
        finally:
            postgres.start()
        held = lambda: _ask(gateway, "wire transfer of tuesday", headers=requester)  # noqa: E731
        assert until(lambda: held() == (403, "approval_pending"))
        assert (200, "") == _ask(gateway, "wire transfer of monday", headers=requester)
        assert (403, "approval_pending") == _ask(gateway, "wire transfer of monday", headers=requester)


def test_a_client_that_waits_for_people_is_told_when_they_cannot_be_asked(
    upstream: Upstream, postgres: PostgresServer, tmp_path: Path
) -> None:
    store = postgres.new_database()
    config = write_gateway(
        tmp_path, upstream.base_url, policy={**HOLDING, "approvals": {"hold_s": 8}}, auth="keys", store=store
    )
    requester = {
        "authorization": f"Bearer {_make_key(store, 'requester', 'approver')}",
        "x-verilabel-wait": "hold",
    }
    before = len(upstream.requests)
    heard: list[tuple[int, dict[str, str], bytes]] = []
    body = _body("wire transfer of friday", stream=True)
    with gateway_process(config) as gateway:
        waiting = threading.Thread(target=lambda: heard.append(gateway.ask(body=body, headers=requester)))
        waiting.start()
        listed = "/verilabel/api/approvals?state=pending"
        assert until(lambda: b'"id"' in gateway.ask(listed, headers=requester, method="GET")[2])
        postgres.stop()
        try:
            waiting.join(30)
        finally:
            postgres.start()
    (status, _, data) = heard[0]
    assert (200, True, before) == (status, b"lost" in data, len(upstream.requests))


# --- the audit trail


def _gateway(upstream: Upstream, folder: Path) -> Any:
    return gateway_process(write_gateway(folder, upstream.base_url, audit={"folder": "audit", "sync_ms": 10}))


def test_where_the_trail_cannot_grow_nothing_is_answered_and_the_gap_is_told(
    upstream: Upstream, tmp_path: Path
) -> None:
    with _gateway(upstream, tmp_path) as gateway:
        assert (200, "") == _ask(gateway)
        size = max(each.stat().st_size for each in (tmp_path / "audit").iterdir())
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size, -1))  # as a full disk would
        upstream.answer = "an answer that must not come"
        try:
            heard = [gateway.ask(body=_body(stream=stream)) for stream in (False, True, False)]
        finally:
            upstream.answer = "The answer is 42."
        assert [503] * 3 == [status for status, _, _ in heard]
        assert ["audit_lost"] * 3 == [json.loads(data)["error"]["code"] for _, _, data in heard]
        assert all(b"must not come" not in data for _, _, data in heard)
        assert 0.0 == _metric(gateway, "audit_writable")
        assert _metric(gateway, "audit_errors_total") >= 3
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (-1, -1))
        assert until(lambda: _ask(gateway) == (200, ""))
    status, report = _verify(tmp_path)
    assert (0, True, True) == (status, report["intact"], report["lost"] >= 3)


@pytest.mark.parametrize("how", ["removed", "moved away", "its file removed"])
def test_a_trail_that_was_taken_away_in_the_middle_is_noticed_and_begun_anew(
    upstream: Upstream, tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "audit"
    with _gateway(upstream, tmp_path) as gateway:
        assert (200, "") == _ask(gateway)
        if how == "removed":
            shutil.rmtree(folder)
        elif how == "moved away":
            folder.rename(tmp_path / "elsewhere")
        else:
            next(folder.glob("*.jsonl")).unlink()
        answered = 0
        while not (folder.is_dir() and any(folder.glob("*.jsonl")) and gateway.records()):
            answered += _ask(gateway)[0] == 200
        kept = gateway.records() + [
            json.loads(line)
            for file in (tmp_path / "elsewhere").glob("*.jsonl")
            for line in file.read_text().splitlines()
        ]
        outcomes = [record["outcome"] for record in kept if record.get("outcome") == "answered"]
        # what was answered after the trail was gone is on the disk: an unlinked file takes no record
        assert len(outcomes) >= answered
        assert (200, "") == _ask(gateway)
    status, report = _verify(tmp_path)
    assert (4, False) == (status, report["intact"])  # and what is missing is said


def test_where_no_trail_can_be_begun_nothing_is_answered_until_one_can(
    upstream: Upstream, tmp_path: Path
) -> None:
    folder = tmp_path / "audit"
    with _gateway(upstream, tmp_path) as gateway:
        assert (200, "") == _ask(gateway)
        shutil.rmtree(folder)
        folder.write_text("in the way")
        before = len(upstream.requests)
        assert until(lambda: _ask(gateway) == (503, "audit_lost"))
        assert [(503, "audit_lost")] * 5 == [_ask(gateway) for _ in range(5)]
        assert before < len(upstream.requests)
        folder.unlink()
        assert until(lambda: _ask(gateway) == (200, ""))
        assert "answered" == gateway.records()[-1]["outcome"]


def test_a_gateway_without_a_trail_does_not_start(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")
    with pytest.raises(AssertionError), _gateway(upstream, tmp_path):
        pass
