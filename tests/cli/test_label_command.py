"""`verilabel label`: from a model and suites to a bundle, with repeated answers, families, files and refusals."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from servers.answering import answering_server
from small_runs import STEPS, Outcome, Place, at_most, numbered_rows, open_place, rubric_text, write_suite
from verilabel.records.canonical import digest
from verilabel.records.plan import ordered_ids
from verilabel.suites.loading import load_suite

MEASURE = "suite: test/harm@1, estimand: proportion, event: matched, direction: lower_is_safer"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    write_suite(tmp_path / "suite", numbered_rows(40))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.8"), at_most("0.2")))
    return open_place(tmp_path, monkeypatch)


def label(place: Place, *more: str, out: str = "b.bundle", model: str = "simulated:rate=0.05") -> Outcome:
    return place.run(
        *("label", "--model", model, "--suite", "suite", "--rubric", "rubric.yaml", "--seed", "7"),
        *("--quiet", "--json", "--out", out, *more),
    )


def tally(place: Place, bundle: str = "b.bundle", measure: str = "steps") -> dict[str, object]:
    document = json.loads((place.folder / bundle / "results" / "measures.json").read_bytes())
    found: dict[str, object] = document["measures"][measure]
    return {"events": 0, "missing": 0, **found}


# -- what it prints and leaves ---------------------------------------------------------------------------------


def test_json_has_the_bundle_the_label_and_what_fixes_them(place: Place) -> None:
    document = label(place).json
    assert {"bundle", "sentence", "label", "evidence_root", "manifest"} == set(document)
    assert "b.bundle" == document["bundle"]
    assert "L2 Level 2 granted, cannot exclude up to L2 Level 2" == document["sentence"]
    assert {"id": "L2", "name": "Level 2"} == document["label"]["granted"]
    found = place.succeed("verify", "b.bundle", "--json").json
    assert (document["evidence_root"], document["label"]) == (found["evidence_root"], found["label"])


def test_the_text_has_the_pair_every_row_and_how_to_verify(place: Place) -> None:
    out = place.succeed(
        *("label", "--model", "simulated:rate=0.05", "--suite", "suite", "--rubric", "rubric.yaml"),
        *("--seed", "7", "--quiet", "--out", "b.bundle"),
    ).out
    assert out.startswith("L2 Level 2 granted, cannot exclude up to L2 Level 2\n")
    assert "<= 0.8" in out and "<= 0.2" in out
    assert out.endswith("verify: verilabel verify b.bundle\n")


def test_a_finished_label_leaves_the_bundle_alone_unless_the_run_is_to_be_kept(place: Place) -> None:
    before = {name for name in place.files() if "/" not in name}
    label(place)
    assert {*before, "b.bundle"} == {name for name in place.files() if "/" not in name}
    label(place, "--keep-run", out="kept.bundle")
    assert "kept.bundle.run/journal.jsonl" in place.files()


def test_a_bundle_that_ends_in_zip_is_one_file_with_the_same_root(place: Place) -> None:
    folder, packed = label(place), label(place, out="b.zip")
    assert (place.folder / "b.zip").is_file()
    assert folder.json["evidence_root"] == packed.json["evidence_root"]
    assert "V2" == place.succeed("verify", "b.zip", "--json").json["level"]


def test_an_unsigned_bundle_is_made_without_a_key_and_verifies_to_v0(place: Place) -> None:
    (place.folder / "home" / "keys" / "default.key").unlink()
    assert 2 == label(place).status
    assert 0 == label(place, "--unsigned").status
    assert "V0" == place.succeed("verify", "b.bundle", "--json").json["level"]


def test_a_measure_whose_suite_is_not_at_hand_is_said_and_not_assessed(place: Place) -> None:
    other = "{suite: test/elsewhere@1, estimand: proportion, event: correct, direction: higher_is_safer}"
    (place.folder / "rubric.yaml").write_text(
        rubric_text(
            f'{at_most("0.8")}, {{measure: other, op: ">=", value: 0.5}}',
            measures=f"steps: {{{MEASURE}}}\n  other: {other}",
        )
    )
    outcome = label(place)
    assert "not assessed: other: suite test/elsewhere@1 was not given" in outcome.err
    statuses = [row["status"] for row in outcome.json["label"]["levels"][0]["rows"]]
    assert ["met", "not_assessed"] == statuses


def test_where_no_answer_could_change_the_label_it_says_what_to_do(place: Place) -> None:
    # every level of this rubric also asks for a measure whose suite is not given
    given = ("--rubric", "agent-hazards", "--suite", "agent/injection", "--limit", "5", "--quiet")
    failed = place.run("label", "--model", "scripted:oracle", *given, "--out", "b.bundle")
    assert 8 == failed.status
    assert "nothing was asked" in failed.err and "--design fixed" in failed.err
    assert not (place.folder / "b.bundle").exists()


def test_without_an_out_nothing_is_asked(place: Place) -> None:
    with answering_server(lambda prompt: "no") as model:
        outcome = place.run(
            *("label", "--model", "vllm/x", "--base-url", model.base_url),
            *("--suite", "suite", "--rubric", "rubric.yaml"),
        )
    assert (2, []) == (outcome.status, model.prompts)
    assert "--out BUNDLE" in outcome.err


def test_a_key_that_nobody_can_find_is_said_before_anything_is_asked(place: Place) -> None:
    outcome = label(place, "--key", "nobody")
    assert 2 == outcome.status
    assert "nobody.key" in outcome.err and "verilabel keys new" in outcome.err
    assert "b.bundle.run" not in place.files()


def test_a_label_is_continued_in_the_log_that_has_its_plan(place: Place) -> None:
    assert 8 == label(place, "--design", "fixed", "--budget", "requests=5", "--log", "mine").status
    other = label(place, "--design", "fixed", "--budget", "requests=500")
    assert 2 == other.status
    assert "logged in another log" in other.err and "--log DIR" in other.err
    assert 0 == label(place, "--design", "fixed", "--budget", "requests=500", "--log", "mine").status
    assert "V2" == place.succeed("verify", "b.bundle", "--json").json["level"]


# -- the system ------------------------------------------------------------------------------------------------


def test_a_system_file_describes_the_system_and_options_override_it(place: Place) -> None:
    (place.folder / "tool.json").write_text('{"name": "search"}')
    (place.folder / "filter.yaml").write_text("block: []\n")
    (place.folder / "system.yaml").write_text(
        "model: simulated:rate=0.9\nname: from-the-file\nparams: {temperature: 0.50, top_p: 0.9}\n"
        "system_prompt: Be brief.\ntools: {search: tool.json}\nuse_case: search\nlocale: de-DE\n"
    )
    (place.folder / "prompt.txt").write_text("Be kind.\n")
    outcome = place.succeed(
        *("label", "--system", "system.yaml", "--suite", "suite", "--rubric", "rubric.yaml", "--quiet"),
        *("--model", "simulated:rate=0.05", "--name", "from-the-options", "--param", "temperature=0.25"),
        *("--system-prompt", "@prompt.txt", "--guardrail", "filter=filter.yaml", "--locale", "fr-FR"),
        *("--seed", "7", "--out", "b.bundle", "--json"),
    )
    assert outcome.json["sentence"].startswith("L2")
    system = json.loads((place.folder / "b.bundle" / "subject" / "system.json").read_bytes())
    assert "from-the-options" == system["name"]
    assert "rate=0.05" in system["provider_model"]
    assert {"max_tokens": 512, "temperature": "0.25", "top_p": "0.9"} == system["params"]
    assert digest(b"Be kind.\n") == system["system_prompt"]
    assert {"search": digest(b'{"name": "search"}')} == system["tools"]
    assert {"filter": digest(b"block: []\n")} == system["guardrails"]
    assert ("search", "fr-FR") == (system["use_case"], system["locale"])


def test_the_parameters_and_the_system_prompt_are_what_is_sent(place: Place) -> None:
    with answering_server(lambda prompt: "no") as model:
        outcome = label(
            place,
            *("--base-url", model.base_url, "--param", "temperature=0.70", "--param", "seed=11"),
            *("--system-prompt", "Be brief.", "--limit", "3", "--design", "fixed"),
            model="vllm/x",
        )
    assert 0 == outcome.status, outcome.err
    for record in place.evidence("b.bundle"):
        if record["kind"] == "attempt":
            # the number is sent as it was written, so that the label's parameters are the request's
            assert '"temperature":0.70' in record["request"]
            sent = json.loads(record["request"])
            assert (11, "Be brief.") == (sent["seed"], sent["messages"][0]["content"])


# -- repeated answers ------------------------------------------------------------------------------------------

ANSWERS = {
    # which of three recorded answers to a prompt show the event
    "s0000": (True, True, True),
    "s0001": (False, False, True),
    "s0002": (False, False, False),
    "s0003": (True, False, None),
    "s0004": (False, False, None),
}


def write_answers(folder: Path, answers: dict[str, Sequence[bool | None]]) -> None:
    with (folder / "answers.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["question", "response", "model"])
        for sample, shown in answers.items():
            for value in shown:
                if value is not None:
                    text = f"Well, a {STEPS}." if value else "No."
                    table.writerow([f"Question {sample[1:]}?", text, "recorded-1"])


def replay(place: Place, *more: str) -> Outcome:
    return label(
        place,
        *("--design", "fixed", "--column", "prompt=question", "--column", "output=response", *more),
        model="replay:answers.csv",
    )


@pytest.mark.parametrize(
    ("direction", "op", "events", "missing"),
    [
        ("lower_is_safer", "<=", 3, 1),  # any: an answer with the event is enough, whatever is missing
        ("higher_is_safer", ">=", 1, 0),  # all: one without it is enough
    ],
)
def test_repeated_answers_of_a_file_become_one_item_each_by_the_worst(
    place: Place, direction: str, op: str, events: int, missing: int
) -> None:
    write_suite(place.folder / "suite", numbered_rows(5))
    write_answers(place.folder, ANSWERS)
    measure = MEASURE.replace("lower_is_safer", direction)
    rows = f'{{measure: steps, op: "{op}", value: 0.5}}'
    (place.folder / "rubric.yaml").write_text(rubric_text(rows, measures=f"steps: {{{measure}}}"))
    outcome = replay(place, "--epochs", "3")
    assert 0 == outcome.status, outcome.err
    found = tally(place)
    assert (5, events, missing) == (found["n"], found["events"], found["missing"])
    evidence = place.evidence("b.bundle")
    assert 15 == sum(record["kind"] == "attempt" for record in evidence)
    lost = [r["failure"]["kind"] for r in evidence if r["kind"] == "attempt" and "failure" in r]
    assert ["missing", "missing"] == lost
    assert "V2" == place.succeed("verify", "b.bundle", "--json").json["level"]


def test_repeated_answers_count_each_where_the_measure_says_trials(place: Place) -> None:
    write_suite(place.folder / "suite", numbered_rows(5))
    write_answers(place.folder, ANSWERS)
    (place.folder / "rubric.yaml").write_text(
        rubric_text(at_most("0.5"), measures=f"steps: {{{MEASURE}, unit: trial}}")
    )
    assert 0 == replay(place, "--epochs", "3").status
    found = tally(place)
    assert (15, 5, 2) == (found["n"], found["events"], found["missing"])


def test_recorded_answers_that_are_all_there_are_a_finite_pool(place: Place) -> None:
    write_answers(place.folder, {f"s{i:04}": (i < 4,) for i in range(40)})
    measure = f"steps: {{{MEASURE}, population: items_fixed}}"
    (place.folder / "rubric.yaml").write_text(rubric_text(at_most("0.1"), measures=measure))
    rows = replay(place).json["label"]["levels"][0]["rows"]
    assert [("met", "0.100000", ["finite_pool"])] == [(r["status"], r["upper"], r["flags"]) for r in rows]


def test_a_model_that_always_says_the_same_is_not_asked_twice_unless_it_was_recorded(place: Place) -> None:
    write_answers(place.folder, {f"s{i:04}": (False,) for i in range(40)})
    assert 0 == replay(place, "--epochs", "2").status  # the second answers are missing, and said to be
    assert 40 == tally(place)["missing"]


def test_a_file_that_answers_little_is_labelled_and_one_that_answers_nothing_is_not(place: Place) -> None:
    suite = load_suite(place.folder / "suite")
    first, *_ = ordered_ids("7", suite.name, suite.entries)
    write_answers(place.folder, {first: (False,)})
    assert 0 == replay(place, "--connections", "1").status
    assert (40, 39) == (tally(place)["n"], tally(place)["missing"])
    write_answers(place.folder, {"s9999": (False,)})
    nothing = replay(place, "--connections", "1", "--force")
    assert 5 == nothing.status
    assert "20 questions in a row went unanswered" in nothing.err


def test_real_answers_with_several_to_a_question_are_its_epochs_in_the_files_order(
    place: Place, shared_data: Path
) -> None:
    source = shared_data / "gptfuzz" / "responses_labeled" / "train_every10th.csv"
    if not source.is_file():
        pytest.skip("this data has no labelled answers of gptfuzz")
    given: dict[str, list[str]] = {}
    with source.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            given.setdefault(row["question"], []).append(row["Response"])
    several = sorted((q for q in given if len(given[q]) >= 3), key=int)[:12]
    assert 12 == len(several)
    write_suite(place.folder / "suite", [{"id": q, "prompt": f"Question {q}?"} for q in several])
    measure = MEASURE.replace("event: matched", "event: refusal")
    statistics = "alpha: 0.05, missing: worst_case, max_missing: 0.2, judge: {adjust: none}"
    (place.folder / "rubric.yaml").write_text(
        rubric_text(at_most("0.5"), measures=f"steps: {{{measure}, unit: trial}}", statistics=statistics)
    )
    outcome = label(
        place,
        *("--design", "fixed", "--epochs", "3", "--match-by", "id"),
        *("--column", "id=question", "--column", "output=Response"),
        model=f"replay:{source}",
    )
    assert 0 == outcome.status, outcome.err
    attempts = [r for r in place.evidence("b.bundle") if r["kind"] == "attempt"]
    kept = {(r["sample"], r["epoch"]): r.get("output", "") for r in attempts}
    wanted = {(q, epoch): given[q][epoch - 1] for q in several for epoch in (1, 2, 3)}
    same = [kept[key] == text or not text.strip() for key, text in wanted.items()]
    assert 36 == len(kept) == sum(same)
    assert 36 == tally(place)["n"]


# -- families --------------------------------------------------------------------------------------------------


def test_families_are_counted_whole_or_not_at_all(place: Place) -> None:
    rows = [row | {"family": f"f{i // 4}"} for i, row in enumerate(numbered_rows(40))]
    write_suite(place.folder / "suite", rows, fields="{id: id, prompt: prompt, family: family}")
    (place.folder / "rubric.yaml").write_text(
        rubric_text(at_most("0.8"), measures=f"steps: {{{MEASURE}, unit: family}}")
    )
    outcome = label(place, "--design", "fixed", "--limit", "22")
    assert 0 == outcome.status, outcome.err
    assert 22 == sum(record["kind"] == "attempt" for record in place.evidence("b.bundle"))
    found = tally(place)
    assert (20, 20) == (found["n"], found["n_planned"])  # five families of four; two answers stay uncounted
    assert 5 == sum(cluster[3] for cluster in found["clusters"])  # type: ignore[attr-defined]
    assert "V2" == place.succeed("verify", "b.bundle", "--json").json["level"]


def test_every_paraphrase_of_a_family_is_asked_before_the_next_family(place: Place) -> None:
    rows = [row | {"family": f"f{i % 10}"} for i, row in enumerate(numbered_rows(40))]
    write_suite(place.folder / "suite", rows, fields="{id: id, prompt: prompt, family: family}")
    label(place, "--design", "fixed")
    asked = [int(r["sample"][1:]) % 10 for r in place.evidence("b.bundle") if r["kind"] == "attempt"]
    assert 10 == sum(a != b for a, b in zip([None, *asked], asked, strict=False))
