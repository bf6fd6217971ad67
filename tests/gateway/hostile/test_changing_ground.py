"""What changes while requests are on their way: policies, keys, workers, the process itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from gateway.hostile.waiting import until
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server
from verilabel.errors import VerilabelError
from verilabel.gateway.assembling import assemble
from verilabel.gateway.policy.reading import load_gateway

SAID = "Our bluebird and our greyhound are here."


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(upstream: Upstream) -> Iterator[None]:
    upstream.answer, upstream.pause_s, upstream.chunk = "The answer is 42.", 0.0, 4
    yield


def _body(text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def _replacing(word: str) -> dict[str, Any]:
    settings = {"words": [word]}
    guard = {
        "id": "name",
        "use": "words",
        "action": "replace",
        "replace_with": "[gone]",
        "settings": settings,
    }
    return {"guards": [guard]}


def _content(data: bytes) -> str:
    if not data.startswith(b"data: "):
        return str(json.loads(data)["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in data.decode().split("\n") if line.startswith("data: {")]
    return "".join(each["choices"][0]["delta"].get("content", "") for each in events if each["choices"])


def _cli(*words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "verilabel", "gateway", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    made = json.loads(done.stdout)
    return {**made, "status": done.returncode} if isinstance(made, dict) else {"rows": made}


# --- policies

BROKEN: dict[str, dict[str, Any]] = {
    "an unknown word": {"guardz": []},
    "an unknown guard": {"guards": [{"id": "a", "use": "nothing-such"}]},
    "one id twice": {"guards": [{"id": "a", "use": "pii"}, {"id": "a", "use": "secrets"}]},
    "a condition that is none": {"rules": [{"id": "a", "when": "request.model ==", "action": "block"}]},
    "a pattern that RE2 cannot run": {
        "guards": [
            {"id": "a", "use": "patterns", "settings": {"patterns": [{"id": "x", "pattern": "(?=a)b"}]}}
        ]
    },
    "a limit of nothing": {"limits": [{"id": "a", "requests": "0/min"}]},
    "two quantities in one limit": {"limits": [{"id": "a", "requests": "5/min", "tokens": "5/min"}]},
    "a guard that looks nowhere": {"guards": [{"id": "a", "use": "pii", "directions": []}]},
    "a guard of replies on what is in none": {
        "guards": [{"id": "a", "use": "pii", "directions": ["output"], "fields": ["system"]}]
    },
    "a replacement by nothing": {"guards": [{"id": "a", "use": "pii", "action": "replace"}]},
    "a limit shared by all and by each": {
        "limits": [{"id": "a", "requests": "5/min", "per": ["all", "key"]}]
    },
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_policy_that_cannot_hold_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    config = write_gateway(tmp_path, "http://127.0.0.1:9/v1", policy=BROKEN[name])
    with pytest.raises(VerilabelError) as refused:
        await assemble(load_gateway(config))
    assert "policy.yaml" in str(refused.value.where) or "guard a" in str(refused.value.where)


def test_a_policy_that_cannot_hold_keeps_the_gateway_from_starting(tmp_path: Path) -> None:
    config = write_gateway(tmp_path, "http://127.0.0.1:9/v1", policy=BROKEN["a guard that looks nowhere"])
    command = [sys.executable, "-m", "verilabel", "gateway", "--config", str(config), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (True, "") == (done.returncode in (1, 2, 3), done.stdout)
    assert "policy.yaml" in done.stderr and "Traceback" not in done.stderr


def test_a_broken_policy_leaves_the_last_good_one_in_force_and_is_counted(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.answer = SAID
    config = write_gateway(tmp_path, upstream.base_url, policy=_replacing("bluebird"))
    with gateway_process(config) as gateway:
        digest = gateway.ask(body=_body())[1]["x-verilabel-policy"]
        for count, (name, policy) in enumerate(BROKEN.items(), start=1):
            write_gateway(tmp_path, upstream.base_url, policy=policy)
            gateway.process.send_signal(signal.SIGHUP)
            counted = f'policy_reloads_total{{result="failed"}} {count}'
            assert until(lambda: counted in _metrics(gateway)), name  # noqa: B023
            _, headers, data = gateway.ask(body=_body())
            assert (digest, "Our [gone] and our greyhound are here.") == (
                headers["x-verilabel-policy"],
                _content(data),
            )
        (tmp_path / "policy.yaml").unlink()
        gateway.process.send_signal(signal.SIGHUP)
        assert until(
            lambda: f'policy_reloads_total{{result="failed"}} {len(BROKEN) + 1}' in _metrics(gateway)
        )
        assert digest == gateway.ask(body=_body())[1]["x-verilabel-policy"]
        write_gateway(tmp_path, upstream.base_url, policy=_replacing("greyhound"))
        gateway.process.send_signal(signal.SIGHUP)
        assert until(
            lambda: "Our bluebird and our [gone] are here." == _content(gateway.ask(body=_body())[2])
        )


def _metrics(gateway: RunningGateway) -> str:
    lines = gateway.ask("/metrics", method="GET")[2].decode().splitlines()
    return "\n".join(line.removesuffix(".0") for line in lines)


def test_every_request_is_served_wholly_by_one_policy(upstream: Upstream, tmp_path: Path) -> None:
    upstream.answer, upstream.pause_s, upstream.chunk = SAID, 0.002, 2
    config = write_gateway(tmp_path, upstream.base_url, policy=_replacing("bluebird"))
    heard: list[tuple[str, str]] = []
    is_over = threading.Event()
    with gateway_process(config) as gateway:

        def keep_asking(stream: bool) -> None:
            while not is_over.is_set():
                status, headers, data = gateway.ask(body=_body(stream=stream))
                assert status == 200
                heard.append((headers["x-verilabel-policy"], _content(data)))

        threads = [threading.Thread(target=keep_asking, args=(i % 2 == 0,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for word in ("greyhound", "bluebird", "greyhound", "bluebird", "greyhound"):
            seen = len({digest for digest, _ in heard}), len(heard)
            write_gateway(tmp_path, upstream.base_url, policy=_replacing(word))
            gateway.process.send_signal(signal.SIGHUP)
            wanted = SAID.replace(word, "[gone]")
            assert until(lambda: heard and heard[-1][1] == wanted and len(heard) > seen[1] + 6)  # noqa: B023
        is_over.set()
        for thread in threads:
            thread.join(20)
    by_policy: dict[str, set[str]] = {}
    for digest, content in heard:
        by_policy.setdefault(digest, set()).add(content)
    expected = [{SAID.replace(word, "[gone]")} for word in ("bluebird", "greyhound")]
    assert expected == sorted(by_policy.values(), key=lambda texts: "bluebird" in next(iter(texts)))


# --- keys


def test_a_key_that_is_taken_back_ends_no_stream_and_begins_none(upstream: Upstream, tmp_path: Path) -> None:
    config = write_gateway(tmp_path, upstream.base_url, auth="keys")
    store = str(tmp_path / "gateway.db")
    tokens = {
        how: _cli("keys", "create", "--name", how, "--store", store)
        for how in ("revoke", "disable", "rotate")
    }
    with gateway_process(config) as gateway:
        upstream.pause_s, upstream.answer = 0.01, "A long answer. " * 15
        for how, made in tokens.items():
            headers = {"authorization": f"Bearer {made['token']}"}
            heard: list[tuple[int, dict[str, str], bytes]] = []
            before = len(upstream.requests)
            stream = threading.Thread(
                target=lambda h=headers, got=heard: got.append(
                    gateway.ask(body=_body(stream=True), headers=h)
                )  # type: ignore[misc]
            )
            stream.start()
            assert until(lambda: len(upstream.requests) > before)  # noqa: B023
            more = ["--grace-s", "0"] if how == "rotate" else []
            _cli("keys", how, str(made["key"]["holder"]["id"]), "--store", store, *more)
            refused = until(lambda: gateway.ask(body=_body(), headers=headers)[0] == 401)  # noqa: B023
            stream.join(30)
            assert (True, 200, upstream.answer) == (refused, heard[0][0], _content(heard[0][2]))


def test_what_is_no_key_in_force_is_refused_in_one_way(upstream: Upstream, tmp_path: Path) -> None:
    config = write_gateway(tmp_path, upstream.base_url, auth="keys")
    made = _cli("keys", "create", "--name", "one", "--store", str(tmp_path / "gateway.db"))
    with gateway_process(config) as gateway:
        token = str(made["token"])
        assert 200 == gateway.ask(body=_body(), headers={"authorization": f"Bearer {token}"})[0]
        assert 200 == gateway.ask(body=_body(), headers={"x-api-key": token})[0]
        for given in ("", "Bearer", "Bearer vk_" + "a" * 5000, "Basic eDp5", f"bearer {token}x", token[:-1]):
            status, headers, data = gateway.ask(body=_body(), headers={"authorization": given})
            assert (401, "Bearer", True) == (status, headers["www-authenticate"], b'"key_' in data)
            assert token.encode() not in data


# --- processes


def _workers(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        child for child in map(int, listed) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def _writes_in(pid: int, folder: Path) -> bool:
    """Whether a worker has a file of the folder open."""
    links = (path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink())
    return any(link.is_relative_to(folder) for link in links)


def _approval(data: bytes) -> str:
    return str(json.loads(data)["verilabel"]["approval"])


def test_a_worker_that_is_killed_under_load_loses_no_approval_and_no_record(
    upstream: Upstream, tmp_path: Path
) -> None:
    holding = {
        "guards": [
            {
                "id": "h",
                "use": "words",
                "action": "hold",
                "settings": {"words": ["wire transfer"]},
                "directions": ["input"],
            }
        ]
    }
    config = write_gateway(tmp_path, upstream.base_url, policy=holding, workers=2, auth="keys")
    made = _cli("keys", "create", "--name", "one", "--store", str(tmp_path / "gateway.db"))
    key = {"authorization": f"Bearer {made['token']}"}
    answered: list[str] = []
    held: dict[str, str] = {}
    is_over = threading.Event()
    with gateway_process(config) as gateway:

        def keep_asking(n: int) -> None:
            for i in range(100_000):
                if is_over.is_set():
                    return
                text = f"wire transfer {n}-{i}" if i % 4 == 0 else f"question {n}-{i}"
                try:
                    status, headers, data = gateway.ask(body=_body(text, stream=i % 2 == 1), headers=key)
                except (OSError, HTTPException):
                    continue  # the worker that was asked is gone
                if status == 200 and (b"[DONE]" in data or b'"usage"' in data):
                    answered.append(headers["x-request-id"])
                elif status == 403:
                    held[text] = _approval(data)

        threads = [threading.Thread(target=keep_asking, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        killed: set[int] = set()
        for _ in range(2):
            assert until(lambda: len(set(_workers(gateway.process.pid)) - killed) == 2)
            count = len(answered), len(held)
            assert until(lambda: len(answered) > count[0] + 40 and len(held) > count[1] + 5)  # noqa: B023
            victim = next(pid for pid in _workers(gateway.process.pid) if _writes_in(pid, tmp_path / "audit"))
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
        count = len(answered), len(held)
        assert until(lambda: len(answered) > count[0] + 40)
        is_over.set()
        for thread in threads:
            thread.join(30)
        again = {
            text: _approval(gateway.ask(body=_body(text, stream=False), headers=key)[2]) for text in held
        }
        assert held == again  # each is still there, and was not doubled
        trail = gateway.records()
    assert [] == [each for each in answered if answered.count(each) > 1]
    ended = Counter(
        record["id"] for record in trail if record["event"] == "ended" and record["outcome"] == "answered"
    )
    assert set(answered) <= ended.keys() and set(ended.values()) == {1}
    report = _cli("verify-log", str(tmp_path / "audit"))
    assert (0, True, 0) == (report["status"], report["intact"], report["lost"])
    assert {"torn", "open"} & {file["end"] for file in report["files"]}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_gateway_that_is_told_to_end_lets_streams_end_first(
    upstream: Upstream, tmp_path: Path, workers: int
) -> None:
    upstream.pause_s, upstream.answer = 0.02, "A long answer. " * 12
    config = write_gateway(tmp_path, upstream.base_url, workers=workers)
    heard: list[tuple[int, dict[str, str], bytes]] = []
    with gateway_process(config) as gateway:
        before = len(upstream.requests)
        streams = [
            threading.Thread(target=lambda: heard.append(gateway.ask(body=_body(stream=True))))
            for _ in range(4)
        ]
        for stream in streams:
            stream.start()
        assert until(lambda: len(upstream.requests) == before + 4)
        gateway.process.terminate()
        for stream in streams:
            stream.join(30)
        assert gateway.process.wait(30) in (0, -signal.SIGTERM)
    assert [upstream.answer] * 4 == [_content(data) for _, _, data in heard]
    report = _cli("verify-log", str(tmp_path / "audit"))
    assert (True, 4, 0) == (report["intact"], report["outcomes"]["answered"], report["unfinished"])
    assert {"closed"} == {file["end"] for file in report["files"]}
