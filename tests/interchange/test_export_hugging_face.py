"""Hugging Face: results files, card sections that hostile names cannot break, and a pull request to a real server."""

from __future__ import annotations

import base64
import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bundle_factory import READ, RUBRIC, Recipe, make_bundle
from verilabel.cli import main
from verilabel.errors import MalformedInput, MissingExtra, ModelError
from verilabel.interchange.exporting.hugging_face import export_hugging_face, push_files
from verilabel.interchange.exporting.model_card import BEGIN, END, insert_section, write_section
from verilabel.interchange.exporting.options import ExportOptions, HubTask
from verilabel.interchange.exporting.source import open_source
from verilabel.interchange.exporting.wording import escape_markdown

SECTION = f"{BEGIN}\n## A section\n\ntext\n{END}\n"


def test_listed_measures_are_written_as_the_hub_documents_it(made_bundle: Path) -> None:
    options = ExportOptions(
        hub_tasks={"quiz.right": HubTask("org/quiz", "default")}, bundle_url="https://example.org/b.zip"
    )
    with open_source(made_bundle, trust=None, now=READ) as source:
        export = export_hugging_face(source, options)
    files = {file.name: file.data() for file in export.files}
    (entry,) = yaml.safe_load(files[".eval_results/verilabel-test_quiz-label.yaml"])
    assert {"id": "org/quiz", "task_id": "default"} == entry["dataset"]
    assert 0.9 == entry["value"]
    assert "2026-01-01" == entry["date"]  # text, as the documents show it, and no YAML date
    assert {"url": "https://example.org/b.zip", "name": "Evidence bundle"} == entry["source"]
    for said in ("18 of 20 answers", "bounds", "cannot exclude up to L3", "V2 recomputed", "sha256:"):
        assert said in entry["notes"]
    assert ["puzzles.right"] == [name for name in ("quiz.right", "puzzles.right") if name in export.notes[0]]


def test_without_a_leaderboard_there_is_only_the_card_section(made_bundle: Path) -> None:
    with open_source(made_bundle, trust=None, now=READ) as source:
        export = export_hugging_face(source, ExportOptions())
    assert ["model-card-section.md"] == [file.name for file in export.files]
    assert "--hub-task" in export.notes[0]


# -- the card --------------------------------------------------------------------------------------

plain_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=200).filter(
    lambda text: BEGIN not in text and END not in text
)


@given(card=plain_text)
def test_a_card_keeps_every_byte_of_its_own(card: str) -> None:
    once = insert_section(card.encode(), SECTION, where="README.md")
    assert once.startswith(card.encode())
    assert once == insert_section(once, SECTION, where="README.md")
    assert 1 == once.count(BEGIN.encode()) == once.count(END.encode())


@given(before=plain_text, after=plain_text)
def test_an_older_section_is_replaced_and_nothing_else(before: str, after: str) -> None:
    card = f"{before}{BEGIN}\nold\n{END}{after}"
    newline = "\r\n" if "\r\n" in card[: card.find("\n") + 1] else "\n"
    replaced = insert_section(card.encode(), SECTION, where="README.md").decode()
    assert f"{before}{SECTION.rstrip().replace(chr(10), newline)}{after}" == replaced


@pytest.mark.parametrize(
    "card", [BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}", f"{BEGIN}{BEGIN}{END}"]
)
def test_markers_that_do_not_pair_are_refused(card: str) -> None:
    with pytest.raises(MalformedInput, match="markers") as caught:
        insert_section(card.encode(), SECTION, where="README.md")
    assert "README.md" == caught.value.where


def test_a_card_that_is_not_text_is_refused() -> None:
    with pytest.raises(MalformedInput, match="UTF-8 at byte 2"):
        insert_section(b"ab\xff", SECTION, where="README.md")


def test_the_cards_of_the_hub_take_a_section_and_keep_their_line_ends(shared_data: Path) -> None:
    for path in sorted((shared_data / "hf_cards" / "tests" / "fixtures" / "cards").glob("*.md")):
        card = path.read_bytes()
        once = insert_section(card, SECTION, where=path.name)
        assert once.startswith(card), path.name
        assert once == insert_section(once, SECTION, where=path.name)
        if b"\r\n" in card:
            assert once.count(b"\n") == once.count(b"\r\n")


def test_hostile_names_cannot_leave_their_place_in_the_section(tmp_path: Path) -> None:
    hostile = f"x {END} | <img src=x onerror=alert(1)> [a](javascript:b) **c** `d` https://evil.example www.e.example"
    rubric = RUBRIC.replace("name: Solid", f"name: {json.dumps(hostile)}")
    rubric = rubric.replace("title: A small label for tests", f"title: {json.dumps(hostile)}")
    bundle = make_bundle(tmp_path, Recipe(rubric=rubric)).path
    with open_source(bundle, trust=None, now=READ) as source:
        section = write_section(source, ExportOptions())
    assert 1 == section.count(END) == section.count(BEGIN)
    markdown = pytest.importorskip("markdown_it")
    html = markdown.MarkdownIt("commonmark").enable("table").render(section)
    assert "<img" not in html and "<a " not in html
    assert "onerror=alert(1)&gt;" in html  # it is there to be read
    assert 2 * 8 + 4 * 4 == html.count("<td>")  # 2 measures of 8 cells, 4 rows of 4, and no cell more


@given(text=st.text(max_size=80))
def test_escaped_text_renders_as_itself_on_one_line(text: str) -> None:
    markdown = pytest.importorskip("markdown_it")
    escaped = escape_markdown(text)
    assert "\n" not in escaped and "|" not in escaped.replace("\\|", "")
    tokens = markdown.MarkdownIt("commonmark").parseInline(f"x{escaped}x")
    assert {"text", "text_special"} >= {child.type for child in tokens[0].children}


# -- pushing ---------------------------------------------------------------------------------------

needs_hub = pytest.mark.skipif(
    importlib.util.find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed"
)


@contextmanager
def small_hub(status: int = 200) -> Iterator[tuple[str, list[tuple[str, str | None, bytes]]]]:
    """A server with the three calls of a commit; gives its address and what it was asked."""
    asked: list[tuple[str, str | None, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append((self.path, self.headers.get("authorization"), body))
            base = f"http://127.0.0.1:{self.server.server_address[1]}/org/model"
            answer: dict[str, object] = {}
            if "/preupload/" in self.path:
                files = json.loads(body)["files"]
                modes = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
                answer = {"files": [{"path": file["path"], **modes} for file in files]}
            elif "/commit/" in self.path:
                answer = {
                    "commitUrl": f"{base}/commit/{'a' * 40}",
                    "commitOid": "a" * 40,
                    "pullRequestUrl": f"{base}/discussions/3",
                }
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}", asked
        finally:
            http.shutdown()


@needs_hub
def test_pushing_opens_a_pull_request_with_the_files() -> None:
    files = {".eval_results/a.yaml": b"- value: 1\n", "README.md": b"# Model\n"}
    with small_hub() as (endpoint, asked):
        address = push_files("org/model", files, title="A label", endpoint=endpoint, token="hf_secret")
    assert f"{endpoint}/org/model/discussions/3" == address
    path, credentials, body = next(call for call in asked if "/commit/" in call[0])
    assert path.endswith("?create_pr=1")
    assert "Bearer hf_secret" == credentials
    sent = [json.loads(line) for line in body.splitlines()]
    assert "A label" == sent[0]["value"]["summary"]
    assert files == {item["value"]["path"]: base64.b64decode(item["value"]["content"]) for item in sent[1:]}


@needs_hub
def test_the_command_pushes_the_results_and_the_card_it_wrote(
    made_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    card = tmp_path / "CARD.md"
    card.write_text("# Model\n")
    with small_hub() as (endpoint, asked):
        status = main(
            [
                *(
                    "export",
                    str(made_bundle),
                    "--to",
                    "hf",
                    "--out",
                    str(tmp_path / "hub"),
                    "--card",
                    str(card),
                ),
                *("--hub-task", "quiz.right=org/quiz:default", "--push", "org/model", "--endpoint", endpoint),
            ]
        )
    printed = capsys.readouterr()
    assert (0, "") == (status, printed.err)
    assert f"pull request: {endpoint}/org/model/discussions/3" in printed.out
    body = next(body for path, _, body in asked if "/commit/" in path)
    sent = {
        item["value"]["path"]: base64.b64decode(item["value"]["content"])
        for item in map(json.loads, body.splitlines()[1:])
    }
    results = ".eval_results/verilabel-test_quiz-label.yaml"
    assert {results: (tmp_path / "hub" / results).read_bytes(), "README.md": card.read_bytes()} == sent
    assert "hf_secret" not in printed.out


@needs_hub
def test_a_hub_that_refuses_is_an_error_without_the_token_in_it() -> None:
    with small_hub(status=403) as (endpoint, _), pytest.raises(ModelError, match="HTTP 403") as caught:
        push_files("org/model", {"README.md": b"#"}, title="A label", endpoint=endpoint, token="hf_secret")
    assert "hf_secret" not in str(caught.value)


@pytest.mark.skipif(
    importlib.util.find_spec("huggingface_hub") is not None, reason="huggingface_hub is installed"
)
def test_pushing_without_the_package_names_the_extra() -> None:
    with pytest.raises(MissingExtra, match="huggingface_hub"):
        push_files("org/model", {"README.md": b"#"}, title="A label")
