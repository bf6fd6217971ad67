"""Answers for one model: each question is one call of the provider through Inspect, with the bodies of that call."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import json
from typing import Any

from .opening import open_model, read_config
from .pipe import Pipe, one_line

Caught = dict[str, Any]
"""What one call of the provider gave: `result` or `error`."""
_caught: contextvars.ContextVar[Caught | None] = contextvars.ContextVar("caught", default=None)
FATAL = {401: "unauthorized", 403: "unauthorized", 404: "not_found"}


def serve_model(pipe: Pipe, command: dict[str, Any]) -> None:
    """Open the model, say so, and answer questions until the parent closes the pipe."""
    asyncio.run(_serve(pipe, command))


async def _serve(pipe: Pipe, command: dict[str, Any]) -> None:
    model = open_model(command["model"], {"max_connections": command["connections"], "max_retries": 0})
    _watch_calls(model.api)
    pipe.write({"kind": "ready"})
    tasks: set[asyncio.Task[None]] = set()
    while (question := await asyncio.to_thread(pipe.read)) is not None:
        if question.get("end"):
            return
        task = asyncio.create_task(_answer(pipe, model, question, command["max_bytes"]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    pipe.end_at_once()


def _watch_calls(api: Any) -> None:
    """Keep what the provider's own code returns or raises, before Inspect makes anything of it."""
    call = api.generate

    async def generate(*args: Any, **kwargs: Any) -> Any:
        caught = _caught.get()
        try:
            result = await call(*args, **kwargs)
        except Exception as error:
            if caught is not None:
                caught["error"] = error
            raise
        if caught is not None:
            caught["result"] = result
        return result

    api.generate = generate


async def _answer(pipe: Pipe, model: Any, question: dict[str, Any], max_bytes: int) -> None:
    caught: Caught = {}
    _caught.set(caught)
    head: dict[str, Any] = {"id": question["id"], "kind": "answer"}
    try:
        types = importlib.import_module("inspect_ai.model")
        config = types.GenerateConfig(**read_config(question["params"]), max_retries=0)
        output = await model.generate([_message(types, item) for item in question["messages"]], config=config)
    except Exception as error:
        head |= {"kind": "failure", "failure": _failure(model.api, _first_error(caught, error), error)}
        output = None
    call = _call_of(caught.get("result"))
    body: dict[str, Any] = {"call": call} if call else {}
    if output is not None:
        head |= _facts_of(output)
        if not head["refused"] and output.completion.strip():
            body = {"output": output.completion, "model": output.model, **body}
    data = (
        json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
        if body
        else b""
    )
    if len(data) > max_bytes:
        too_large = {"kind": "too_large", "message": f"the answer is larger than {max_bytes} bytes"}
        head, data = {"id": question["id"], "kind": "failure", "failure": too_large}, b""
    pipe.write(head, data)


def _first_error(caught: Caught, raised: Exception) -> BaseException:
    """What the provider's own code raised or returned as an error, else what Inspect raised."""
    result = caught.get("result")
    if isinstance(result, tuple) and isinstance(result[0], Exception):
        return result[0]
    error = caught.get("error", raised)
    assert isinstance(error, BaseException), "only exceptions are caught"
    return error


def _message(types: Any, item: dict[str, str]) -> Any:
    kinds = {
        "system": types.ChatMessageSystem,
        "user": types.ChatMessageUser,
        "assistant": types.ChatMessageAssistant,
    }
    return kinds[item["role"]](content=item["content"])


def _facts_of(output: Any) -> dict[str, Any]:
    usage = output.usage
    return {
        "finish": str(output.stop_reason),
        "refused": output.stop_reason == "content_filter",
        "usage": [usage.input_tokens, usage.output_tokens] if usage is not None else None,
    }


def _call_of(result: Any) -> dict[str, Any] | None:
    call = result[1] if isinstance(result, tuple) else None
    if call is None:
        return None
    return {"request": call.request, "response": call.response}


def _failure(api: Any, error: BaseException, raised: BaseException) -> dict[str, Any]:
    """A failure as a value: by the provider's status where it says one, else by whether Inspect would ask again."""
    if isinstance(raised, Exception) and type(raised).__name__ == "Refusal":
        return {"kind": "bad_request", "message": one_line(raised, 300), "fatal": True}
    status = getattr(error, "status_code", None)
    message = f"{type(error).__name__}: {one_line(error, 300)}"
    if status in FATAL:
        return {"kind": FATAL[status], "message": message, "fatal": True, "status": status}
    again = api.should_retry(error) if isinstance(error, Exception) else False
    retryable = bool(getattr(again, "retry", again))
    if status == 429:
        kind = "rate_limited"
    elif isinstance(status, int):
        kind = "server_error" if status >= 500 else "bad_request"
    else:
        kind = _kind_by_name(type(error).__name__.casefold())
    return {"kind": kind, "message": message, "retryable": retryable, "status": status}


def _kind_by_name(name: str) -> str:
    """The kind of a failure without a status, by the name of its exception: the libraries share no class."""
    return next((kind for kind in ("timeout", "connection") if kind in name), "server_error")
