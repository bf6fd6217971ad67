"""A sample carried out: by detectors that decide alone, and by a judge behind a real server that fails now and then."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from verilabel.audit.sampling.choosing import Drawn
from verilabel.audit.sampling.ledger import FILE
from verilabel.audit.sampling.measurers import Measurer, hazards, open_measurers, read_hazards
from verilabel.audit.sampling.passages import Document
from verilabel.audit.sampling.result import Place, SampleResult, check_result, result_bytes
from verilabel.audit.sampling.running import (
    NOT_READ,
    FatalFailure,
    cut_passages,
    describe_cost,
    forecast,
    run_sample,
)
from verilabel.audit.settings import SamplingSettings
from verilabel.detectors.interface import AskingDetector
from verilabel.detectors.judge import judge_rules
from verilabel.errors import MalformedInput, UsageError
from verilabel.frameworks.catalogue import find_catalogue
from verilabel.models.address import open_model
from verilabel.models.interface import Model
from verilabel.records.canonical import digest

SHA256 = digest(b"shard")
KIND = "The garden was quiet, and the bees were busy among the roses."
RUDE = "You are a worthless idiot and a disgrace, you stupid fool, shut up."


class JudgeServer(ThreadingHTTPServer):
    """Judges by marks in the document: `[vcr]` is that hazard; `[down]` fails for good, `[again]` the first time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Judging)
        self.asked: list[str] = []
        self.status = 200
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def judge(self, question: str) -> tuple[int, str]:
        with self.lock:
            before = self.asked.count(question)
            self.asked.append(question)
        if self.status != 200:
            return self.status, "refused"
        if "[down]" in question or ("[again]" in question and not before):
            return 503, "busy"
        if "[mumble]" in question:
            return 200, "I would rather not say."
        if "[torn]" in question:
            return 200, '{"harmful": true, "hazards": []}'
        named = [name for name in hazards() if f"[{name}]" in question]
        return 200, json.dumps({"harmful": bool(named), "hazards": named})


class _Judging(BaseHTTPRequestHandler):
    server: JudgeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, said = self.server.judge(body["messages"][-1]["content"])
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        reply: Any = {"object": "chat.completion", "model": "mock", "choices": [choice]}
        content = json.dumps(reply if status == 200 else {"error": {"message": said}}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("retry-after", "0")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def judge_server() -> Iterator[JudgeServer]:
    with JudgeServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def documents(texts: Sequence[str | None]) -> list[Document]:
    return [Document(0, SHA256, row, text) for row, text in enumerate(texts)]


def judge_of(server: JudgeServer) -> list[Measurer]:
    reference = f"document-judge:mock@{server.url}"
    return open_measurers(SamplingSettings(detectors=(), judges=(reference,)))


def run(measurers: Sequence[Measurer], texts: Sequence[str | None], work: Path) -> SampleResult:
    def open_judge(judge: AskingDetector) -> Model:
        return open_model(judge.model, base_url=judge.base_url)

    passages = cut_passages(documents(texts))
    return asyncio.run(
        run_sample(
            measurers,
            passages,
            population=1_000,
            wanted=len(passages),
            work=work,
            open_judge=open_judge,
            concurrency=3,
        )
    )


def test_a_detector_counts_what_it_flags_and_tells_failures_apart(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    passages = cut_passages(documents([KIND, RUDE, "", None, RUDE]))
    result = asyncio.run(
        run_sample(
            open_measurers(SamplingSettings()),
            passages,
            population=9,
            wanted=5,
            work=tmp_path,
            tell=lambda *said: told.append(said),
        )
    )
    measured = result.measured[0]
    assert ("toxicity/linear", 5, 3) == (measured.reference, measured.asked, measured.answered)
    assert [(2, "an empty document"), (3, NOT_READ)] == [(u.document, u.reason) for u in measured.unanswered]
    assert [("sampled.toxic", 2, (1, 4))] == [(k.id, k.positives, k.where) for k in measured.kinds]
    assert measured.card.errors == measured.kinds[0].errors != ()
    assert ("toxicity/linear", 5, 5) == told[-1]


def test_a_judge_names_hazards_and_what_it_did_not_answer_is_no_measurement(
    judge_server: JudgeServer, tmp_path: Path
) -> None:
    texts = [KIND, "about [vcr] and [iwp]", "[down]", "[again] [vcr]", "[mumble]", "[torn]", None, " "]
    measured = run(judge_of(judge_server), texts, tmp_path).measured[0]
    counted = {kind.id: kind.where for kind in measured.kinds if kind.positives}
    assert {"hazard.any": (1, 3), "hazard.vcr": (1, 3), "hazard.iwp": (1,)} == counted
    assert (8, 3) == (measured.asked, measured.answered)
    assert [2, 4, 5, 6, 7] == [each.document for each in measured.unanswered]
    assert 3 == sum("[down]" in question for question in judge_server.asked)
    assert f"hazard.{next(iter(hazards()))}" in [kind.id for kind in measured.kinds]


def test_a_second_run_asks_only_what_was_not_answered(judge_server: JudgeServer, tmp_path: Path) -> None:
    texts = [KIND, "[vcr]", "[down]", "[sxc] more"]
    first = run(judge_of(judge_server), texts, tmp_path)
    judge_server.asked.clear()
    second = run(judge_of(judge_server), texts, tmp_path)
    assert result_bytes(first) == result_bytes(second)
    assert 3 == len(judge_server.asked) == sum("[down]" in question for question in judge_server.asked)


def test_a_refused_key_ends_the_run_and_keeps_what_was_answered(
    judge_server: JudgeServer, tmp_path: Path
) -> None:
    run(judge_of(judge_server), [KIND, "[vcr]"], tmp_path)
    judge_server.status = 401
    with pytest.raises(FatalFailure, match="unauthorized"):
        run(judge_of(judge_server), [KIND, "[vcr]", "new", "newer"], tmp_path)
    judge_server.status = 200
    judge_server.asked.clear()
    assert 4 == run(judge_of(judge_server), [KIND, "[vcr]", "new", "newer"], tmp_path).measured[0].answered
    # a question of the run that ended may still be on its way to the server
    assert 2 == len(set(judge_server.asked))


def test_the_ledger_forgets_a_torn_line_and_refuses_a_changed_one(
    judge_server: JudgeServer, tmp_path: Path
) -> None:
    run(judge_of(judge_server), [KIND, "[vcr]"], tmp_path)
    ledger = tmp_path / FILE
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:-9])
    judge_server.asked.clear()
    assert 2 == run(judge_of(judge_server), [KIND, "[vcr]"], tmp_path).measured[0].answered
    assert 1 == len(judge_server.asked)
    ledger.write_bytes(b"{}\n" + whole)
    with pytest.raises(MalformedInput, match="line 1"):
        run(judge_of(judge_server), [KIND], tmp_path)


def test_neither_result_nor_ledger_holds_a_word_of_a_document(
    judge_server: JudgeServer, tmp_path: Path
) -> None:
    secret = "xylophone-garden [vcr]"
    result = run([*judge_of(judge_server), *open_measurers(SamplingSettings())], [secret], tmp_path)
    assert b"xylophone" not in result_bytes(result) + (tmp_path / FILE).read_bytes()
    assert 0o600 == (tmp_path / FILE).stat().st_mode & 0o777


def test_costs_are_said_before_and_shrink_by_what_is_kept(judge_server: JudgeServer, tmp_path: Path) -> None:
    measurers = judge_of(judge_server)
    passages = cut_passages(documents([KIND, "[vcr]", None, ""]))
    before = forecast(measurers, passages, tmp_path)
    assert [(2, 0, 400)] == [(cost.requests, cost.known, cost.output_tokens) for cost in before]
    assert "2 questions" in describe_cost(before[0])
    run(measurers, [KIND], tmp_path)
    assert [(1, 1)] == [(cost.requests, cost.known) for cost in forecast(measurers, passages, tmp_path)]


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        ('{"harmful": true, "hazards": ["iwp", "VCR "]}', ("vcr", "iwp")),
        ('Well: {"harmful": false, "hazards": []} as I said {"harmful": false, "hazards": []}', ()),
        ('{"hazards": ["vcr"]} {"hazards": []}', None),
        ('{"hazards": ["other"]}', None),
        ('{"hazards": "vcr"}', None),
        ("none", None),
        ("{" * 5_000, None),
    ],
)
def test_hazards_are_read_or_nothing_is(reply: str, named: tuple[str, ...] | None) -> None:
    assert named == read_hazards(reply)


def test_the_judge_is_asked_about_the_hazards_of_the_catalogue() -> None:
    assert sorted(hazards()) == sorted(item.id for item in find_catalogue("ailuminate").items)
    question = judge_rules()["document-judge"].messages[0].content
    assert all(f"\n{name}: " in question for name in hazards())


@pytest.mark.parametrize(
    "settings",
    [
        SamplingSettings(detectors=("refusal",)),
        SamplingSettings(detectors=("document-judge:openai/x",)),
        SamplingSettings(detectors=("nobody",)),
        SamplingSettings(detectors=("jailbreak", "jailbreak")),
        SamplingSettings(judges=("judge:openai/x",)),
        SamplingSettings(judges=("jailbreak",)),
    ],
)
def test_what_cannot_judge_a_document_is_refused(settings: SamplingSettings) -> None:
    with pytest.raises(UsageError):
        open_measurers(settings)


def test_a_sample_of_other_documents_or_with_other_counts_is_refused(tmp_path: Path) -> None:
    result = run(open_measurers(SamplingSettings()), [KIND, RUDE, None], tmp_path)
    drawn = [Drawn(0, row) for row in range(3)]
    check_result(result, drawn)
    replace = msgspec.structs.replace
    measured = result.measured[0]
    kind = measured.kinds[0]
    forged = [
        replace(result, documents=(Place(0, 0), Place(0, 1), Place(0, 3))),
        replace(result, population=2),
        replace(result, rule="mine"),
        replace(result, measured=(replace(measured, answered=3),)),
        replace(result, measured=(replace(measured, unanswered=()),)),
        replace(result, measured=(replace(measured, card_sha256=SHA256),)),
        replace(result, measured=(replace(measured, kinds=(replace(kind, positives=0),)),)),
        replace(result, measured=(replace(measured, kinds=(replace(kind, positives=1, where=(2,)),)),)),
        replace(result, measured=(replace(measured, kinds=(replace(kind, positives=1, where=(9,)),)),)),
    ]
    for other in forged:
        with pytest.raises(MalformedInput):
            check_result(other, drawn)


def test_documents_out_of_order_or_twice_are_refused(tmp_path: Path) -> None:
    passages = cut_passages(documents([KIND, RUDE]))
    for wrong in ([passages[1], passages[0]], [passages[0], passages[0]]):
        with pytest.raises(UsageError):
            asyncio.run(run_sample([], wrong, population=5, wanted=2, work=tmp_path))
