"""Where claims are read from: files, folders, addresses and the hub, over real connections."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claims.claim_cards import CARD, page_server
from servers.scripted import response, scripted_server
from verilabel.claims import source
from verilabel.claims.extraction import extract_claims
from verilabel.claims.source import open_source
from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.suites.download import NotServed, fetch_bytes

RESULT = b"- dataset: {id: cais/hle, task_id: default}\n  value: 20.90\n"


def test_a_folder_gives_its_cards_and_its_eval_results(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(CARD)
    (tmp_path / ".eval_results").mkdir()
    (tmp_path / ".eval_results" / "a.yaml").write_bytes(RESULT)
    (tmp_path / "config.json").write_text('{"layers": 3}')
    assert ["card", "eval_results"] == [document.kind for document in open_source(str(tmp_path))]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("card.pdf", b"%PDF-1.7 ...", "a PDF is not read"),
        ("card.md", b"\xff\xfe", "not UTF-8"),
        ("card.md", b"a\0b", "not a text"),
        ("card.html", b"<!DOCTYPE html><p>87% accuracy</p>", "HTML page"),
    ],
)
def test_what_is_no_text_is_refused_and_says_what_to_do(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MalformedInput, match=message):
        open_source(str(tmp_path / name))


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.md").write_bytes(b"a" * (source.MAX_BYTES + 1))
    with pytest.raises(LimitExceeded):
        open_source(str(tmp_path / "big.md"))


def test_a_name_without_a_file_is_no_name_on_the_hub_but_the_hint_says_how(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_source("org/no-such-model")
    assert "hf:org/no-such-model" in str(caught.value.hint)
    with pytest.raises(UsageError):
        open_source(str(tmp_path))


def test_an_address_is_fetched_and_its_digest_kept() -> None:
    with page_server({"/card.md": CARD.encode()}) as url:
        (document,) = open_source(f"{url}/card.md")
    assert (CARD, f"{url}/card.md") == (document.text, document.name)
    assert document.sha256.startswith("sha256:")


@pytest.mark.parametrize(
    "address", ["http://example.org/card.md", "ftp://example.org/card.md", "file:///etc/passwd"]
)
def test_only_https_is_fetched_from_elsewhere(address: str) -> None:
    with pytest.raises(UsageError, match="only https"):
        open_source(address)


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(UsageError) as caught:
        open_source("https://user:hunter2@example.org/card.md")
    assert "hunter2" not in str(caught.value)


def test_a_model_on_the_hub_gives_its_card_and_results(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = json.dumps(
        [{"type": "file", "path": ".eval_results/a.yaml"}, {"type": "file", "path": ".eval_results/x"}]
    )
    pages = {
        "/org/m/raw/main/README.md": b"# M\n\nIt achieves 87.3% on GSM8K.\n",
        "/api/models/org/m/tree/main/.eval_results": listing.encode(),
        "/org/m/raw/main/.eval_results/a.yaml": RESULT,
    }
    with page_server(pages) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        documents = open_source("hf:org/m")
    assert ["hf:org/m/README.md", "hf:org/m/.eval_results/a.yaml"] == [d.name for d in documents]
    assert {"org/m"} == {claim.subject for claim in extract_claims("hf:org/m", documents).claims}


def test_a_model_that_does_not_exist_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with page_server({}) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(UsageError, match="no card of a model 'org/none'") as caught:
            open_source("hf:org/none")
    assert 2 == caught.value.status


@pytest.mark.parametrize("name", ["m", "a/b/c", "../etc", "org/..", "org/m?x=1", ""])
def test_a_name_that_no_model_can_have_is_not_asked_for(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a model"):
        open_source(f"hf:{name}")


def test_a_list_of_files_that_is_none_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"/org/m/raw/main/README.md": b"# M\n", "/api/models/org/m/tree/main/.eval_results": b'{"a": 1}'}
    with page_server(pages) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(MalformedInput):
            open_source("hf:org/m")


def test_no_network_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with page_server({}) as url:
        pass  # the server is gone
    monkeypatch.setenv("HF_ENDPOINT", url)
    with pytest.raises(UsageError, match="cannot be fetched") as caught:
        open_source("hf:org/m")
    assert "network" in str(caught.value.hint)


def test_a_status_and_a_body_beyond_the_limit_are_told_apart() -> None:
    with page_server({"/a": b"x" * 1000}) as url:
        assert 1000 == len(fetch_bytes(f"{url}/a", limit=1000))
        with pytest.raises(LimitExceeded):
            fetch_bytes(f"{url}/a", limit=999)
        with pytest.raises(NotServed) as caught:
            fetch_bytes(f"{url}/b", limit=999)
    assert 404 == caught.value.http_status


def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    with (
        scripted_server(response(b"# half", length=5000)) as url,
        pytest.raises(UsageError, match="cannot be fetched"),
    ):
        fetch_bytes(f"{url}/card.md", limit=10_000)
