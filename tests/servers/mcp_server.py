"""A small MCP server on standard input and output that does what a script file says, read anew for every request.

The script is JSON: `{"tools": [raw tool objects], "calls": {NAME: {...}}, "resources": [...], "prompts": [...],
"instructions": "...", "info": {...}}`. A call's behaviour: `returns` (text; `{text}` is filled from the arguments),
`structured`, `error`, `raw` (the line that answers), `result` (the result as it stands), `delay_s`, `die`, `bytes`
(letters). `slow` is `{METHOD: seconds}` before an answer; `say_changed` sends a `list_changed` once. Each request
is noted in the script's folder as `NAME.log`, one JSON line each, so that tests see what was forwarded.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

LATEST = "2026-07-28"


def answer(script: dict[str, Any], method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The result of one request; None for a method that is not served."""
    capabilities = {"tools": {"listChanged": True}, "resources": {}, "prompts": {}}
    info = script.get("info", {"name": "scripted", "version": "1"})
    if method == "server/discover" and script.get("modern", True):
        return {
            "resultType": "complete",
            "supportedVersions": [LATEST],
            "capabilities": capabilities,
            "instructions": script.get("instructions"),
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {"io.modelcontextprotocol/serverInfo": info},
        }
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": capabilities,
            "serverInfo": info,
            "instructions": script.get("instructions"),
        }
    if method.endswith("/list"):
        what = method.removesuffix("/list")
        key = "resourceTemplates" if what == "resources/templates" else what
        return {"resultType": "complete", key: script.get(key, []), "ttlMs": 0, "cacheScope": "private"}
    if method == "tools/call":
        return call(script["calls"].get(params["name"], {}), params.get("arguments") or {})
    if method == "resources/read":
        text = script.get("reads", {}).get(params["uri"], "nothing")
        contents = [{"uri": params["uri"], "mimeType": "text/plain", "text": text}]
        return {"resultType": "complete", "contents": contents, "ttlMs": 0, "cacheScope": "private"}
    if method == "prompts/get":
        message = {"role": "user", "content": {"type": "text", "text": f"prompt {params['name']}"}}
        return {"resultType": "complete", "messages": script.get("messages", [message])}
    return None


def call(behaviour: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The result of one tool call."""
    time.sleep(behaviour.get("delay_s", 0))
    if "result" in behaviour:
        return dict(behaviour["result"])
    if behaviour.get("die"):
        sys.exit(1)
    text = "x" * behaviour["bytes"] if "bytes" in behaviour else behaviour.get("returns", "done")
    for key, value in arguments.items():
        text = text.replace("{" + key + "}", str(value))
    result: dict[str, Any] = {"resultType": "complete", "content": [{"type": "text", "text": text}]}
    if "structured" in behaviour:
        result["structuredContent"] = behaviour["structured"]
    if behaviour.get("error"):
        result["isError"] = True
    return result


def main() -> None:
    """Serve until standard input ends."""
    path = Path(sys.argv[1])
    log = path.with_suffix(".log")
    for line in sys.stdin:
        message = json.loads(line)
        script = json.loads(path.read_text(encoding="utf-8"))
        with log.open("a", encoding="utf-8") as file:
            file.write(line)
        if "id" not in message:
            continue
        method, params = message["method"], message.get("params") or {}
        time.sleep(script.get("slow", {}).get(method, 0))
        raw = (
            script.get("calls", {}).get(params.get("name"), {}).get("raw") if method == "tools/call" else None
        )
        if raw is not None:
            sys.stdout.write(raw.replace("ID", json.dumps(message["id"])) + "\n")
        else:
            result = answer(script, method, params)
            reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
            if result is None:
                reply["error"] = {"code": -32601, "message": "Method not found"}
            else:
                reply["result"] = result
            sys.stdout.write(json.dumps(reply) + "\n")
        if script.pop("say_changed", False):
            sys.stdout.write('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n')
            path.with_suffix(".said").write_text(json.dumps(script), encoding="utf-8")
            path.with_suffix(".said").replace(path)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
