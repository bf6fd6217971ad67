"""What only a start can do: changes that a running gateway refuses, and a start that fails with a status."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import upstream_server
from verilabel.errors import ModelError, UsageError
from verilabel.gateway.policy.document import AuditSettings, Gateway
from verilabel.gateway.server import NOT_STARTED, check_restart_words

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
BLOCKING: dict[str, Any] = {
    "guards": [{"id": "all", "use": "words", "action": "block", "settings": {"words": ["hello"]}}]
}


def _reloads(gateway: RunningGateway, result: str) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        text = gateway.ask("/metrics", method="GET")[2].decode()
        if f'policy_reloads_total{{result="{result}"}}' in text:
            return True
        time.sleep(0.1)
    return False


def test_keys_that_are_asked_for_later_are_not_taken_for_being_in_force(tmp_path: Path) -> None:
    with (
        upstream_server() as upstream,
        gateway_process(write_gateway(tmp_path, upstream.base_url)) as gateway,
    ):
        write_gateway(tmp_path, upstream.base_url, auth="keys", policy=BLOCKING)
        assert _reloads(gateway, "failed")
        assert 200 == gateway.ask(body=HELLO)[0]
        said = (tmp_path / "stderr.txt").read_text()
        assert "a change of auth takes a restart" in said
        write_gateway(tmp_path, upstream.base_url, policy=BLOCKING)
        assert _reloads(gateway, "ok")
        assert 403 == gateway.ask(body=HELLO)[0]


@pytest.mark.parametrize(("workers", "status"), [("1", ModelError.status), ("2", NOT_STARTED)])
def test_a_gateway_that_cannot_open_what_it_needs_ends_with_a_status(
    tmp_path: Path, workers: str, status: int
) -> None:
    upstream = {"id": "main", "base_url": "http://127.0.0.1:9/v1", "key_env": "VERILABEL_NO_SUCH_KEY"}
    config = write_gateway(tmp_path, "", upstreams=[upstream])
    command = [sys.executable, "-m", "verilabel", "gateway", "--config", str(config), "--port", "0"]
    ended = subprocess.run(
        [*command, "--workers", workers], capture_output=True, text=True, timeout=60, check=False
    )
    assert (status, True) == (ended.returncode, "VERILABEL_NO_SUCH_KEY" in ended.stderr)
    assert "Traceback" not in ended.stderr


def test_each_change_names_its_word() -> None:
    old = Gateway(gateway=1, upstreams=(), models=())
    check_restart_words(old, Gateway(gateway=1, upstreams=(), models=(), policy="other.yaml"))
    with pytest.raises(UsageError) as refused:
        check_restart_words(
            old, Gateway(gateway=1, upstreams=(), models=(), audit=AuditSettings(content=True))
        )
    assert "$.audit" == refused.value.where
