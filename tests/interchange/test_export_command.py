"""`verilabel export`: what is refused, where files go, what every file says, and that it says the same each time."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from bundle_factory import HAZARD_RUBRIC, ISSUED, LOG, Recipe, make_bundle
from verilabel.cli import main
from verilabel.cli.export import NAMES
from verilabel.evidence.keys import key_path, new_key, save_key
from verilabel.interchange.exporting.formats import FORMATS
from verilabel.interchange.exporting.source import open_source

FORBIDDEN = re.compile(
    rb"\b(safe|certified|certification|compliant|compliance|guaranteed?s?)\b", re.IGNORECASE
)


def run(*arguments: object) -> tuple[int, str, str]:
    """Run one command line in this process: status, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["export", *map(str, arguments)])
    return status, out.getvalue(), err.getvalue()


def everything(*names: str) -> list[str]:
    """`--to` for each format."""
    return [word for name in names or NAMES for word in ("--to", name)]


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def exported(made_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every format of the small bundle."""
    out = tmp_path_factory.mktemp("exported") / "all"
    status, _, err = run(
        made_bundle, *everything(), "--hub-task", "quiz.right=org/quiz:default", "--out", out
    )
    assert (0, "") == (status, err)
    return files_below(out)


def test_the_command_offers_exactly_the_formats_that_there_are() -> None:
    assert tuple(FORMATS) == NAMES


def test_all_formats_go_into_one_folder(exported: dict[str, bytes]) -> None:
    names = " ".join(exported)
    for part in ("_samples.jsonl", ".eval_results/verilabel-test_quiz-label.yaml", "model-card-section.md"):
        assert part in names
    for name in (
        "bom.cdx.json",
        "verification.svr.json",
        "eval-results.intoto.jsonl",
        "junit.xml",
        "label.sarif",
    ):
        assert name in exported
    assert {"answers.csv", "answers.parquet"} <= exported.keys()
    assert 2 == len([name for name in exported if name.startswith("2026-01-01T12-00-00+00-00_test-")])
    assert 13 == len(exported)


def test_every_file_says_both_halves_the_level_and_the_statement(
    exported: dict[str, bytes], made_bundle: Path
) -> None:
    with open_source(made_bundle, trust=None, now=ISSUED) as source:
        statement = source.statement_sha256
    assert statement is not None
    for name, data in exported.items():
        bare = statement.removeprefix("sha256:").encode()
        assert bare in data, name
        assert b"V2 recomputed" in data, name
        text = data.decode("utf-8", "replace").replace("\\", "")
        assert "L2" in text and "L3" in text, name


def test_no_export_uses_words_that_promise_more_than_evidence(exported: dict[str, bytes]) -> None:
    for name, data in exported.items():
        assert FORBIDDEN.search(data) is None, name


def test_exporting_twice_gives_the_same_bytes(
    exported: dict[str, bytes], made_bundle: Path, tmp_path: Path
) -> None:
    run(made_bundle, *everything(), "--hub-task", "quiz.right=org/quiz:default", "--out", tmp_path / "again")
    again = files_below(tmp_path / "again")
    verified = "verification.svr.json"
    assert {k: v for k, v in exported.items() if k != verified} == {
        k: v for k, v in again.items() if k != verified
    }
    first, second = json.loads(exported[verified]), json.loads(again[verified])
    first["predicate"].pop("timeCreated")
    second["predicate"].pop("timeCreated")
    assert first == second


def test_a_zip_exports_the_same_as_its_folder(
    exported: dict[str, bytes], made_zip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bom.json"
    assert 0 == run(made_zip, "--to", "cyclonedx", "--out", out)[0]
    assert exported["bom.cdx.json"] == out.read_bytes()


def test_a_changed_answer_is_refused_and_nothing_is_written(bundle: Path, tmp_path: Path) -> None:
    evidence = bundle / "records" / "evidence.jsonl"
    evidence.write_bytes(evidence.read_bytes().replace(b"The answer is", b"The reply is ", 1))
    status, _, err = run(bundle, *everything(), "--out", tmp_path / "out")
    assert 4 == status
    assert "step 7" in err
    assert not (tmp_path / "out").exists()


def test_an_expired_label_is_refused(tmp_path: Path) -> None:
    rubric = Recipe().rubric.replace("P36500D", "P1D")
    made = make_bundle(tmp_path / "made", Recipe(rubric=rubric)).path
    status, _, err = run(made, "--to", "junit", "--out", tmp_path / "junit.xml")
    assert 1 == status
    assert "step 10" in err
    assert not (tmp_path / "junit.xml").exists()


def test_no_option_skips_the_verification(made_bundle: Path, tmp_path: Path) -> None:
    assert 2 == run(made_bundle, "--to", "csv", "--out", tmp_path / "a.csv", "--unverified")[0]


def test_a_signer_whom_the_trust_policy_does_not_name_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    trust = tmp_path / "trust.yaml"
    trust.write_text(
        f"format: verilabel/trust/v1\nwitness_quorum: 0\naccept: {{any: [{{key: {LOG.public.line!r}, "
        "name: Log, roles: [labels]}]}\n"
    )
    status, _, err = run(made_bundle, "--to", "csv", "--out", tmp_path / "a.csv", "--trust", trust)
    assert status in (3, 4, 7), err
    assert not (tmp_path / "a.csv").exists()


def test_an_unsigned_bundle_is_exported_as_claimed_and_never_as_a_statement(tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "made", Recipe(key=None, log_key=None)).path
    out = tmp_path / "sarif.json"
    assert 0 == run(made, "--to", "sarif", "--out", out)[0]
    properties = json.loads(out.read_text())["runs"][0]["properties"]
    assert ("V0 claimed", "none") == (
        properties["verilabel.verification"],
        properties["verilabel.statement_sha256"],
    )
    for name in ("svr", "eval-result"):
        status, _, err = run(made, "--to", name, "--out", tmp_path / name)
        assert 2 == status
        assert "nobody signed" in err
        assert not (tmp_path / name).exists()


def test_a_file_that_is_there_stays_unless_forced(made_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "label.sarif").write_text("mine")
    status, _, err = run(made_bundle, "--to", "junit", "--to", "sarif", "--out", tmp_path)
    assert 2 == status
    assert "--force" in err
    assert ["label.sarif"] == [path.name for path in tmp_path.iterdir()]
    assert "mine" == (tmp_path / "label.sarif").read_text()
    assert 0 == run(made_bundle, "--to", "junit", "--to", "sarif", "--out", tmp_path, "--force")[0]
    assert {"label.sarif", "junit.xml"} == {path.name for path in tmp_path.iterdir()}
    assert "mine" != (tmp_path / "label.sarif").read_text()


def test_several_files_need_a_folder(made_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    status, _, err = run(made_bundle, "--to", "eee", "--out", tmp_path / "file", "--force")
    assert (2, "mine") == (status, (tmp_path / "file").read_text())
    assert "folder" in err


def test_one_file_goes_into_a_folder_that_is_there(made_bundle: Path, tmp_path: Path) -> None:
    assert 0 == run(made_bundle, "--to", "junit", "--out", tmp_path)[0]
    assert ["junit.xml"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    "options",
    [
        ("--to", "csv", "--key", "default"),
        ("--to", "csv", "--card", "README.md"),
        ("--to", "svr", "--salt", "salt"),
        ("--to", "hf", "--endpoint", "http://127.0.0.1:9"),
        ("--to", "hf", "--push", "org/model", "--card", "README.md", "--endpoint", "http://hub.example"),
        ("--to", "hf", "--hub-task", "quiz.right"),
        ("--to", "hf", "--hub-task", "nothing=org/quiz:default"),
        ("--to", "hf", "--bundle-url", "javascript:alert(1)"),
        ("--to", "svr", "--verifier", "me"),
        ("--to", "hf", "--push", "org/model"),
        ("--to", "junk"),
    ],
)
def test_options_without_an_effect_or_a_meaning_are_usage_errors(
    options: tuple[str, ...], made_bundle: Path, tmp_path: Path
) -> None:
    status, _, err = run(made_bundle, *options, "--out", tmp_path / "out")
    assert 2 == status
    assert err.startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_json_names_the_files_the_level_and_what_was_left_out(made_bundle: Path, tmp_path: Path) -> None:
    status, out, _ = run(made_bundle, "--to", "hf", "--out", tmp_path / "hub", "--json")
    told = json.loads(out)
    assert (0, "V2", None) == (status, told["level"], told["pull_request"])
    assert [str(tmp_path / "hub" / "model-card-section.md")] == told["files"]
    assert "quiz.right" in told["notes"][0] and "--hub-task" in told["notes"][0]


def test_a_card_gets_the_section_once_however_often_it_is_exported(made_bundle: Path, tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_bytes(b"---\r\nlicense: mit\r\n---\r\n# Model\r\nText.\r\n")
    card.chmod(0o600)
    arguments = (made_bundle, "--to", "hf", "--card", card, "--out", tmp_path / "hub", "--force")
    assert 0 == run(*arguments)[0]
    once = card.read_bytes()
    assert 0 == run(*arguments)[0]
    assert once == card.read_bytes()
    assert once.startswith(b"---\r\nlicense: mit\r\n---\r\n# Model\r\nText.\r\n")
    assert once.count(b"\n") == once.count(b"\r\n")
    assert 0o600 == card.stat().st_mode & 0o777


def test_statements_are_signed_with_the_named_key(
    made_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    key = new_key("checker.example")
    save_key(key, key_path("checker.example"))
    out = tmp_path / "svr.json"
    assert 0 == run(made_bundle, "--to", "svr", "--key", "checker.example", "--out", out)[0]
    envelope = json.loads(out.read_bytes())
    assert [key.keyid] == [signature["keyid"] for signature in envelope["signatures"]]
    assert 2 == run(made_bundle, "--to", "svr", "--key", "nobody", "--out", tmp_path / "x")[0]


def test_a_hazard_label_is_exported_with_both_of_its_halves(tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "made", Recipe(rubric=HAZARD_RUBRIC)).path
    assert 0 == run(made, *everything(), "--out", tmp_path / "out")[0]
    bom = (tmp_path / "out" / "bom.cdx.json").read_text()
    assert "verilabel:established" in bom and "verilabel:not_ruled_out" in bom
