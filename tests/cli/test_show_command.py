"""`verilabel show`: what it prints, writes and refuses, on real bundles and with the real exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundle_factory import ISSUER, LOG, Recipe, make_bundle
from verilabel.cli import main


@pytest.fixture(scope="module")
def open_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with an undetermined row and missing answers."""
    return make_bundle(tmp_path_factory.mktemp("open"), Recipe(accuracy="0.7", errors="0.05")).path


def test_it_prints_the_pair_the_level_and_every_row(
    made_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["show", str(made_bundle)])
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert "granted, cannot exclude up to" in first
    assert "V2 recomputed" in first
    assert second.count(" ok") == 10
    table = "\n".join(rest)
    for row in ("quiz.right >= 0.30", "quiz.right >= 0.50", "puzzles.right >= 0.40"):
        assert row.replace("0.30", "0.3").replace("0.50", "0.5").replace("0.40", "0.4") in table


def test_json_is_the_whole_view(made_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["show", str(made_bundle), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert "V2 recomputed" == document["level"]
    assert 2 == len(document["pair"])
    assert [20, 20, 10, 20] == [row["n"] for level in document["levels"] for row in level["rows"]]
    assert [] == document["samples"]


def test_answers_are_printed_only_when_asked_for(
    open_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["show", str(open_bundle)])
    assert "What is" not in capsys.readouterr().out
    assert 0 == main(["show", str(open_bundle), "--samples", "2"])
    out = capsys.readouterr().out
    assert "they may be harmful or upsetting" in out
    assert 2 == out.count("    prompt: What is")


@pytest.mark.parametrize("number", ["-1", "many", "201", "٣"])
def test_a_number_of_samples_that_cannot_be_is_a_usage_error(
    made_bundle: Path, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["show", str(made_bundle), f"--samples={number}"])
    assert "from 0 to 200" in capsys.readouterr().err


def test_html_is_written_once_and_replaced_only_by_force(
    made_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    assert 0 == main(["show", str(made_bundle), "--html", str(page)])
    assert "quiz-model" in page.read_text(encoding="utf-8")
    page.write_text("mine")
    assert 2 == main(["show", str(made_bundle), "--html", str(page)])
    assert "--force" in capsys.readouterr().err
    assert "mine" == page.read_text()
    assert 0 == main(["show", str(made_bundle), "--html", str(page), "--force"])
    assert [page] == list(tmp_path.iterdir())


def test_a_zip_is_shown_like_the_folder_it_was_made_from(
    made_bundle: Path, made_zip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for path in (made_bundle, made_zip):
        assert 0 == main(["show", str(path), "--json"])
        document = json.loads(capsys.readouterr().out)
        shown.append(
            {key: value for key, value in document.items() if key not in ("bundle", "read_at", "steps")}
        )
    assert shown[0] == shown[1]


def test_a_changed_bundle_is_shown_as_a_claim_with_the_seals_status(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = bundle / "records" / "evidence.jsonl"
    evidence.write_bytes(evidence.read_bytes().replace(b"What is 3", b"What is 8", 1))
    assert 4 == main(["show", str(bundle)])
    captured = capsys.readouterr()
    assert captured.out.startswith(
        "WARNING: This bundle is not what was sealed. What follows is what it claims."
    )
    assert "V0 claimed" in captured.out
    assert "step 7" in captured.err


def test_a_bundle_that_is_not_there_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["show", str(tmp_path / "none.bundle")])
    assert "no bundle here" in capsys.readouterr().err


def test_a_trust_policy_names_the_signer(
    made_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "trust.yaml"
    rules = "".join(
        f"    - {{key: {key.public.line!r}, name: {name}, roles: [{role}]}}\n"
        for key, name, role in ((ISSUER, "The Laboratory", "labels"), (LOG, "the log", "log"))
    )
    policy.write_text(f"format: verilabel/trust/v1\naccept:\n  any:\n{rules}")
    assert 0 == main(["show", str(made_bundle), "--trust", str(policy), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert "The Laboratory" == document["seal"]["signer"]
    assert "signer_unpinned" not in {flag["flag"] for flag in document["flags"]}
