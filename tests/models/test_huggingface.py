"""Models of the transformers library: what is refused, and a tiny real model where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from verilabel.errors import UsageError
from verilabel.models.address import open_model
from verilabel.models.huggingface import digest_folder, generation_settings
from verilabel.models.interface import ModelRequest

Ask = Callable[..., ModelRequest]
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def test_a_folder_with_pickled_weights_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n")

    with pytest.raises(UsageError, match="safetensors"):
        open_model(f"hf/{tmp_path}")


def test_the_weights_digest_changes_with_any_file_that_matters(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "tokenizer.json").write_text("{}")
    before = digest_folder(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "lock").write_text("x")
    unchanged = digest_folder(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{ }")

    assert before == unchanged
    assert before != digest_folder(tmp_path)


@pytest.mark.parametrize(
    ("params", "greedy"),
    [
        ({"temperature": "0.7"}, True),
        ({"top_p": "0.9"}, True),
        ({"temperature": "0"}, False),
        ({"max_tokens": "many"}, True),
        ({"presence_penalty": "1"}, True),
    ],
)
def test_parameters_that_contradict_the_model_are_refused(
    params: dict[str, str | int | bool], greedy: bool
) -> None:
    with pytest.raises(UsageError) as caught:
        generation_settings(params, greedy=greedy)

    assert f"$.params.{next(iter(params))}" == caught.value.where


def test_parameters_become_generation_settings() -> None:
    expected = {"do_sample": True, "max_new_tokens": 9, "temperature": 0.5, "top_k": 40, "seed": 3}

    assert expected == generation_settings(
        {"max_tokens": 9, "temperature": "0.5", "top_k": 40, "seed": 3}, greedy=False
    )


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real causal language model with random weights, made here."""
    torch = pytest.importorskip("torch", reason="extra `hf` is not installed")
    transformers = pytest.importorskip("transformers", reason="extra `hf` is not installed")
    tokenizers = pytest.importorskip("tokenizers")
    bytes_level = tokenizers.pre_tokenizers.ByteLevel
    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer, raw.decoder = bytes_level(add_prefix_space=False), tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|end|>"], initial_alphabet=bytes_level.alphabet()
    )
    raw.train_from_iterator(["hello world user assistant system"] * 5, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|end|>")
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=128,
        n_embd=32,
        n_layer=2,
        n_head=2,
        eos_token_id=0,
        bos_token_id=0,
    )
    folder = tmp_path_factory.mktemp("tiny")
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


async def test_a_greedy_model_gives_the_same_answer_every_time(tiny_model: Path, ask: Ask) -> None:
    params = {"max_tokens": 8, "temperature": "0"}
    async with open_model(f"hf/{tiny_model}") as model:
        first, second = [await model.ask(ask("hello world", params=params)) for _ in range(2)]

    assert first.failure is None
    assert first.output == second.output
    assert ("weights", True, digest_folder(tiny_model)) == (
        model.identity,
        model.fixed_outcomes,
        model.weights,
    )
    assert first.usage is not None
    assert 8 >= first.usage.output_tokens > 0


async def test_a_sampling_model_draws_by_seed_sample_and_epoch(tiny_model: Path, ask: Ask) -> None:
    params = {"max_tokens": 8, "temperature": "0.9", "seed": 3}
    async with open_model(f"hf/{tiny_model}", greedy=False) as model:
        one = await model.ask(ask("hello", sample="a", params=params))
        same = await model.ask(ask("hello", sample="a", params=params))
        other = await model.ask(ask("hello", sample="a", epoch=2, params=params))

    assert one.output == same.output
    assert one.output != other.output
    assert not model.fixed_outcomes


async def test_a_prompt_beyond_the_model_is_a_failure_and_not_an_exception(
    tiny_model: Path, ask: Ask
) -> None:
    async with open_model(f"hf/{tiny_model}") as model:
        exchange = await model.ask(ask("hello world " * 500, params={"max_tokens": 4}))

    assert exchange.failure is not None
    assert exchange.failure.kind == "server_error"
