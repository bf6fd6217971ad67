"""Descriptors: what a system file says, and what changes the digest that every label of a system is about."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, UsageError
from verilabel.evaluation.describing import DEFAULT_PARAMS, SystemChoice, describe_system, read_system_file
from verilabel.models.simulated import SimulatedModel
from verilabel.records.canonical import parse_json
from verilabel.records.system import BIND_KEYS, SystemDescriptor, scope_difference

WHOLE = """\
model: openai/gpt-4o-mini
name: support-bot
base_url: http://127.0.0.1:8000/v1
weights: sha256:aa
params: {temperature: 0.70, top_p: 1.0, max_tokens: 300, seed: 7, logprobs: true, reasoning.effort: low}
system_prompt: |
  Be brief.
tools: {search: tools/search.json}
guardrails: {filter: filter.yaml}
use_case: customer-support
locale: de-DE
modality: text
"""


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "search.json").write_bytes(b'{"name": "search"}')
    (tmp_path / "filter.yaml").write_bytes(b"block: [x]\n")
    (tmp_path / "system.yaml").write_text(WHOLE)
    return tmp_path / "system.yaml"


# -- the file --------------------------------------------------------------------------------------------------


def test_every_key_of_a_system_file_reaches_the_descriptor(whole: Path) -> None:
    choice = read_system_file(whole)
    assert ("openai/gpt-4o-mini", "http://127.0.0.1:8000/v1") == (choice.model, choice.base_url)
    system = describe_system(choice, SimulatedModel())
    assert "support-bot" == system.name
    assert ("sha256:aa", "weights") == (system.weights, system.identity)
    assert ("customer-support", "de-DE", "text") == (system.use_case, system.locale, system.modality)
    assert sha(b"Be brief.\n") == system.system_prompt
    assert {"search": sha(b'{"name": "search"}')} == system.tools
    assert {"filter": sha(b"block: [x]\n")} == system.guardrails


def test_decimals_of_a_system_file_stay_the_text_they_were(whole: Path) -> None:
    params = read_system_file(whole).params
    assert {
        "temperature": "0.70",
        "top_p": "1.0",
        "max_tokens": 300,
        "seed": 7,
        "logprobs": True,
        "reasoning.effort": "low",
    } == params


def test_parameters_that_a_file_does_not_name_keep_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("model: simulated\nparams: {top_p: 0.9}\n")
    assert {**DEFAULT_PARAMS, "top_p": "0.9"} == read_system_file(tmp_path / "s.yaml").params


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: simulated\ntemprature: 0\n", "temprature"),
        ("name: no-model\n", "model"),
        ("model: simulated\nparams: {stop: [a, b]}\n", "$.params[...]"),
        ("model: simulated\nparams: {seed: null}\n", "$.params[...]"),
        ("model: 7\n", "$.model"),
        ("model: simulated\ntools: {search: 7}\n", "$.tools[...]"),
        ("- model: simulated\n", "object"),
        ("model: a\nmodel: b\n", "model"),
    ],
)
def test_a_system_file_that_is_not_one_says_what_and_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(MalformedInput) as refused:
        read_system_file(path)
    assert said in refused.value.message
    assert str(path) in (refused.value.where or "")


@pytest.mark.parametrize("key", ["tools", "guardrails"])
def test_a_file_that_a_system_file_names_and_is_not_there_is_named_with_its_key(
    tmp_path: Path, key: str
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"model: simulated\n{key}: {{mine: gone.json}}\n")
    with pytest.raises(MalformedInput, match=r"gone\.json: No such file") as refused:
        read_system_file(path)
    assert f"{path} $.{key}.mine" == refused.value.where
    assert "relative to the system file" in (refused.value.hint or "")


# -- the descriptor --------------------------------------------------------------------------------------------


def described(**changes: object) -> SystemDescriptor:
    return describe_system(replace(SystemChoice(model="simulated"), **changes), SimulatedModel())  # type: ignore[arg-type]


def test_a_system_without_a_name_is_called_by_its_model() -> None:
    assert SimulatedModel().provider_model == described().name
    assert "mine" == described(name="mine").name


def test_known_weights_are_the_identity_whoever_states_them() -> None:
    assert ("simulated", None) == (described().identity, described().weights)
    stated = described(weights="sha256:aa")
    assert ("weights", "sha256:aa") == (stated.identity, stated.weights)

    class LocalModel(SimulatedModel):
        weights = "sha256:bb"

    found = describe_system(SystemChoice(model="hf/x"), LocalModel())
    assert ("weights", "sha256:bb") == (found.identity, found.weights)


def test_a_parameter_that_is_a_float_is_refused() -> None:
    with pytest.raises(UsageError, match="decimals are kept as text") as refused:
        described(params={"temperature": 0.7})
    assert "$.params.temperature" == refused.value.where


def test_an_empty_system_prompt_is_not_the_same_as_none() -> None:
    assert None is described().system_prompt
    assert sha(b"") == described(system_prompt="").system_prompt


CHANGES: dict[str, dict[str, object]] = {
    "weights": {"weights": "sha256:cc"},
    "params": {"params": {**DEFAULT_PARAMS, "top_p": "0.5"}},
    "system_prompt": {"system_prompt": "Be kind."},
    "tools": {"tools": {"t": b"1"}},
    "guardrails": {"guardrails": {"g": b"1"}},
    "use_case": {"use_case": "search"},
    "locale": {"locale": "fr-FR"},
    "modality": {"modality": "image"},
}


@given(st.sets(st.sampled_from(sorted(CHANGES))))
def test_exactly_the_keys_that_were_changed_differ_and_any_of_them_changes_the_digest(
    keys: set[str],
) -> None:
    changed = described(**{name: value for key in keys for name, value in CHANGES[key].items()})
    assert keys == set(scope_difference(described(), changed, BIND_KEYS))
    assert bool(keys) == (described().digest != changed.digest)


def test_another_model_is_another_system() -> None:
    other = describe_system(SystemChoice(model="simulated"), SimulatedModel({"rate": "0.5"}))
    assert ["provider_model"] == scope_difference(described(), other, BIND_KEYS)
    assert described().digest != other.digest


names = st.text("abcdefgh", min_size=1, max_size=4)


@given(
    st.dictionaries(names, st.one_of(st.integers(0, 99), st.booleans(), st.text(max_size=5)), max_size=4),
    st.dictionaries(names, st.binary(max_size=8), max_size=4),
    st.randoms(use_true_random=False),
)
def test_the_order_in_which_things_are_named_changes_nothing(params, files, random) -> None:  # type: ignore[no-untyped-def]
    def shuffled(mapping):  # type: ignore[no-untyped-def]
        items = list(mapping.items())
        random.shuffle(items)
        return dict(items)

    first = described(params=params, tools=files, guardrails=files)
    again = described(params=shuffled(params), tools=shuffled(files), guardrails=shuffled(files))
    assert first.bytes() == again.bytes()


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_system_prompts_have_one_digest_only_if_they_are_the_same(one: str, other: str) -> None:
    same = described(system_prompt=one).digest == described(system_prompt=other).digest
    assert (one == other) == same


@given(st.text("abc", min_size=1, max_size=3), st.dictionaries(names, st.binary(max_size=4), max_size=3))
def test_a_descriptor_is_read_back_from_its_bytes_unchanged(name: str, files: dict[str, bytes]) -> None:
    system = described(name=name, tools=files)
    read = msgspec.convert(parse_json(system.bytes(), where="test"), SystemDescriptor)
    assert (system, system.digest) == (read, read.digest)


def test_no_text_of_prompt_tool_or_guardrail_stands_in_the_descriptor() -> None:
    secret = "the secret recipe"
    system = described(system_prompt=secret, tools={"t": secret.encode()}, guardrails={"g": secret.encode()})
    assert secret.encode() not in system.bytes()
