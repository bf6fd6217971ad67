"""The physical limit of a client on aiohttp: sends the same requests, parses the answers and keeps nothing.

python -m benchmarks.clients.bare_aiohttp BASE_URL SAMPLES.jsonl CONNECTIONS
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec


async def ask_all(base_url: str, prompts: list[str], connections: int) -> int:
    """Ask every prompt and return how many answers came."""
    waiting = iter(prompts)
    url = f"{base_url}/chat/completions"
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        counts = await asyncio.gather(*(ask_some(session, url, waiting) for _ in range(connections)))
    return sum(counts)


async def ask_some(session: aiohttp.ClientSession, url: str, waiting: Iterator[str]) -> int:
    """Ask prompts one after the other until none is waiting."""
    answered = 0
    for prompt in waiting:
        turns = [{"role": "user", "content": prompt}]
        body = {"model": "mock-1", "messages": turns, "temperature": 0, "max_tokens": 512}
        async with session.post(url, data=msgspec.json.encode(body)) as response:
            answer: Any = msgspec.json.decode(await response.read())
        answered += bool(answer["choices"][0]["message"]["content"])
    return answered


def main() -> None:
    """Read the prompts, ask them, and fail unless each was answered."""
    base_url, samples, connections = sys.argv[1:]
    lines = Path(samples).read_bytes().splitlines()
    prompts = [msgspec.json.decode(line)["prompt"] for line in lines]
    answered = asyncio.run(ask_all(base_url, prompts, int(connections)))
    if answered != len(prompts):
        raise SystemExit(f"{answered} of {len(prompts)} answered")


if __name__ == "__main__":
    main()
