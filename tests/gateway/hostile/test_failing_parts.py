"""Guards that cannot look and upstreams that fail: what the policy says follows, and the trail says what happened."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.hostile.waiting import until
from servers.answering import answering_server
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

FINE = '{"harmful": false}'


class GuardModel:
    """What the guard's model does with the next questions."""

    def __init__(self) -> None:
        self.says: str | int = FINE
        self.is_stuck = False
        self.let_go = threading.Event()

    def __call__(self, _prompt: str) -> str | int:
        if self.is_stuck:
            self.let_go.wait(30)
        return self.says


def _guard(name: str, base_url: str, **more: Any) -> dict[str, Any]:
    settings = {"base_url": base_url, "model": "guard", "family": "judge", "cache": 0}
    return {"id": name, "use": "model", "timeout_ms": 300, "settings": settings, **more}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(scope="module")
def spare() -> Iterator[Upstream]:
    with upstream_server(answer="The spare one answers.") as running:
        yield running


@pytest.fixture(scope="module")
def model() -> GuardModel:
    return GuardModel()


@pytest.fixture(scope="module")
def gateway(
    upstream: Upstream, spare: Upstream, model: GuardModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("failing")
    gone = "http://127.0.0.1:9/v1"
    with answering_server(model) as server:
        policies = {
            "strict": [_guard("in", server.base_url, directions=["input"])],
            "strict-out": [_guard("out", server.base_url, directions=["output"], window_chars=20)],
            "lenient": [_guard("in", server.base_url, on_error="allow")],
            "gone": [_guard("gone", gone, directions=["input"])],
            "gone-shadow": [_guard("gone", gone, mode="shadow", action="block")],
        }
        for name, guards in policies.items():
            written = {"policy": name, "version": "1.0.0", "guards": guards}
            (folder / f"{name}.yaml").write_text(json.dumps(written))
        models: list[dict[str, Any]] = [
            {"name": name, "to": [{"upstream": "main"}], "policy": name} for name in policies
        ]
        for name in ("error-500", "error-404", "error-429", "html", "dies", "slow"):
            both = [{"upstream": f"of-{name}", "model": name}, {"upstream": "spare", "model": "good"}]
            models.append({"name": f"backed-{name}", "to": both})
        models += [
            {"name": "trying", "to": [{"upstream": "retrying"}]},
            {"name": "resting", "to": [{"upstream": "resting", "model": "error-500"}]},
            {"name": "rested", "to": [{"upstream": "resting", "model": "good"}]},
            {"name": "anthropic", "to": [{"upstream": "anthropic"}]},
            {"name": "closed", "to": [{"upstream": "closed"}, {"upstream": "spare", "model": "good"}]},
        ]
        upstreams: list[dict[str, Any]] = [
            {"id": "main", "base_url": upstream.base_url, "retries": 0},
            {"id": "spare", "base_url": spare.base_url, "retries": 0},
            {"id": "retrying", "base_url": upstream.base_url, "retries": 2},
            {"id": "resting", "base_url": upstream.base_url, "retries": 0},
            {"id": "anthropic", "base_url": upstream.base_url, "retries": 0, "dialect": "anthropic"},
            {"id": "closed", "base_url": gone, "retries": 1},
        ]
        upstreams += [
            {
                "id": f"of-{name}",
                "base_url": upstream.base_url,
                "retries": 0,
                "first_byte_timeout_s": 0.3,
                "idle_timeout_s": 0.3,
            }
            for name in ("error-500", "error-404", "error-429", "html", "dies", "slow")
        ]
        config = write_gateway(
            folder,
            upstream.base_url,
            models=models,
            upstreams=upstreams,
            policies={name: f"{name}.yaml" for name in policies},
        )
        with gateway_process(config) as running:
            yield running
        model.let_go.set()


@pytest.fixture(autouse=True)
def fresh(model: GuardModel, upstream: Upstream) -> None:
    model.says, model.is_stuck = FINE, False
    upstream.fail_first = 0


def _ask(gateway: RunningGateway, model: str, **more: Any) -> tuple[int, str, bytes]:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    status, _, data = gateway.ask(body=body)
    try:
        return status, json.loads(data).get("error", {}).get("code", ""), data
    except ValueError:
        return status, "", data


@pytest.mark.parametrize("failure", ["no verdict", "an error", "no answer"])
def test_a_guard_that_cannot_look_blocks_unless_the_policy_says_otherwise(
    gateway: RunningGateway, upstream: Upstream, model: GuardModel, failure: str
) -> None:
    assert 200 == _ask(gateway, "strict")[0]
    model.says = {"no verdict": "I would rather not say.", "an error": 503, "no answer": FINE}[failure]
    model.is_stuck = failure == "no answer"
    before = len(upstream.requests)
    assert (503, "guard_failed") == _ask(gateway, "strict")[:2]
    assert before == len(upstream.requests)
    assert ("refused", True) == (
        gateway.records()[-1]["outcome"],
        gateway.records()[-1]["findings"][0]["error"],
    )
    assert (200, "") == _ask(gateway, "lenient")[:2]
    finding = gateway.records()[-1]["findings"][0]
    assert ("allow", True) == (finding["action"], finding["error"])


def test_passing_what_no_guard_could_look_at_is_counted(gateway: RunningGateway, model: GuardModel) -> None:
    model.says = "I would rather not say."

    def count() -> float:
        lines = gateway.ask("/metrics", method="GET")[2].decode().splitlines()
        return sum(
            float(line.split()[-1]) for line in lines if line.startswith("verilabel_gateway_fail_open_total")
        )

    before = count()
    assert 200 == _ask(gateway, "lenient")[0]
    assert count() > before


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_no_guard_could_look_at_does_not_go_out(
    gateway: RunningGateway, model: GuardModel, stream: bool
) -> None:
    assert b"42" in _ask(gateway, "strict-out", stream=stream)[2]
    model.says = 500
    _, _, data = _ask(gateway, "strict-out", stream=stream)
    assert b"guard_failed" in data and b"answer is" not in data


def test_a_guard_whose_model_is_gone_blocks_and_in_shadow_does_not(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    before = len(upstream.requests)
    assert (503, "guard_failed") == _ask(gateway, "gone")[:2]
    assert before == len(upstream.requests)
    assert (200, "") == _ask(gateway, "gone-shadow")[:2]


@pytest.mark.parametrize("name", ["error-500", "slow"])
@pytest.mark.parametrize("stream", [False, True])
def test_where_one_upstream_fails_the_next_answers_and_the_try_is_recorded(
    gateway: RunningGateway, name: str, stream: bool
) -> None:
    status, _, data = _ask(gateway, f"backed-{name}", stream=stream)
    assert (200, True) == (status, b"spare" in data or b'"The "' in data)
    record = gateway.records()[-1]
    assert ("spare", "good", 1) == (record["upstream"], record["model"], len(record["tries"]))
    assert record["tries"][0].startswith(f"of-{name}: ")


def test_an_upstream_that_nobody_listens_at_is_tried_and_passed_over(gateway: RunningGateway) -> None:
    assert b"spare" in _ask(gateway, "closed")[2]
    assert ["closed: no connection to the upstream"] * 2 == gateway.records()[-1]["tries"]


def test_what_the_upstream_says_of_the_request_itself_is_not_asked_elsewhere(
    gateway: RunningGateway, spare: Upstream
) -> None:
    before = len(spare.requests)
    assert (404, "upstream_refused") == _ask(gateway, "backed-error-404")[:2]
    assert before == len(spare.requests)


def test_an_upstream_that_is_asked_too_much_is_passed_over_at_once(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    before = len(upstream.requests)
    assert b"spare" in _ask(gateway, "backed-error-429")[2]
    assert before + 1 == len(upstream.requests)


def test_a_stream_that_dies_is_not_begun_again_elsewhere(gateway: RunningGateway, spare: Upstream) -> None:
    before = len(spare.requests)
    data = _ask(gateway, "backed-dies", stream=True)[2]
    assert (before, True) == (len(spare.requests), b"upstream_connection" in data)
    assert data.count(b'"role"') == 1


def test_a_request_is_tried_again_where_no_byte_was_answered(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.fail_first = 2
    assert 200 == _ask(gateway, "trying")[0]
    assert 2 == len(gateway.records()[-1]["tries"])
    upstream.fail_first = 3
    assert (502, "upstream_error") == _ask(gateway, "trying")[:2]


def test_a_model_that_failed_often_rests_alone_and_is_tried_again(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    heard = [_ask(gateway, "resting")[1] for _ in range(4)]
    assert ["upstream_error"] * 3 + ["upstream_resting"] == heard
    before = len(upstream.requests)
    status, headers, _ = gateway.ask(
        body={"model": "resting", "messages": [{"role": "user", "content": "x"}]}
    )
    assert (503, before, True) == (status, len(upstream.requests), int(headers["retry-after"]) >= 1)
    assert ["resting: resting"] == gateway.records()[-1]["tries"]
    assert 200 == _ask(gateway, "rested")[0]
    assert until(lambda: _ask(gateway, "resting")[1] == "upstream_error")


def test_an_upstream_that_rested_comes_back_though_the_first_request_cannot_be_put_to_it(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.fail_first = 3
    assert [502] * 3 == [_ask(gateway, "anthropic")[0] for _ in range(3)]
    assert until(lambda: _ask(gateway, "anthropic", n=2)[1] == "not_translatable")
    assert [200] * 2 == [_ask(gateway, "anthropic")[0] for _ in range(2)]
