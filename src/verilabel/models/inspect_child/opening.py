"""Opening Inspect's models, real and scripted, as the parent's command says."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .pipe import Refusal, one_line
from .scripted_model import SCRIPTED, register_scripted_model

CONFIG: dict[str, Callable[[Any], Any]] = {
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "max_tokens": int,
    "seed": int,
    "frequency_penalty": float,
    "presence_penalty": float,
    "reasoning_effort": str,
    "reasoning_tokens": int,
    "stop": lambda text: [text],
}
"""Parameters of a request that Inspect's GenerateConfig has, and how their decimals are read."""
RENAMED = {"stop": "stop_seqs"}


def open_model(choice: dict[str, Any], config: dict[str, Any]) -> Any:
    """The model that is asked for: `{"name", "base_url", "api_key", "args"}` or `{"script", "answers"}`.

    Raises Refusal where its package or key is missing, or its name unknown.
    """
    model = importlib.import_module("inspect_ai.model")
    name = choice.get("name", "")
    if choice.get("script"):
        register_scripted_model(choice)
        name = f"{SCRIPTED}/{choice['script']}"
    try:
        return model.get_model(
            name,
            config=model.GenerateConfig(**config),
            base_url=choice.get("base_url"),
            api_key=choice.get("api_key"),
            **choice.get("args", {}),
        )
    except Exception as error:
        raise Refusal("model", f"Inspect cannot open {name}: {one_line(error)}") from error


def read_config(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a request as fields of Inspect's GenerateConfig. Raises Refusal for one that it has not."""
    config = {}
    for key, value in params.items():
        if key not in CONFIG:
            raise Refusal("usage", f"Inspect takes no parameter {key!r}; it takes {', '.join(CONFIG)}")
        try:
            config[RENAMED.get(key, key)] = CONFIG[key](value)
        except (TypeError, ValueError) as error:
            raise Refusal("usage", f"the parameter {key} is not of its type") from error
    return config
