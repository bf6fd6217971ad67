"""A model of the Hugging Face transformers library, run in this process (`hf/PATH`, extra `hf`)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from verilabel.errors import MissingExtra, ModelError, UsageError
from verilabel.models.interface import Exchange, ModelRequest, PlainRequest, PlainResponse, Stopwatch
from verilabel.records.attempt import Failure, Usage
from verilabel.records.canonical import digest, jcs
from verilabel.records.system import Identity, Scalar

DEFAULT_MAX_TOKENS = 512
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Weights in these files run code when read; they are never opened, so they are not digested either."""
IGNORED_FOLDERS = (".git", ".cache", "__pycache__", "original", "onnx")
SAMPLING_PARAMS = {
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "min_p": float,
    "repetition_penalty": float,
}
OTHER_PARAMS = ("max_tokens", "seed")
_encoder = msgspec.json.Encoder()


class HuggingFaceModel:
    """A causal language model from a local folder, asked one question at a time in a thread of its own.

    The folder holds safetensors and a tokenizer with a chat template; no code from it is run and nothing is
    downloaded. `weights` is the digest over the names and SHA-256 of its files, so the label binds to exactly
    this model. With `greedy` the likeliest token is taken every time and outcomes are fixed; parameters that
    sample are then refused. Raises UsageError where the folder is not such a model.
    """

    identity: Identity = "weights"
    base_url: str | None = None
    max_concurrency: int | None = 1
    notes: tuple[str, ...] = ()

    def __init__(self, path: str | Path, *, greedy: bool = True) -> None:
        self._path = Path(path)
        self._check_folder()
        self.address = f"hf/{path}"
        self.provider_model = f"hf/{self._path.resolve().name}"
        self.fixed_outcomes = greedy
        self.weights: str | None = digest_folder(self._path)
        self._greedy = greedy
        self._model: Any = None
        self._tokenizer: Any = None
        self._torch: Any = None
        self._thread: ThreadPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        """Load the model. Raises MissingExtra without the libraries, ModelError if it cannot load."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verilabel-hf")
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)
        self._model = self._tokenizer = None

    async def ask(self, request: ModelRequest) -> Exchange:
        """Generate one answer. Raises UsageError for a parameter this model does not have."""
        if self._thread is None:
            raise UsageError("open the model with `async with` before asking it")
        settings = generation_settings(request.params, greedy=self._greedy)
        watch = Stopwatch()
        body = _encoder.encode(PlainRequest(self.provider_model, request.messages, request.params))
        loop = asyncio.get_running_loop()
        try:
            output, finish, usage = await loop.run_in_executor(
                self._thread, self._generate, request, settings
            )
        except Exception as error:
            # whatever the library raises (out of memory, too long a prompt) is this attempt's failure
            failure = Failure("server_error", f"generation failed: {type(error).__name__}")
            return Exchange(
                request=body, failure=failure, started_us=watch.started_us, elapsed_us=watch.elapsed_us
            )
        if not output.strip():
            failure = Failure("empty", f"the model said nothing; finish {finish}")
            return Exchange(
                request=body, failure=failure, started_us=watch.started_us, elapsed_us=watch.elapsed_us
            )
        return Exchange(
            request=body,
            response=_encoder.encode(PlainResponse(output, self.provider_model)),
            output=output,
            finish=finish,
            served_model=self.provider_model,
            fingerprint=self.weights,
            usage=usage,
            started_us=watch.started_us,
            elapsed_us=watch.elapsed_us,
        )

    def _check_folder(self) -> None:
        where = str(self._path)
        if not self._path.is_dir():
            raise UsageError(
                "no such folder of a model",
                where=where,
                hint="download it first: `hf download NAME --local-dir DIR`",
            )
        if not any(self._path.glob("*.safetensors")):
            raise UsageError(
                "the folder holds no .safetensors; other weights run code when read", where=where
            )

    def _load(self) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            raise MissingExtra(error.name or "transformers", "hf") from error
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                self._path, local_files_only=True, trust_remote_code=False
            )
            self._model = transformers.AutoModelForCausalLM.from_pretrained(
                self._path,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                torch_dtype="auto",
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"the model cannot be loaded: {error}", where=str(self._path)) from error
        if getattr(self._tokenizer, "chat_template", None) is None:
            raise ModelError("the tokenizer has no chat template", where=str(self._path))
        self._torch = torch
        self._model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def _generate(self, request: ModelRequest, settings: Mapping[str, Any]) -> tuple[str, str, Usage]:
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        inputs = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self._model.device)
        sampling = dict(settings)
        seed = sampling.pop("seed", None)
        if not self._greedy:
            self._torch.manual_seed(draw_seed(request, int(seed or 0)))
        with self._torch.inference_mode():
            produced = self._model.generate(
                **inputs,
                **sampling,
                pad_token_id=self._tokenizer.pad_token_id or self._tokenizer.eos_token_id,
            )
        sent = int(inputs["input_ids"].shape[-1])
        tokens = produced[0][sent:]
        output = str(self._tokenizer.decode(tokens, skip_special_tokens=True))
        finish = "length" if len(tokens) >= sampling["max_new_tokens"] else "stop"
        return output, finish, Usage(sent, len(tokens))


def generation_settings(params: Mapping[str, Scalar], *, greedy: bool) -> dict[str, Any]:
    """What `generate` is told. Raises UsageError for a parameter unknown here, or that greedy excludes."""
    settings: dict[str, Any] = {"do_sample": not greedy, "max_new_tokens": DEFAULT_MAX_TOKENS}
    for key, value in params.items():
        where = f"$.params.{key}"
        if key not in SAMPLING_PARAMS and key not in OTHER_PARAMS:
            known = ", ".join((*SAMPLING_PARAMS, *OTHER_PARAMS))
            raise UsageError(f"an hf model has no parameter {key!r}", where=where, hint=known)
        kind = SAMPLING_PARAMS.get(key, int)
        try:
            number = kind(value)
        except ValueError as error:
            raise UsageError(f"{value!r} is not a number", where=where) from error
        if key == "temperature" and number == 0:
            if not greedy:
                raise UsageError(
                    "temperature 0 is greedy decoding", where=where, hint="open the model greedy"
                )
        elif greedy and key in SAMPLING_PARAMS and key != "repetition_penalty":
            raise UsageError(
                f"greedy decoding has no {key}", where=where, hint="open the model with greedy=False"
            )
        else:
            settings["max_new_tokens" if key == "max_tokens" else key] = number
    return settings


def draw_seed(request: ModelRequest, seed: int) -> int:
    """A seed for one answer, fixed by (seed, suite, sample, epoch): a resumed run draws the same."""
    key = "\x1f".join((str(seed), request.suite, request.sample, str(request.epoch)))
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:4])


def digest_folder(folder: Path) -> str:
    """The digest of a model's folder: SHA-256 over the canonical JSON of file name to file SHA-256."""
    return digest(
        jcs({str(path.relative_to(folder).as_posix()): _digest_file(path) for path in _model_files(folder)})
    )


def _model_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and path.suffix not in PICKLE_SUFFIXES and not set(inside) & set(IGNORED_FOLDERS):
            yield path


def _digest_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
