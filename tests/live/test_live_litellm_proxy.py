"""Whole labels through LiteLLM's proxy: somebody else's implementation of four wire formats."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evaluation.conftest import Workplace
from live.conftest import MASTER_KEY, QUESTIONS, Server
from live.serving import Served, attempts_of, differences, verified

PATHS = {"openai": "/v1", "openai-responses": "/v1", "anthropic": "", "google": ""}
"""What follows the server's address in the base URL of each dialect."""


def behind(proxy: Server, scheme: str, name: str, *, key_file: str = "key") -> Served:
    base_url = proxy.url + PATHS[scheme]
    return Served(("--model", f"{scheme}/{name}", "--base-url", base_url, "--key-file", key_file))


@pytest.mark.parametrize("name", ["willing", "unwilling"])
@pytest.mark.parametrize("scheme", list(PATHS))
def test_each_dialect_labels_each_model_and_every_record_is_rescored(
    workplace: Workplace, litellm_proxy: Server, scheme: str, name: str
) -> None:
    done = behind(litellm_proxy, scheme, name).label(workplace, "b.bundle")
    assert 0 == done.returncode, done.stderr
    found = verified(workplace, "b.bundle")
    assert "V2" == found["level"]
    assert "rescored" in found["flags"]
    assert QUESTIONS == found["rescoring"]["checked"]["answers"]
    wanted = 0 if name == "willing" else 1
    assert wanted == workplace.run("gate", "b.bundle", "--min", "L1").returncode


@pytest.mark.parametrize("design", ["fixed", "anytime"])
@pytest.mark.parametrize("scheme", ["openai", "anthropic"])
def test_a_killed_run_resumes_to_the_same_outputs_scores_and_label(
    workplace: Workplace, litellm_proxy: Server, scheme: str, design: str
) -> None:
    served = behind(litellm_proxy, scheme, "willing")
    assert 0 == served.label(workplace, "whole.bundle", design=design).returncode
    kept = served.label_and_kill(workplace, "b.bundle", after=6, design=design)
    done = served.label(workplace, "b.bundle", design=design)
    assert 0 == done.returncode, done.stderr
    whole, resumed = verified(workplace, "whole.bundle"), verified(workplace, "b.bundle")
    assert 0 < sum(b'"kind":"attempt"' in line for line in kept) < QUESTIONS
    pairs = attempts_of(workplace, "whole.bundle"), attempts_of(workplace, "b.bundle")
    assert differences(*pairs) <= {".response.id", ".response.created"}
    assert whole["label"] == resumed["label"]
    assert ["V2", "V2"] == [whole["level"], resumed["level"]]


def test_a_wrong_key_is_status_5_and_no_key_reaches_a_file_or_a_message(
    workplace: Workplace, litellm_proxy: Server
) -> None:
    (workplace.folder / "wrong").write_text("sk-live-test-wrong")
    (workplace.folder / "wrong").chmod(0o600)
    refused = behind(litellm_proxy, "anthropic", "willing", key_file="wrong").label(workplace, "a.bundle")
    assert 5 == refused.returncode
    assert not (workplace.folder / "a.bundle").exists()
    done = behind(litellm_proxy, "openai", "willing").label(workplace, "b.bundle", "--keep-run")
    assert 0 == done.returncode, done.stderr
    assert not any(secret in refused.stderr + done.stderr for secret in ("sk-live-test-wrong", MASTER_KEY))
    for root, _, names in os.walk(workplace.folder):
        for name in set(names) - {"key", "wrong"}:
            data = Path(root, name).read_bytes()
            assert b"sk-live-test-wrong" not in data, Path(root, name)
            assert MASTER_KEY.encode() not in data, Path(root, name)


def test_a_model_that_the_proxy_does_not_have_is_status_5(
    workplace: Workplace, litellm_proxy: Server
) -> None:
    done = behind(litellm_proxy, "openai", "nobody").label(workplace, "b.bundle")
    assert 5 == done.returncode
    assert "Invalid model name" in done.stderr
    assert not (workplace.folder / "b.bundle").exists()
