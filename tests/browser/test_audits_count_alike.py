"""Audits and findings count alike in both verifiers, in any company, word for word in what keeps a label from V4."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from audit_statements import (
    AUDITOR,
    PERSON,
    TRUST,
    TRUST_TEXT,
    covering,
    declaration_of,
    finding_of,
    findings_of,
    matches,
    read_parts,
    reference,
)
from bundle_factory import ISSUED, ISSUER, READ, Recipe, begin_store, run_recipe
from party_factory import (
    CRITIC,
    STRANGER,
    another_digest,
    dispute_of,
    make_party,
    model_that,
    replica_recipe,
    replication_of,
    statement_of,
    withdrawal_of,
)
from servers.answering import answering_server
from small_runs import at_most, numbered_rows, open_place, rubric_text, write_suite
from two_findings import finding_here, finding_there
from verilabel.evaluation.labelling import count_answers, keep_given
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.sealing import Sealing, seal_bundle
from verilabel.evidence.verifier import verify_bundle

RunNode = Callable[..., list[dict[str, Any]]]
COMPANIES = 5


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label that an audit of its training data was given to when it was made."""
    folder = tmp_path_factory.mktemp("original")
    plain = make_party(folder / "plain")
    store, suites, log = begin_store(folder, Recipe())
    with store:
        asyncio.run(run_recipe(Recipe(), store, suites, log))
        keep_given(store, [declaration_of(plain, issued=ISSUED - timedelta(days=1), text="given")])
        seal_bundle(store, count_answers(store), folder / "bundle", Sealing(ISSUER, log, ISSUED))
    return folder / "bundle"


def statements_about(original: Path, folder: Path) -> dict[str, Signed]:
    """Statements of every kind that bear on V4, also those that do not count."""
    replica = make_party(folder / "replica", replica_recipe(), model_that(11))
    _, plan = read_parts(original)
    elicitation, governance = findings_of(original)
    dispute = dispute_of(statement_of(original))
    dirty = declaration_of(original, contamination=covering(plan, items_matched=2, documents=3))
    other = reference(dataset_root=another_digest("another data set"))
    return {
        "replication": replication_of(original, replica),
        "elicitation": elicitation,
        "governance": governance,
        "stranger's governance": finding_of(original, "governance", STRANGER),
        "judges": finding_of(original, "judge-calibration"),
        "review": finding_of(original, "review"),
        "dispute": dispute,
        "dispute withdrawn": withdrawal_of(dispute.attestation.digest, CRITIC),
        "found": dirty,
        "found withdrawn": withdrawal_of(dirty.attestation.digest, AUDITOR),
        "governance withdrawn": withdrawal_of(governance.attestation.digest, PERSON),
        "fine-tuning": declaration_of(original, audit=other, relation="declared-fine-tuning-data"),
        "another set": declaration_of(original, audit=other, contamination=(matches(),)),
        "in part": declaration_of(original, audit=other, contamination=covering(plan, items=3)),
        "data set": declaration_of(original, relation="audited"),
        "expired": declaration_of(original, until=READ),
        "stranger's": declaration_of(original, STRANGER),
        "own": declaration_of(original, ISSUER),
    }


def test_any_company_of_statements_is_judged_alike(run_node: RunNode, original: Path, tmp_path: Path) -> None:
    statements = statements_about(original, tmp_path)
    names, source, levels = list(statements), Random(4), set()
    (tmp_path / "trust.yaml").write_text(TRUST_TEXT)
    for name, signed in statements.items():
        (tmp_path / f"{names.index(name)}.json").write_bytes(signed.data)
    companies = [["replication", "elicitation", "governance"], []]
    companies += [["replication", *source.sample(names[1:], source.randint(3, 10))] for _ in range(COMPANIES)]
    for company in companies:
        found = verify_bundle(
            original, trust=TRUST, now=READ, statements=[statements[name] for name in company]
        )
        options: list[str | Path] = []
        for name in company:
            options += ["--statement", tmp_path / f"{names.index(name)}.json"]
        asked = ("--now", READ.isoformat(), "--trust", tmp_path / "trust.yaml", *options, original)
        (answer,) = run_node("verify.mjs", *asked)
        assert finding_here(found) == finding_there(answer), company
        levels.add(str(found.level))
    assert {"V2", "V3", "V4"} <= levels


def judge_by_length(prompt: str) -> str:
    return json.dumps({"harmful": len(prompt) % 3 == 0, "reason": "it says so"})


@pytest.mark.parametrize("is_judged", [True, False])
def test_scores_of_a_judge_ask_for_its_calibration(
    run_node: RunNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_judged: bool
) -> None:
    write_suite(tmp_path / "suite", numbered_rows(24))
    statistics = "alpha: 0.05, missing: worst_case, max_missing: 0.2, judge: {adjust: none}"
    event = "violation" if is_judged else "refusal"
    measure = f"harm: {{suite: test/harm@1, estimand: proportion, event: {event}, direction: lower_is_safer}}"
    text = rubric_text(at_most("0.8", "harm"), measures=measure, statistics=statistics)
    (tmp_path / "rubric.yaml").write_text(text)
    place = open_place(tmp_path, monkeypatch)
    with answering_server(judge_by_length) as judge:
        detector = (
            ("--detector", f"harmful=judge:strict@{judge.base_url}", "--design", "fixed") if is_judged else ()
        )
        model = ("--model", "simulated:rate=0.5,seed=3", "--suite", "suite", "--rubric", "rubric.yaml")
        place.succeed("label", *model, *detector, "--quiet", "--out", "b.bundle")
    now = datetime.now(UTC)
    found = verify_bundle(tmp_path / "b.bundle", now=now)
    (answer,) = run_node("verify.mjs", "--now", now.isoformat(), tmp_path / "b.bundle")
    assert finding_here(found) == finding_there(answer)
    assert ("V2", is_judged) == (
        found.level,
        "no statement on judge calibration" in found.lacking_for_v4,
    )
