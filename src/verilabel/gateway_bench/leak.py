"""The leak table: the longest stretch of a secret that reached the client, for every way to cut the stream."""

from __future__ import annotations

import random

import msgspec

from verilabel.errors import ModelError, SandboxError
from verilabel.gateway_bench.bench import Bench
from verilabel.gateway_bench.contenders import Running, chosen
from verilabel.gateway_bench.exchange import Exchanger, request_bytes
from verilabel.gateway_bench.load import COMPLETIONS, question_body, token_headers
from verilabel.gateway_bench.planted import Planted, longest_run, plant
from verilabel.gateway_bench.received import received_texts
from verilabel.gateway_bench.scenario import Scenario
from verilabel.gateway_bench.tables import Cell, Section, Table

BEFORE = "Here is what you asked for, as it was found in the old papers of the house: "
AFTER = " and that is all there was to find, so the search ended there without another word about it."
LONGEST_CHUNK = 64
QUICK_SIZES = (1, 2, 3, 4, 5, 8, 16, 64)
RANDOM_CUTS = 16
SIBLING_CUTS = 8
REDACTED_BELOW = 8
"""Characters of another secret of the kind; where more of it came, its reply says nothing of chance."""
METHOD = (
    "The upstream answers with one secret inside a sentence, and the client keeps what it gets. The streams are "
    "cut into {sizes} and {cuts} at random; whole replies beside them. A figure is the longest stretch of the "
    "secret in any text that reached the client (content, tool arguments, reasoning, every other field, of every "
    "choice; fragments put together). Chance is taken out: the same contender gets the same sentence with the "
    "secret cut out, in the same cuts, and with another secret of the kind (where it kept that one back: fewer "
    "than {below} characters of it came); the longest stretch of the secret in *those* replies is what redacted "
    "texts, placeholders included, have in common with it by chance. A stretch no longer than that is shown as 0. "
    "Errors and broken streams count with what came before. The row `bare` shows that the table sees leaks."
)


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """The longest stretch that reached the client, chance taken out. `chance` is what was taken out.

    `refused` counts replies that were no whole 200.
    """

    longest: int
    chance: int
    replies: int
    refused: int


def cuts(seed: int, *, quick: bool) -> list[tuple[int, ...]]:
    """The ways to cut: every size, and sizes drawn at random."""
    draw = random.Random(seed)  # noqa: S311 - nothing is protected by these
    sizes = QUICK_SIZES if quick else tuple(range(1, LONGEST_CHUNK + 1))
    many = 4 if quick else RANDOM_CUTS
    return [
        *((size,) for size in sizes),
        *(tuple(draw.choice((1, 2, 3, 5, 8, 13, 40)) for _ in range(97)) for _ in range(many)),
    ]


def scenario_with(planted: Planted, sizes: tuple[int, ...], value: str) -> Scenario:
    """The answer with a value where the secret has its place."""
    text = f"{BEFORE}{value}{AFTER}"
    if planted.field == "arguments":
        arguments = msgspec.json.encode({"to": value, "subject": "The papers of the house"}).decode()
        return Scenario(content="", arguments=arguments, sizes=sizes)
    if planted.field == "reasoning":
        return Scenario(content="It is done.", reasoning=text, sizes=sizes)
    return Scenario(content=text, sizes=sizes, quiet_choices=int(planted.in_second_choice))


async def longest_leak(
    bench: Bench, running: Running, planted: Planted, sibling: str, *, stream: bool
) -> Leak:
    """Ask for a secret in every cut, for the sentence without it in the same cuts, and for another of its kind."""
    ways = cuts(bench.options.seed, quick=bench.options.quick) if stream else [(4,)]
    request = request_bytes(
        running.server.url, COMPLETIONS, question_body(stream=stream), token_headers(running.token)
    )
    exchanger = Exchanger(running.server.url)

    async def reply_to(value: str, sizes: tuple[int, ...]) -> tuple[list[str], bool]:
        await bench.set_scenario(scenario_with(planted, sizes, value))
        body, good = await _ask(exchanger, request)
        return received_texts(body), good

    longest = chance = refused = 0
    try:
        for number, sizes in enumerate(ways):
            texts, good = await reply_to(planted.value, sizes)
            longest, refused = max(longest, longest_in(planted.value, texts)), refused + (not good)
            texts, _ = await reply_to("", sizes)
            chance = max(chance, longest_in(planted.value, texts))
            if number < SIBLING_CUTS:
                texts, _ = await reply_to(sibling, sizes)
                if longest_in(sibling, texts) < REDACTED_BELOW:
                    chance = max(chance, longest_in(planted.value, texts))
    finally:
        exchanger.close()
    return Leak(longest=longest if longest > chance else 0, chance=chance, replies=len(ways), refused=refused)


def longest_in(secret: str, texts: list[str]) -> int:
    """The longest stretch of a secret in any of the texts."""
    return max((longest_run(secret, text) for text in texts), default=0)


async def _ask(exchanger: Exchanger, request: bytes) -> tuple[bytes, bool]:
    try:
        reply = await exchanger.send(request)
    except ModelError:
        return b"", False
    return reply.body, reply.status == 200 and reply.is_whole


async def measure_leaks(bench: Bench) -> Section:
    """The leak table of every contender that filters."""
    secrets, siblings = plant(bench.options.seed), plant(bench.options.seed + 1)
    rows: list[tuple[Cell, ...]] = []
    refusals: list[str] = []
    for contender in chosen("leak", bench.options.rivals):
        if not bench.can_start(contender):
            continue
        try:
            async with bench.running(contender) as running:
                for stream in (False, True):
                    leaks = [
                        await longest_leak(bench, running, each, other.value, stream=stream)
                        for each, other in zip(secrets, siblings, strict=True)
                    ]
                    name = f"{contender.name}, {'streamed' if stream else 'whole'}"
                    rows.append((name, *(leak.longest for leak in leaks), max(leak.chance for leak in leaks)))
                    refused = [
                        f"{each.name} {leak.refused}/{leak.replies}"
                        for each, leak in zip(secrets, leaks, strict=True)
                        if leak.refused
                    ]
                    if refused:
                        refusals.append(
                            f"{name}: replies that were refused or broken off: {', '.join(refused)}."
                        )
        except SandboxError as error:
            bench.skip(contender, error.message)
    count = len(cuts(bench.options.seed, quick=True)) - 4, 4
    sizes = f"{count[0]} sizes" if bench.options.quick else f"chunks of 1 to {LONGEST_CHUNK} characters"
    number = count[1] if bench.options.quick else RANDOM_CUTS
    headings = (
        "longest stretch, characters",
        *(f"{each.name} {len(each.value)}" for each in secrets),
        "chance at most",
    )
    return Section(
        name="leak",
        title="What leaks",
        method=METHOD.format(sizes=sizes, cuts=number, below=REDACTED_BELOW),
        tables=(Table(title="Secrets that reached the client", headings=headings, rows=tuple(rows)),),
        notes=(*refusals, *bench.take_notes()),
    )
