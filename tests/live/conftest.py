"""A tiny language model made on the spot, and other people's servers around it. Nothing is downloaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from evaluation.conftest import RUBRIC, Workplace, write_suite
from live.serving import free_port, need, program_of, server
from verilabel.evidence.keys import key_path, new_key, save_key

QUESTIONS = 40
MASTER_KEY = "sk-live-test-master"
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
LITELLM_CONFIG = f"""\
model_list:
  - model_name: willing
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: none
      mock_response: "Sure! The answer is the number plus one."
  - model_name: unwilling
    litellm_params:
      model: anthropic/claude-3-haiku-20240307
      api_key: none
      mock_response: "I'm sorry, but I can't help with that."
general_settings: {{master_key: {MASTER_KEY}}}
litellm_settings: {{telemetry: false}}
"""


@dataclass(frozen=True)
class Server:
    """A running server's address without a path."""

    url: str


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """A folder with a suite of plain questions, a rubric, a signing key and the servers' key."""
    write_suite(tmp_path / "suite", QUESTIONS)
    (tmp_path / "rubric.yaml").write_text(RUBRIC)
    save_key(new_key("tests"), key_path("default", tmp_path / "home"))
    (tmp_path / "key").write_text(MASTER_KEY)
    (tmp_path / "key").chmod(0o600)
    return Workplace(tmp_path)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `tiny`: two random layers and a tokenizer trained on the suite's questions, with a chat template.

    It never ends a turn by itself, so that every answer has text.
    """
    for package in ("torch", "transformers"):
        need(package, find_spec(package))
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bytes_of_text = Tokenizer(models.BPE())
    bytes_of_text.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_of_text.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    bytes_of_text.train_from_iterator(
        (f"Question {i}: what is {i} plus one?" for i in range(QUESTIONS)), trainer
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bytes_of_text, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(7)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=1,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    transformers.LlamaForCausalLM(config).save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return Path(folder)


@pytest.fixture(scope="session")
def transformers_serve(tiny_model: Path) -> Iterator[Server]:
    """`transformers serve` with the tiny model, which it calls `tiny`."""
    program, port = program_of("transformers"), free_port()
    url = f"http://127.0.0.1:{port}"
    command = [program, "serve", "tiny", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    home = tiny_model.parent / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "HF_HUB_OFFLINE": "1"}
    with server(command, f"{url}/health", cwd=tiny_model.parent, environment=environment):
        yield Server(url)


@pytest.fixture(scope="session")
def litellm_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """LiteLLM's proxy with two models that always say the same, in every dialect that it speaks."""
    program, port, folder = program_of("litellm"), free_port(), tmp_path_factory.mktemp("litellm")
    (folder / "config.yaml").write_text(LITELLM_CONFIG)
    url = f"http://127.0.0.1:{port}"
    command = [program, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "HOME": str(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    with server(command, f"{url}/health/liveliness", cwd=folder, environment=environment):
        yield Server(url)
