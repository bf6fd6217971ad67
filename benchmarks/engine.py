"""The evaluation engine with full evidence, beside a bare aiohttp loop and other tools, on a mock model server."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from benchmarks.clients.lm_eval_task import NAME, write_task
from benchmarks.mock import Mock, mock_server
from benchmarks.processes import Cost, run_command, two_cpus
from benchmarks.settings import CommandFailed, NotMeasured, Settings, peer_program, program
from benchmarks.tables import Cell, Section, Spread, Table, spread_of
from benchmarks.workload import make_key, write_suite

PROMPT_BYTES = 230
CONNECTIONS = 100
CLIENTS = Path(__file__).with_name("clients")
LATENCIES_MS = (0.0, 50.0)
ROUNDS = 5
WARM_UP = 100
METHOD = (
    "A mock model server (asyncio with uvloop, one fixed answer) runs as a process of its own on one CPU, each client "
    "as a whole process on another; the clients take turns, round by round, after one unmeasured run of each. All send "
    f"one prompt of {PROMPT_BYTES} bytes a sample over at most {CONNECTIONS} connections and look for a number in the "
    "answer (the bare loop only parses it). *End to end* is samples over the wall time of the whole command; *after "
    "start* is samples over the time from the server's first request to its last reply; *start* is from the "
    "process's start to that first request. A client that did not send exactly one request a sample, or in whose "
    "unmeasured run not every answer was kept as a match, fails the "
    "benchmark. Evidence is what stays on disk: the run's journal; for `label`, the bundle's records; for others, logs."
)


@dataclass(frozen=True)
class Client:
    """A client program: how to call it on a suite, and the files of its evidence."""

    name: str
    samples: int
    command: Callable[[Mock, Path, Path], list[str]]
    """From the server, the suite's folder (its parent holds the rubric) and an empty folder for its output."""
    evidence: str | None
    """A glob of evidence files in the output folder."""
    matches: Callable[[Path, Settings], int] | None
    """Counts, in the output folder, the answers that the client kept as matches."""
    more: Callable[[Mock], dict[str, str]] = lambda _: {}


@dataclass(frozen=True)
class Turn:
    """One measured run of a client."""

    samples: int
    cost: Cost
    first_request_s: float
    asking_s: float
    evidence_bytes: int | None

    @property
    def start_s(self) -> float:
        """From the start of the process to its first request."""
        return self.first_request_s - self.cost.began_s


def _bare(mock: Mock, suite: Path, out: Path) -> list[str]:
    del out
    client = [sys.executable, str(CLIENTS / "bare_aiohttp.py")]
    return [*client, mock.base_url, str(suite / "samples.jsonl"), str(CONNECTIONS)]


def _asked(mock: Mock, suite: Path) -> list[str]:
    what = ["--suite", str(suite), "--rubric", str(suite.parent / "rubric.yaml"), "--design", "fixed"]
    model = ["--model", "vllm/mock-1", "--base-url", mock.base_url, "--connections", str(CONNECTIONS)]
    return [*what, *model, "--seed", "bench", "--quiet"]


def _run(mock: Mock, suite: Path, out: Path) -> list[str]:
    return [program(), "run", *_asked(mock, suite), "--store", str(out / "store")]


def _label(mock: Mock, suite: Path, out: Path) -> list[str]:
    return [program(), "label", *_asked(mock, suite), "--out", str(out / "made.bundle")]


def _inspect(mock: Mock, suite: Path, out: Path) -> list[str]:
    del mock
    shutil.copy(CLIENTS / "inspect_task.py", out)  # it takes a path relative to its working folder
    quiet = ["--display", "none", "--no-log-realtime", "--no-score-display", "--ctl-server", "false"]
    wide = ["--max-samples", str(CONNECTIONS), "--max-connections", str(CONNECTIONS)]
    task = ["inspect_task.py", "-T", f"samples={suite / 'samples.jsonl'}"]
    model = ["--model", "openai-api/mock/mock-1", "--log-dir", str(out / "logs")]
    return [_peer("inspect"), "eval", *task, *model, *quiet, *wide]


def _lm_eval(mock: Mock, suite: Path, out: Path) -> list[str]:
    tasks = write_task(out / "tasks", suite / "samples.jsonl")
    url = f"base_url={mock.base_url}/chat/completions"
    model = ["--model", "local-chat-completions", "--model_args"]
    given = f"model=mock-1,{url},num_concurrent={CONNECTIONS},max_retries=1,tokenized_requests=False"
    task = ["--tasks", NAME, "--include_path", str(tasks), "--apply_chat_template"]
    return [_peer("lm_eval"), *model, given, *task, "--log_samples", "--output_path", str(out / "logs")]


def _peer(name: str) -> str:
    found = peer_program(name)
    if found is None:
        raise NotMeasured(f"{name} is not in .venv-peers: `make bench-peers`")
    return str(found)


def _inspect_environment(mock: Mock) -> dict[str, str]:
    return {"MOCK_BASE_URL": mock.base_url, "MOCK_API_KEY": "unused"}


def _offline_environment(mock: Mock) -> dict[str, str]:
    del mock
    return {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OPENAI_API_KEY": "unused"}


def _matches_in_lines(out: Path, settings: Settings) -> int:
    del settings
    files = [path for path in out.rglob("*.jsonl") if path.name in ("journal.jsonl", "evidence.jsonl")]
    lines = [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines()]
    return sum(line["kind"] == "score" and line["value"] for line in lines)


def _matches_in_inspect(out: Path, settings: Settings) -> int:
    log = next(out.glob("logs/*.eval"))
    command = [_peer("inspect"), "log", "dump", "--header-only", str(log)]
    header = json.loads(run_command(command, settings, cpu=-1).out)
    if header["status"] != "success":
        raise CommandFailed(f"Inspect AI ended with status {header['status']}")
    share = header["results"]["scores"][0]["metrics"]["accuracy"]["value"]
    return int(0.5 + share * header["results"]["completed_samples"])


def _matches_in_lm_eval(out: Path, settings: Settings) -> int:
    del settings
    found = json.loads(next(out.glob("logs/**/results_*.json")).read_text("utf-8"))
    return int(0.5 + found["results"][NAME]["exact_match,number"] * found["n-samples"][NAME]["effective"])


def clients_of(settings: Settings) -> tuple[list[Client], list[str]]:
    """The clients to measure, and a note for each tool that was asked for and is not there."""
    many, few = (600, 200) if settings.quick else (4000, 1000)
    clients = [
        Client("bare aiohttp loop", many, _bare, None, None),
        Client("verilabel run", many, _run, "store/journal.jsonl", _matches_in_lines),
        Client("verilabel label", many, _label, "made.bundle/records/*.jsonl", _matches_in_lines),
    ]
    if not settings.peers:
        return clients, ["other tools were not asked for: `make bench-peers`, then --peers"]
    notes = []
    others = [
        (
            "inspect",
            Client(
                "Inspect AI, quiet", few, _inspect, "logs/*.eval", _matches_in_inspect, _inspect_environment
            ),
        ),
        ("lm_eval", Client("lm-eval", few, _lm_eval, "logs/**/*", _matches_in_lm_eval, _offline_environment)),
    ]
    for name, client in others:
        if peer_program(name):
            clients.append(client)
        else:
            notes.append(f"{client.name} was not measured: it is not in .venv-peers (`make bench-peers`)")
    if len(clients) > 3:  # what others ask in their patience, for rows of equal number
        clients.append(Client("bare aiohttp loop", few, _bare, None, None))
        clients.append(Client("verilabel run", few, _run, "store/journal.jsonl", _matches_in_lines))
    return clients, notes


def measure(settings: Settings) -> Section:
    """Measure every client at both latencies."""
    client_cpu, server_cpu = two_cpus()
    clients, notes = clients_of(settings)
    make_key(settings)
    suites = {n: _suite(settings, n) for n in {WARM_UP, *(c.samples for c in clients)}}
    tables = []
    rounds = settings.rounds_or(ROUNDS)
    for latency in LATENCIES_MS:
        turns: list[list[Turn]] = [[] for _ in clients]
        with mock_server(latency, server_cpu) as mock:
            for client in clients:
                _take_turn(client, WARM_UP, mock, suites[WARM_UP], settings, client_cpu, warm_up=True)
            for _ in range(rounds):
                for client, taken in zip(clients, turns, strict=True):
                    suite = suites[client.samples]
                    taken.append(_take_turn(client, client.samples, mock, suite, settings, client_cpu))
        tables.append(_table(latency, clients, turns))
    notes.append(f"rounds: {rounds}; client on CPU {client_cpu}, server on CPU {server_cpu}.")
    notes.append(
        "The ideal is a client that costs nothing: as many samples at once as there are connections."
    )
    notes.append(
        "`verilabel label` also decides, signs and logs; the other tools neither sign nor log what they keep."
    )
    notes.append(
        "End to end depends on the number of samples, as every start is paid once: compare rows of equal number."
    )
    return Section("Evaluation engine", METHOD, tuple(tables), tuple(notes))


def _suite(settings: Settings, samples: int) -> Path:
    folder = settings.folder / f"engine-{samples}"
    return write_suite(folder, samples, prompt_bytes=PROMPT_BYTES, pattern="42")


def _take_turn(
    client: Client,
    samples: int,
    mock: Mock,
    suite: Path,
    settings: Settings,
    cpu: int,
    *,
    warm_up: bool = False,
) -> Turn:
    out = settings.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    command = client.command(mock, suite, out)
    mock.reset()
    cost = run_command(command, settings, cpu=cpu, more=client.more(mock), cwd=out)
    seen = mock.seen()
    if seen.requests != samples:
        raise CommandFailed(f"{client.name} sent {seen.requests} requests for {samples} samples")
    kept = None
    if client.evidence is not None:
        kept = sum(path.stat().st_size for path in out.glob(client.evidence) if path.is_file())
        if not kept:
            raise CommandFailed(f"{client.name} left no evidence at {client.evidence}")
    if warm_up and client.matches is not None and (found := client.matches(out, settings)) != samples:
        raise CommandFailed(f"{client.name} kept {found} matches for {samples} samples")
    shutil.rmtree(out)
    return Turn(samples, cost, seen.first_request_s, seen.last_reply_s - seen.first_request_s, kept)


def _table(latency_ms: float, clients: list[Client], turns: list[list[Turn]]) -> Table:
    after = [Spread(tuple(turn.samples / turn.asking_s for turn in taken)) for taken in turns]
    # the measure of a row is what is possible with as many samples
    best = {
        client.samples: _ideal(client.samples, latency_ms) if latency_ms else speed.median
        for client, speed in zip(clients, after, strict=True)
        if latency_ms or client.command is _bare
    }
    rows: list[tuple[Cell, ...]] = []
    for client, taken, speed in zip(clients, turns, after, strict=True):
        rows.append(
            (
                client.name,
                client.samples,
                Spread(tuple(turn.samples / turn.cost.wall_s for turn in taken)),
                speed,
                f"{100 * speed.median / best[client.samples]:.0f} %",
                Spread(tuple(1000 * turn.cost.cpu_s / turn.samples for turn in taken)),
                Spread(tuple(turn.cost.rss_mb for turn in taken)),
                Spread(tuple(turn.start_s for turn in taken)),
                spread_of(
                    [None if t.evidence_bytes is None else t.evidence_bytes / t.samples for t in taken]
                ),
            )
        )
    if latency_ms:
        rows.insert(0, ("ideal", None, None, _ideal(clients[0].samples, latency_ms), "100 %", *[None] * 4))
    return Table(
        f"Answers after {latency_ms:g} ms, {CONNECTIONS} connections",
        (
            "client",
            "samples",
            "end to end /s",
            "after start /s",
            "of the ideal" if latency_ms else "of the bare loop",
            "CPU s / 1,000",
            "peak MB",
            "start s",
            "evidence bytes / sample",
        ),
        tuple(rows),
    )


def _ideal(samples: int, latency_ms: float) -> float:
    """Samples a second of a client that costs nothing: full rounds of connections, one after the other."""
    return samples / (ceil(samples / CONNECTIONS) * latency_ms / 1000)
