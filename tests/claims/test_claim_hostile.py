"""Documents and servers that mean harm: patterns that never end, names that are nearly the same, other addresses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from bundle_factory import READ
from claims.claim_cards import page_server, read
from verilabel.claims.matching import Match, VerifiedBundle, match_claims
from verilabel.claims.source import open_source
from verilabel.claims.words import same_name
from verilabel.errors import LimitExceeded, UsageError
from verilabel.evidence.verifier import verify_bundle
from verilabel.suites.download import follow_redirect

SIZE = 200_000
"""At this length each of the documents took minutes, and most of them hours."""


@pytest.mark.parametrize(
    "text",
    [
        "# a" + " " * SIZE + "b",
        "a|b\n" + " " * SIZE + "x|-",
        "# " + "![](" * SIZE,
        "Accuracy is 87.1% on MMLU. " + "1," * SIZE,
        "Accuracy is 87.1% on MMLU. " + "[results " * SIZE,
        "<table>\n" + "<a " * SIZE,
        "<table>\n" + '<a b="' * SIZE,
        "<table>\n" + "<!--" * SIZE,
        "Nothing is said here.\n" * 50_000,
    ],
    ids=["heading", "ruler", "image", "numbers", "link", "tag", "quote", "comment", "lines"],
)
def test_a_text_that_patterns_get_lost_in_is_read(text: str) -> None:
    assert {claim.benchmark for claim in read(text + "\n").claims} <= {"MMLU"}


def test_a_table_whose_cells_span_everything_is_refused_before_it_is_made() -> None:
    row = "<tr>" + '<td colspan="100">1</td>' * 100 + "</tr>"
    with pytest.raises(LimitExceeded) as caught:
        read("<table>\n" + row * 100 + "\n</table>\n")
    assert "card.md" == caught.value.where


def test_too_many_claims_are_refused_while_they_are_read() -> None:
    rows = "| a | b | c | d |\n" + "| 1% | 1% | 1% | 1% |\n" * 7_000
    with pytest.raises(LimitExceeded, match="100000 claims"):
        read(("| model | MMLU | GSM8K | BBH | DROP |\n|---|---|---|---|---|\n" + "| m " + rows[17:]) * 5)


def test_an_html_table_keeps_its_spans() -> None:
    text = "<table>\n<tr><th>Model</th><th class='x' colspan='1'>MMLU</th><th>GSM8K</th></tr>\n"
    text += '<tr><td>m</td><td COLSPAN=2 style="a">87.1%</td></tr>\n</table>\n'
    assert [("MMLU", "87.1"), ("GSM8K", "87.1")] == [
        (claim.benchmark, claim.value.number) for claim in read(text).claims if claim.value
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gpt-3.5", "gpt-35"),
        ("model 1.1", "model-11"),
        ("HumanEval+", "HumanEval"),
        ("модель-2", "模型-2"),
    ],
)
def test_names_that_are_nearly_the_same_are_not(one: str, other: str) -> None:
    assert same_name(one) != same_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Llama-3.2", "llama3-2"), ("XS Test", "XSTest"), ("HumanEval +", "humaneval"), ("o_1", "O1")],
)
def test_spellings_of_one_name_are_one(one: str, other: str) -> None:
    assert same_name(one) == same_name(other)


def test_a_decimal_comma_is_not_read_as_the_digits_behind_it() -> None:
    assert () == read("Its accuracy on MMLU is 87,3%.\n").claims


def test_a_figure_is_not_that_of_the_model_which_it_beats() -> None:
    text = "It achieves 87.3% on GSM8K, 12.1 points above Other-3 (75.2%).\n"
    assert [("ours", "87.3"), ("Other-3", "75.2")] == [
        (claim.subject, claim.value.number) for claim in read(text, subject="ours").claims if claim.value
    ]


# -- other systems and suites ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verified(made_bundle: Path) -> VerifiedBundle:
    return VerifiedBundle("small.bundle", verify_bundle(made_bundle, now=READ))


def match_as(verified: VerifiedBundle, subject: str, *, name: str, model: str) -> Match:
    """What the small bundle says of a claim, were its system called so."""
    found = verified.found
    assert found.system is not None
    system = msgspec.structs.replace(found.system, name=name, provider_model=model)
    flags = (*found.flags, "suite_unknown")
    bundle = VerifiedBundle("small.bundle", msgspec.structs.replace(found, system=system, flags=flags))
    card = "| Benchmark | Metric | Value |\n|---|---|---|\n| quiz | accuracy | 90.0% |\n"
    (match,) = match_claims(read(card, subject=subject).claims, [bundle])
    return match


@pytest.mark.parametrize(
    ("subject", "outcome"),
    [
        ("owner/model-2", "supported"),
        ("model-2", "supported"),
        ("stranger/model-2", "not_evidenced"),
        ("owner/model-2.1", "not_evidenced"),
        ("owner/model-21", "not_evidenced"),
    ],
)
def test_a_model_of_another_owner_is_another_model(
    verified: VerifiedBundle, subject: str, outcome: str
) -> None:
    assert outcome == match_as(verified, subject, name="model-2", model="owner/model-2").outcome


def test_a_suite_that_only_the_issuer_has_is_said_to_be_so(verified: VerifiedBundle) -> None:
    (note,) = match_as(verified, "m", name="m", model="m").notes
    assert "issuer's word (suite_unknown)" in note


# -- addresses ---------------------------------------------------------------------------------------------------


@contextmanager
def redirecting_server(places: Mapping[str, str]) -> Iterator[str]:
    """A server on the loopback that sends whoever asks for a path elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if self.path in places else 200)
            self.send_header("location", places.get(self.path, ""))
            self.send_header("content-length", "6")
            self.end_headers()
            self.wfile.write(b"# Card")

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}"
        finally:
            http.shutdown()


def test_a_redirect_to_another_plain_address_is_not_followed() -> None:
    with (
        page_server({"/secret": b"# Secret"}) as inside,
        redirecting_server({"/card": f"{inside}/secret"}) as url,
        pytest.raises(UsageError, match="not followed"),
    ):
        open_source(f"{url}/card")


def test_a_redirect_on_the_same_server_is_followed_and_a_circle_is_not() -> None:
    with redirecting_server({"/card": "/there", "/circle": "/circle"}) as url:
        assert "# Card" == open_source(f"{url}/card")[0].text
        with pytest.raises(UsageError, match="redirects"):
            open_source(f"{url}/circle")


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://localhost/",
        "https://10.0.0.7/",
        "file:///etc/passwd",
        "http://example.org/plain",
        "//user:word@example.net/",
        "https://[broken",
    ],
)
def test_a_server_elsewhere_sends_nobody_to_an_address_within(location: str) -> None:
    with pytest.raises(UsageError, match="not followed"):
        follow_redirect("https://example.org/card.md", location)


def test_a_server_elsewhere_may_send_to_another_of_the_internet() -> None:
    assert "https://cdn.example.net/a" == follow_redirect(
        "https://example.org/card.md", "https://cdn.example.net/a"
    )


def test_the_hub_cannot_name_files_outside_of_the_folder_of_results(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [".eval_results/../../../other/m/raw/main/x.yaml", "elsewhere/a.yaml", ".eval_results/sub/a.yaml"]
    pages = {
        "/org/m/raw/main/README.md": b"# M\n",
        "/api/models/org/m/tree/main/.eval_results": json.dumps(
            [{"type": "file", "path": path} for path in paths]
        ).encode(),
    }
    with page_server(pages) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        assert ["hf:org/m/README.md"] == [document.name for document in open_source("hf:org/m")]
