"""Addresses, base URLs and keys: what opens which model, and what is refused before anything is sent."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from verilabel.errors import ModelError, PolicyError, UsageError, VerilabelError
from verilabel.models.address import PROVIDERS, open_model
from verilabel.models.interface import Model
from verilabel.models.keys import ApiKey

KEY = "sk-test-0123456789abcdef"
ALL_KEYS = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "GEMINI_API_KEY": KEY}

OPENED = [
    ("openai/gpt-x", "openai/gpt-x", "https://api.openai.com/v1"),
    ("openai-responses/gpt-x", "openai/gpt-x", "https://api.openai.com/v1"),
    ("anthropic/claude-x", "anthropic/claude-x", "https://api.anthropic.com"),
    ("google/gemini-x", "google/gemini-x", "https://generativelanguage.googleapis.com"),
    ("ollama/llama3.2:1b", "ollama/llama3.2:1b", "http://127.0.0.1:11434/v1"),
    ("vllm/org/model", "vllm/org/model", "http://127.0.0.1:8000/v1"),
]


@pytest.mark.parametrize(("address", "provider_model", "base_url"), OPENED)
def test_an_address_opens_its_providers_model(address: str, provider_model: str, base_url: str) -> None:
    model = open_model(address, environ=ALL_KEYS)

    assert isinstance(model, Model)
    assert (address, provider_model, base_url, "provider_asserted", False) == (
        model.address,
        model.provider_model,
        model.base_url,
        model.identity,
        model.fixed_outcomes,
    )


@pytest.mark.parametrize("name", [name for name, provider in PROVIDERS.items() if provider.key_variables])
def test_a_provider_without_its_key_says_which_variable_to_set(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_model(f"{name}/x", environ={})

    assert PROVIDERS[name].key_variables[0] in str(caught.value.hint)


def test_a_providers_key_is_not_sent_to_another_server() -> None:
    model = open_model("openai/x", base_url="https://example.org/v1", environ=ALL_KEYS)

    assert KEY not in _everything_in(model)


def test_what_is_worth_knowing_about_a_base_url_is_said() -> None:
    key, path = open_model("openai/x", base_url="http://127.0.0.1:8000", environ=ALL_KEYS).notes

    assert key.startswith("no API key is sent")
    assert path.endswith("under /v1")


MISUSED: list[tuple[str, dict[str, Any], type[VerilabelError]]] = [
    ("gpt-4", {}, UsageError),
    ("opnai/gpt-4", {}, UsageError),
    ("openai/", {}, UsageError),
    ("replay:", {}, UsageError),
    ("command:", {}, UsageError),
    ("command:'unbalanced", {}, UsageError),
    ("command:x", {"processes": 0}, UsageError),
    ("simulated", {"base_url": "http://127.0.0.1"}, UsageError),
    ("ollama/x", {"timeout_s": 0}, UsageError),
    ("ollama/x", {"base_url": "ftp://127.0.0.1"}, UsageError),
    ("ollama/x", {"base_url": "http://"}, UsageError),
    ("ollama/x", {"base_url": "http://127.0.0.1:99999"}, UsageError),
    ("ollama/x", {"base_url": "http://127.0.0.1/v1?key=1"}, UsageError),
    ("ollama/x", {"base_url": "http://127.0.0.1/v1\r\nX: y"}, UsageError),
    ("ollama/x", {"key_env": "UNSET"}, ModelError),
    ("ollama/x", {"key_env": "SPACED"}, UsageError),
    ("ollama/x", {"key_env": "K", "key_file": "f"}, UsageError),
    ("ollama/x", {"key_env": "K", "base_url": "http://example.org/v1"}, PolicyError),
    ("ollama/x", {"key_env": "K", "base_url": "http://127.0.0.1.example.org/v1"}, PolicyError),
    ("hf/no-such-folder", {}, UsageError),
]


@pytest.mark.parametrize(("address", "options", "kind"), MISUSED)
def test_misuse_is_an_error_of_its_kind_before_anything_is_sent(
    address: str, options: dict[str, Any], kind: type[VerilabelError]
) -> None:
    with pytest.raises(kind):
        open_model(address, environ={"K": KEY, "SPACED": f"{KEY} {KEY}"}, **options)


def test_a_misspelt_provider_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        open_model("antropic/claude")

    assert str(caught.value.hint).startswith("did you mean 'anthropic'?")


def test_credentials_in_a_base_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        open_model("ollama/x", base_url=f"https://user:{KEY}@example.org/v1")

    assert KEY not in str(caught.value)


def test_a_key_over_plain_http_needs_to_be_allowed() -> None:
    url = "http://example.org/v1"

    model = open_model("vllm/x", base_url=url, key_env="K", environ={"K": KEY}, allow_insecure=True)

    assert url == model.base_url


def test_a_key_file_is_read_where_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)

    model = open_model("vllm/x", base_url="https://example.org/v1", key_file=path)

    assert KEY not in repr(model)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(mode)

    with pytest.raises(UsageError) as caught:
        open_model("vllm/x", key_file=path)

    assert f"chmod 600 {path}" == caught.value.hint


@pytest.mark.parametrize("content", [b"", b"two\nlines", b"\xff\xfe", b"x" * 20_000])
def test_a_key_file_that_holds_no_key_is_refused_without_repeating_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(UsageError) as caught:
        open_model("vllm/x", key_file=path)

    assert "lines" not in str(caught.value).replace("one line", "")
    assert caught.value.__cause__ is None


def test_a_key_file_that_is_a_folder_or_missing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError):
            open_model("vllm/x", key_file=path)


def test_a_key_shows_itself_to_nobody() -> None:
    key = ApiKey(KEY, where="here")

    assert KEY not in f"{key!r} {key} {key!s:>40} {[key]} { ({'k': key}) }"
    assert key.reveal() == KEY
    with pytest.raises(TypeError):
        pickle.dumps(key)


def _everything_in(model: Model) -> str:
    inside = vars(model)
    return repr(inside) + repr([value.reveal() for value in inside.values() if isinstance(value, ApiKey)])
