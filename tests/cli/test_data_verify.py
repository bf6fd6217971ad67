"""`verilabel data verify`, `open`, `query` and `sketch`: what they print, and the statuses that programs read."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from audit_corpora import some_text
from audit_forging import Forgery, Made, made_audit
from verilabel.audit.proof.verifying import verify_audit
from verilabel.cli import main
from verilabel.evidence.keys import new_key

NONCE = "beacon round 4711"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_audit(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_audit(tmp_path_factory.mktemp("signed"), is_signed=True)


class Command:
    """`verilabel data` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: object) -> int:
        self._capsys.readouterr()
        status = int(main(["data", *map(str, words)]))
        self.out, self.err = self._capsys.readouterr()
        return status

    def json(self, *words: object) -> Any:
        self(*words, "--json")
        return json.loads(self.out)


@pytest.fixture
def data(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def _spot(made: Made, *more: object) -> Sequence[object]:
    return ("verify", made.audit, "--spot-check", 20, "--corpus", made.corpus, *more)


def test_an_audit_that_holds_prints_its_steps_and_what_they_do_not_show(made: Made, data: Command) -> None:
    assert 0 == data("verify", made.audit)
    assert 8 == data.out.count("  ok ")
    assert "nobody signed this audit" in data.out
    assert "what a model was trained on: no root proves that" in data.out
    found = data.json("verify", made.audit)
    assert (True, False, None) == (found["holds"], found["is_signed"], found["is_trusted"])
    assert verify_audit(made.audit).manifest.root.sha256 == found["root"]


def test_a_broken_step_is_named(made: Made, tmp_path: Path, data: Command) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    forgery = Forgery(copy)
    forgery.manifest["coverage"]["unread"] = 0
    forgery.seal()
    assert 4 == data("verify", copy)
    assert "FAIL 3 shards give the root" in data.out
    assert (3, False) == tuple(data.json("verify", copy)[key] for key in ("step", "holds"))
    (copy / "audit.json").write_text("{}")
    assert 3 == data("verify", copy)
    assert 2 == data("verify", tmp_path / "nothing")


def test_a_signer_that_the_policy_does_not_name_is_told(signed: Made, tmp_path: Path, data: Command) -> None:
    found = verify_audit(signed.audit).signed
    assert found is not None
    trust = tmp_path / "trust.yaml"
    for key, status in ((found.signer, 0), (new_key("stranger").public, 1)):
        trust.write_text(_policy(key))
        assert status == data("verify", signed.audit, "--trust", trust)
        assert (status == 0) == ("NOT named" not in data.out)


def _policy(key: Any) -> str:
    return f"format: verilabel/trust/v1\naccept:\n  key: {key.line!r}\n  name: somebody\n  roles: [audits]\n"


def test_a_spot_check_says_nonce_and_bound(made: Made, data: Command) -> None:
    more = ("--bench", made.bench, "--secret", made.secret, "--nonce", NONCE)
    assert 0 == data(*_spot(made, *more))
    assert f"nonce {NONCE}" in data.out
    assert "20 of 125 documents looked at again by pii, contamination: 0 are not" in data.out
    again = data.json(*_spot(made, *more))["looked_at_again"]
    assert (20, [], {}) == (again["documents"], again["failures"], again["not_compared"])


def test_without_a_nonce_a_fresh_one_is_drawn_and_printed(made: Made, data: Command) -> None:
    nonces = {data.json(*_spot(made, "--bench", made.bench))["looked_at_again"]["nonce"] for _ in range(2)}
    assert [64, 64] == [len(nonce) for nonce in nonces]


def test_a_check_that_cannot_be_run_again_leaves_it_undecided(made: Made, data: Command) -> None:
    assert 8 == data(*_spot(made))
    assert "not compared: contamination" in data.out


def test_a_false_record_ends_with_the_status_of_a_broken_seal(
    made: Made, tmp_path: Path, data: Command
) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    forgery = Forgery(copy)
    for shard in range(3):
        records = forgery.records(shard)
        records["words"] += 1
        forgery.write_records(shard, records)
    forgery.seal()
    assert 0 == data("verify", copy)
    words = ("verify", copy, "--spot-check", 125, "--corpus", made.corpus, "--bench", made.bench)
    assert 4 == data(*words)
    assert 20 == data.out.count("DIFFERS")
    assert "and 93 more" in data.out


@pytest.mark.parametrize(
    "words",
    [
        ("--spot-check", 3),
        ("--corpus", "texts"),
        ("--secret", "secret"),
        ("--documents", 3),
        ("--nonce", "n"),
        ("--spot-check", 3, "--corpus", "texts", "--openings", "o.jsonl"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    made: Made, data: Command, words: Sequence[object]
) -> None:
    assert 2 == data("verify", made.audit, *words)


def test_openings_are_written_for_their_owner_and_checked_by_another(
    made: Made, tmp_path: Path, data: Command
) -> None:
    out = tmp_path / "openings.jsonl"
    words = ("open", made.audit, "--corpus", made.corpus, "--secret", made.secret, "--nonce", NONCE)
    assert 0 == data(*words, "--documents", 12, "--out", out)
    assert "holds texts of the corpus" in data.err
    assert 0o600 == stat.S_IMODE(out.stat().st_mode)
    check = ("verify", made.audit, "--openings", out, "--bench", made.bench)
    assert 0 == data(*check, "--nonce", NONCE, "--documents", 12)
    assert 4 == data(*check, "--nonce", "another")
    assert 4 == data(*check, "--documents", 300)
    assert 2 == data(*words, "--out", out)
    assert 0 == data(*words, "--documents", 3, "--digests-only", "--out", out, "--force")
    assert "holds texts" not in data.err
    assert 8 == data(*check, "--nonce", NONCE)


def test_openings_of_another_corpus_leave_nothing_behind(made: Made, tmp_path: Path, data: Command) -> None:
    other = Path(shutil.copytree(made.corpus, tmp_path / "texts"))
    (other / "part-000.parquet").unlink()
    out = tmp_path / "openings.jsonl"
    words = ("open", made.audit, "--corpus", other, "--secret", made.secret, "--nonce", NONCE, "--out", out)
    assert 4 == data(*words)
    assert ["texts"] == [path.name for path in tmp_path.iterdir()]


def test_an_audit_is_asked_in_sql(made: Made, data: Command) -> None:
    sql = "SELECT shard, count(*) AS n FROM records GROUP BY shard ORDER BY shard"
    assert 0 == data("query", made.audit, sql, "--csv")
    assert "shard,n\n0,38\n1,38\n2,37\n3,12\n" == data.out
    assert {"shard": 0, "n": 38} == data.json("query", made.audit, sql)[0]
    assert 0 == data("query", made.audit, sql)
    assert 6 == len(data.out.splitlines())
    assert 2 == data("query", made.audit, "DROP VIEW records")
    assert 2 == data("query", made.audit)
    assert 0 == data("query", made.audit, "--tables")
    assert "words of its text" in data.out


def test_a_sketch_knows_what_stood_in_the_corpus(made: Made, tmp_path: Path, data: Command) -> None:
    assert 0 == data("sketch", made.audit, "--bench", made.bench)
    assert "lamps.jsonl: 1 of 1 items match" in data.out
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"question": some_text(4711, 60)}) + "\n")
    (result,) = data.json("sketch", made.audit, "--bench", other)
    assert ([], 1, 1) == (result["matches"], result["items"], result["certain"])
    assert 0 < float(result["false_positive_rate"]) < 1e-5


def test_an_audit_without_a_sketch_cannot_be_asked_for_one(made: Made, tmp_path: Path, data: Command) -> None:
    copy = Path(shutil.copytree(made.audit, tmp_path / "run.audit"))
    forgery = Forgery(copy)
    (copy / "sketch.bin").write_bytes(b"another")
    assert 4 == data("sketch", copy, "--bench", made.bench)
    (copy / "sketch.bin").unlink()
    forgery.seal()
    assert 2 == data("sketch", copy, "--bench", made.bench)
