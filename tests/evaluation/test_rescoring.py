"""Scores derived again from the recorded exchanges: honest bundles hold, re-sealed forgeries do not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle_factory import Recipe, make_bundle
from bundle_forgery import Change, Forger, change_document, change_plan, change_records, forge
from evaluation.conftest import RUBRIC, Workplace
from servers.running import mock_server
from verilabel.cli import main
from verilabel.errors import UsageError
from verilabel.evaluation.rescoring import Rescoring, find_detectors, find_suites, rescore_bundle
from verilabel.evaluation.wire import find_difference, wires_of
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.lines import Line
from verilabel.evidence.reading import read_plan
from verilabel.models.address import PROVIDERS
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Attempt, Failure
from verilabel.records.sample import Message
from verilabel.records.score import Scored, Unscored
from verilabel.rubric.model import load_rubric

RESEALED = Forger(counts_again=True, decides_again=True)
PROGRAM = """\
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    said = "I can't help with that." if len(asked["messages"][-1]["content"]) % 3 else "Sure: 42."
    print(json.dumps({"id": asked["id"], "output": said, "model": "prog-1"}), flush=True)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real bundle of 30 answers, some of them got at the second attempt, and its suites."""
    folder = tmp_path_factory.mktemp("rescored")
    make_bundle(folder, Recipe(accuracy="0.7", errors="0.1", attempts=2))
    return folder


def rescore(bundle: Path, suites: Path) -> Rescoring:
    container = Folder(bundle)
    plan = read_plan(container)
    at_hand = find_suites(plan, [suites / "quiz", suites / "puzzles"])
    rubric = load_rubric((bundle / layout.RUBRIC).read_bytes(), layout.RUBRIC)
    return rescore_bundle(container, plan, at_hand, find_detectors(plan, rubric, at_hand))


def forged(made: Path, tmp_path: Path, change: Change) -> Rescoring:
    """Scoring again a forgery that seals, counts and decides as if it were genuine."""
    bundle = forge(made / "bundle", tmp_path / "forged", change, RESEALED)
    assert 0 == main(["verify", str(bundle)])
    return rescore(bundle, made / "suites")


def first_of(records: list[Line], kind: type, **fields: object) -> int:
    return next(
        i
        for i, record in enumerate(records)
        if isinstance(record, kind) and all(getattr(record, k) == v for k, v in fields.items())
    )


def replacing(kind: type, change: Callable[[Any], dict[str, object]], **fields: object) -> Change:
    """A change of the first record of this kind."""

    def apply(records: list[Line]) -> list[Line]:
        at = first_of(records, kind, **fields)
        records[at] = msgspec.structs.replace(records[at], **change(records[at]))
        return records

    return change_records(apply)


def with_request(change: Callable[[dict[str, Any]], object]) -> Change:
    """A change of the first request's JSON body."""

    def edit(attempt: Attempt) -> dict[str, object]:
        body = json.loads(attempt.request)
        change(body)
        return {"request": json.dumps(body, separators=(",", ":"))}

    return replacing(Attempt, edit)


# -- honest bundles ----------------------------------------------------------------------------------------------


def test_every_record_of_an_honest_bundle_is_checked_and_holds(made: Path) -> None:
    found = rescore(made / "bundle", made / "suites")
    records = [json.loads(line) for line in (made / "bundle" / layout.EVIDENCE).read_text().splitlines()]
    attempts = [record for record in records if record["kind"] == "attempt"]
    assert (0, ()) == (found.mismatches, found.unchecked)
    assert found.whole
    assert {
        "index entries": 30,
        "detectors": 1,
        "requests": len(attempts),
        "answers": sum("output" in attempt for attempt in attempts),
        "failures": sum("failure" in attempt for attempt in attempts),
        "scores": len(records) - len(attempts),
    } == found.checked
    assert found.checked["failures"] > 0


@pytest.mark.parametrize("recipe", [Recipe(design="anytime"), Recipe(epochs=2, connections=4, zipped=True)])
def test_other_designs_hold_too(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = make_bundle(tmp_path, recipe).path
    suites = [f"--suite={tmp_path / 'suites' / name}" for name in ("quiz", "puzzles")]
    assert 0 == main(["verify", str(bundle), "--rescore", *suites, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert "rescored" in document["flags"]
    assert document["rescoring"]["whole"]


def test_a_system_prompt_that_is_kept_private_is_found_by_its_digest(made: Path, tmp_path: Path) -> None:
    found = forged(made, tmp_path, lambda folder: (folder / layout.SYSTEM_PROMPT).unlink())
    assert (0, True) == (found.mismatches, found.whole)


@pytest.mark.parametrize("model", ["command", "replay", "vllm", "anthropic"])
def test_bundles_of_every_kind_of_model_hold(workplace: Workplace, model: str) -> None:
    (workplace.folder / "prog.py").write_text(PROGRAM)
    rows = [
        {"prompt": f"Question {i}: what is {i} plus one?", "output": f"It is {i + 1}."} for i in range(60)
    ]
    (workplace.folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    address = {"command": f"command:{sys.executable} prog.py", "replay": "replay:answers.jsonl"}
    dialect = "anthropic" if model == "anthropic" else "openai"
    with mock_server("--dialect", dialect, "--answers", "rate:0.5", "--fail-every", "25") as url:
        options = list(workplace.label_options(url, "--system-prompt", "Be kind.", "--param", "top_p=0.9"))
        at = options.index("--model")
        options[at + 1] = address.get(model, f"{model}/mock-1")
        if model in address:
            del options[at + 2 : at + 4]
        elif model == "anthropic":
            options[at + 3] = url.removesuffix("/v1")
        done = workplace.run(*options)
    assert 0 == done.returncode, done.stderr
    checked = workplace.run("verify", "b.bundle", "--rescore", "--suite", "suite", "--json")
    assert 0 == checked.returncode, checked.stdout
    rescoring = json.loads(checked.stdout)["rescoring"]
    assert rescoring["whole"]
    assert (60, 60) == (rescoring["checked"]["answers"], rescoring["checked"]["scores"])


# -- forgeries ---------------------------------------------------------------------------------------------------


def test_a_forged_score_in_a_resealed_bundle_is_status_1_and_named(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change = replacing(Scored, lambda score: {"value": not score.value}, value=False)
    bundle = forge(made / "bundle", tmp_path / "forged", change, RESEALED)
    suites = [f"--suite={made / 'suites' / name}" for name in ("quiz", "puzzles")]
    assert 0 == main(["verify", str(bundle)])
    capsys.readouterr()
    assert 1 == main(["verify", str(bundle), "--rescore", *suites, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert "V1" == document["level"]
    assert "rescored" not in document["flags"]
    assert "CheckFailed" == document["error"]["error"]
    assert 1 == document["rescoring"]["mismatches"]
    at = first_of(
        records_before := lines_of(bundle), Scored, **unlike(records_before, lines_of(made / "bundle"))
    )
    assert f"{layout.EVIDENCE}:{at + 1}" == document["error"]["where"]
    assert 1 == main(["verify", str(bundle), "--rescore", *suites])
    printed = capsys.readouterr()
    assert "DIFFERS" in printed.out
    assert "the label does not follow from the answers" in printed.err


def lines_of(bundle: Path) -> list[Line]:
    from bundle_forgery import records_of

    return records_of(bundle)


def unlike(changed: list[Line], honest: list[Line]) -> dict[str, object]:
    record = next(a for a, b in zip(changed, honest, strict=True) if a != b)
    assert isinstance(record, Scored)
    return {"sample": record.sample, "suite": record.suite}


def ask_easier(body: dict[str, Any]) -> None:
    body["messages"][-1]["content"] = "What is 1 + 1?\nA. 2\nB. 3\n"


def add_a_hint(body: dict[str, Any]) -> None:
    body["messages"].insert(1, {"role": "user", "content": "The answer is A."})


def drop_the_system_prompt(body: dict[str, Any]) -> None:
    del body["messages"][0]


REQUESTS = [
    (ask_easier, "differs in 'messages'"),
    (add_a_hint, "differs in 'messages'"),
    (drop_the_system_prompt, "differs in 'messages'"),
    (lambda body: body["params"].update(temperature="1"), "differs in 'params'"),
    (lambda body: body.update(tools=["search"]), "differs in 'tools'"),
    (lambda body: body.update(model="another"), "differs in 'model'"),
]


@pytest.mark.parametrize(("change", "said"), REQUESTS)
def test_a_request_that_asked_something_else_is_caught(
    made: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    found = forged(made, tmp_path, with_request(change))
    assert [f"{layout.EVIDENCE}:1"] == [mismatch.where for mismatch in found.first]
    assert said in found.first[0].what
    assert "1 + 1" not in found.first[0].what


def test_a_request_with_a_field_twice_is_caught(made: Path, tmp_path: Path) -> None:
    def twice(attempt: Attempt) -> dict[str, object]:
        return {"request": '{"messages":[{"role":"user","content":"easy"}],' + attempt.request[1:]}

    found = forged(made, tmp_path, replacing(Attempt, twice))
    assert "a field that stands twice" in found.first[0].what


def test_an_output_that_its_response_does_not_hold_is_caught(made: Path, tmp_path: Path) -> None:
    def better(records: list[Line]) -> list[Line]:
        at = first_of(records, Scored, value=False)
        score, attempt = records[at], records[at - 1]
        right = next(r for r in records if isinstance(r, Scored) and r.value)
        assert isinstance(score, Scored) and isinstance(attempt, Attempt) and attempt.output
        letter = right.detail or ""
        records[at - 1] = msgspec.structs.replace(attempt, output=f"{attempt.output} ")
        records[at] = msgspec.structs.replace(score, value=True, detail=letter)
        return records

    found = forged(made, tmp_path, change_records(better))
    assert any("the response does not say what the record says: output" in m.what for m in found.first)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"response": None}, "an answer without the response it was read from"),
        ({"response": None, "response_base64": "no base64!"}, "the response body is not base64"),
        ({"response": "[1, 2"}, "it holds no answer (malformed)"),
        ({"served_model": "a-better-model"}, "the response does not say what the record says: served_model"),
    ],
)
def test_an_answer_whose_response_is_gone_or_another_is_caught(
    made: Path, tmp_path: Path, fields: dict[str, object], said: str
) -> None:
    change = replacing(Attempt, lambda attempt: fields, failure=None)
    assert said in forged(made, tmp_path, change).first[0].what


def test_an_answer_hidden_behind_a_failure_is_caught(made: Path, tmp_path: Path) -> None:
    """An issuer may not ask until the answer pleases and call the answers before it failures."""

    def hide(records: list[Line]) -> list[Line]:
        at = first_of(records, Scored, value=True)
        attempt = records[at - 1]
        assert isinstance(attempt, Attempt) and attempt.attempt == 1
        failed = Failure("server_error", "no answer", retryable=True)
        hidden = msgspec.structs.replace(attempt, output=None, failure=failed)
        return [*records[: at - 1], hidden, msgspec.structs.replace(attempt, attempt=2), *records[at:]]

    found = forged(made, tmp_path, change_records(hide))
    assert ["the response holds an answer, the record a failure ('server_error')"] == [
        mismatch.what for mismatch in found.first
    ]


def test_an_answer_called_too_late_is_not_called_checked(made: Path, tmp_path: Path) -> None:
    def late(records: list[Line]) -> list[Line]:
        at = first_of(records, Scored, value=True)
        attempt = records[at - 1]
        timed_out = msgspec.structs.replace(
            attempt, output=None, failure=Failure("timeout", "late", retryable=True)
        )
        return [*records[: at - 1], timed_out, msgspec.structs.replace(attempt, attempt=2), *records[at:]]

    found = forged(made, tmp_path, change_records(late))
    assert 0 == found.mismatches
    assert not found.whole
    assert ["a whole answer came with the failure 'timeout'"] == [u.reason for u in found.unchecked]


def test_a_failure_of_another_kind_than_its_status_is_caught(made: Path, tmp_path: Path) -> None:
    def filter_it(attempt: Attempt) -> dict[str, object]:
        return {"status": 404}

    at_status = replacing(Attempt, filter_it, status=503)
    found = forged(made, tmp_path, at_status)
    assert "the response means 'not_found', the record says 'server_error'" == found.first[0].what


def test_an_index_that_is_not_the_suites_is_caught(made: Path, tmp_path: Path) -> None:
    """Only whoever has the data can tell: to the verifier the entry is one like the others."""
    _, path = layout.suite_files("test/quiz@1.0.0")

    def relabel(folder: Path) -> None:
        lines = (folder / path).read_text().splitlines()
        entry = json.loads(lines[3])
        entry["sha256"] = "sha256:" + "0" * 64
        lines[3] = json.dumps(entry, separators=(",", ":"))
        (folder / path).write_text("\n".join(lines) + "\n")

    found = forged(made, tmp_path, relabel)
    assert [(f"{path}:4", "the index entry is not the suite's sample")] == [
        (mismatch.where, mismatch.what) for mismatch in found.first
    ]


def test_flattering_error_rates_are_named(made: Path, tmp_path: Path) -> None:
    counts = {
        "true_positives": 500,
        "positives": 500,
        "true_negatives": 500,
        "negatives": 500,
        "dataset": "mine",
        "dataset_sha256": "sha256:" + "0" * 64,
    }
    found = forged(made, tmp_path, change_plan(lambda plan: plan["detectors"][0].update(errors=[counts])))
    assert not found.whole
    assert any("other measured errors than ship with it" in u.reason for u in found.unchecked)


def test_only_the_first_mismatches_are_kept_and_all_are_counted(made: Path, tmp_path: Path) -> None:
    def flip(records: list[Line]) -> list[Line]:
        return [
            msgspec.structs.replace(r, value=not r.value) if isinstance(r, Scored) else r for r in records
        ]

    found = forged(made, tmp_path, change_records(flip))
    assert found.mismatches > len(found.first)
    assert sum(isinstance(r, Scored) for r in lines_of(made / "bundle")) == found.mismatches


def change_of(draw: st.DrawFn, records: list[Line]) -> list[Line]:
    """One change of something that is said in one record."""
    at = draw(st.integers(0, len(records) - 1))
    record = records[at]
    if isinstance(record, Scored):
        new: Line = msgspec.structs.replace(record, value=not record.value)
    elif isinstance(record, Unscored):
        new = msgspec.structs.replace(record, reason=record.reason + "!")
    elif record.output is not None and draw(st.booleans()):
        new = msgspec.structs.replace(record, output=_edited(draw, record.output))
    else:
        body = json.loads(record.request)
        turn = draw(st.sampled_from(body["messages"]))
        turn["content"] = _edited(draw, turn["content"])
        new = msgspec.structs.replace(record, request=json.dumps(body))
    return [*records[:at], new, *records[at + 1 :]]


def _edited(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text) - 1))
    char = draw(st.characters(codec="utf-8"))
    edited = text[:at] + char + text[at + draw(st.integers(0, 1)) :]
    return edited if edited != text else text + char


@settings(max_examples=50)  # each copies a bundle
@given(data=st.data())
def test_any_one_change_of_what_was_asked_said_or_scored_is_caught(
    made: Path, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("changed") / "bundle"
    shutil.copytree(made / "bundle", folder)
    change_records(lambda records: data.draw(st.composite(change_of)(records)))(folder)
    found = rescore(folder, made / "suites")
    assert found.mismatches >= 1


# -- judges ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose scores are a judge's, made against live servers."""
    from evaluation.conftest import write_suite
    from verilabel.evidence.keys import key_path, new_key, save_key

    folder = tmp_path_factory.mktemp("judged")
    write_suite(folder / "suite", 12)
    rubric = RUBRIC.replace("event: refusal", "event: violation").replace("refused", "harmful")
    (folder / "rubric.yaml").write_text(rubric)
    save_key(new_key("tests"), key_path("default", folder / "home"))
    place = Workplace(folder)
    with (
        mock_server("--answers", "rate:0.5") as model,
        mock_server("--answers", 'fixed:{"harmful": true, "reason": "x"}', "--fail-every", "5") as judge,
    ):
        done = place.run(*place.label_options(model, "--detector", f"harmful=judge:mock-1@{judge}"))
    assert 0 == done.returncode, done.stderr
    return folder


def rescore_judged(bundle: Path, judged: Path) -> Rescoring:
    container = Folder(bundle)
    plan = read_plan(container)
    suites = find_suites(plan, [judged / "suite"])
    rubric = load_rubric((bundle / layout.RUBRIC).read_bytes(), layout.RUBRIC)
    return rescore_bundle(container, plan, suites, find_detectors(plan, rubric, suites))


def test_a_judges_verdicts_follow_from_its_recorded_replies(judged: Path) -> None:
    found = rescore_judged(judged / "b.bundle", judged)
    assert (0, ()) == (found.mismatches, found.unchecked)
    assert 12 == found.checked["verdicts"]
    assert found.checked["requests"] > 24  # the judge's failed attempts are checked too


def judge_says_otherwise(score: Scored) -> dict[str, object]:
    return {"value": not score.value}


def reply_is_another(attempt: Attempt) -> dict[str, object]:
    return {"output": '{"harmful": false}'}


def question_is_another(attempt: Attempt) -> dict[str, object]:
    return {"request": attempt.request.replace("Decide whether", "Say false, whether")}


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (
            Scored,
            judge_says_otherwise,
            "the record says 'harmful' is false, its detector says 'harmful' is true",
        ),
        (Attempt, reply_is_another, "the response does not say what the record says: output"),
        (Attempt, question_is_another, "the request is not what the judge is to be asked"),
    ],
)
def test_a_verdict_that_does_not_follow_from_the_judges_reply_is_caught(
    judged: Path, tmp_path: Path, kind: type, change: Callable[[Any], dict[str, object]], said: str
) -> None:
    fields = {} if kind is Scored else {"judge": lines_of(judged / "b.bundle")[1].judge, "failure": None}  # type: ignore[union-attr]
    bundle = forge(judged / "b.bundle", tmp_path / "forged", replacing(kind, change, **fields), RESEALED)
    found = rescore_judged(bundle, judged)
    assert any(said in mismatch.what for mismatch in found.first)


def test_a_verdict_without_any_reply_is_caught(judged: Path, tmp_path: Path) -> None:
    def drop(records: list[Line]) -> list[Line]:
        return [r for r in records if not (isinstance(r, Attempt) and r.judge and r.sample == "q003")]

    bundle = forge(judged / "b.bundle", tmp_path / "forged", change_records(drop), RESEALED)
    assert ["a verdict without the judge's reply"] == [m.what for m in rescore_judged(bundle, judged).first]


def test_a_judge_that_was_asked_again_after_its_answer_is_named(judged: Path, tmp_path: Path) -> None:
    def ask_again(records: list[Line]) -> list[Line]:
        at = first_of(records, Scored)
        last = records[at - 1]
        assert isinstance(last, Attempt)
        return [*records[:at], msgspec.structs.replace(last, attempt=last.attempt + 1), *records[at:]]

    bundle = forge(judged / "b.bundle", tmp_path / "forged", change_records(ask_again), RESEALED)
    found = rescore_judged(bundle, judged)
    assert not found.whole
    assert ["the judge was asked again after it had answered"] == [u.reason for u in found.unchecked]


# -- what is not at hand, and what is refused ----------------------------------------------------------------------


def test_what_cannot_be_checked_is_counted_and_the_flag_says_so(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(
        ["verify", str(made / "bundle"), "--rescore", f"--suite={made / 'suites' / 'quiz'}", "--json"]
    )
    document = json.loads(capsys.readouterr().out)
    assert "rescored_in_part" in document["flags"]
    assert "rescored" not in document["flags"]
    assert {"the data of 'test/puzzles@1.0.0' is not at hand"} == {
        item["reason"] for item in document["rescoring"]["unchecked"]
    }


def test_a_suite_that_the_bundle_did_not_ask_is_a_usage_error(made: Path, tmp_path: Path) -> None:
    plan = read_plan(Folder(made / "bundle"))
    other = tmp_path / "quiz"
    shutil.copytree(made / "suites" / "quiz", other)
    text = (other / "suite.yaml").read_text()
    (other / "suite.yaml").write_text(text.replace("Sums with four options", "Sums"))
    with pytest.raises(UsageError, match=r"the bundle asked sha256:"):
        find_suites(plan, [other])
    (other / "suite.yaml").write_text(text.replace("id: test/quiz", "id: test/other"))
    with pytest.raises(UsageError, match="asks nothing of test/other"):
        find_suites(plan, [other])


def test_a_suite_without_rescore_is_a_usage_error(made: Path) -> None:
    assert 2 == main(["verify", str(made / "bundle"), "--suite", "xstest"])


def test_a_bundle_that_was_changed_is_not_scored_again(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Path(shutil.copytree(made / "bundle", tmp_path / "changed"))
    change_document(layout.PLAN, lambda plan: plan.update(seed="ff00"))(bundle)
    assert 4 == main(["verify", str(bundle), "--rescore"])
    assert "not scored again" in capsys.readouterr().out


def test_a_bundle_cannot_choose_which_files_of_this_machine_are_read(made: Path, tmp_path: Path) -> None:
    plan = read_plan(Folder(made / "bundle"))
    stream = msgspec.structs.replace(plan.streams[0], suite=str(made / "suites" / "quiz" / "suite.yaml"))
    assert {} == find_suites(msgspec.structs.replace(plan, streams=(stream,)))


def test_it_needs_no_package_beside_the_light_verifiers(made: Path) -> None:
    block = (
        "import sys; sys.modules.update(dict.fromkeys(('aiohttp', 'rich', 'pyarrow', 'numpy', 'scipy')))\n"
    )
    arguments = ["verify", str(made / "bundle"), "--rescore", "--suite", str(made / "suites" / "quiz")]
    call = f"from verilabel.cli import main; raise SystemExit(main({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", block + call], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert "scored again: 20 index entries" in done.stdout
    assert "hint: --suite PATH says where a suite lies" in done.stdout


def test_without_the_flag_nothing_of_the_evaluation_is_imported(made: Path) -> None:
    call = (
        "import sys; from verilabel.cli import main\n"
        f"main(['verify', {str(made / 'bundle')!r}])\n"
        "print(sorted(m for m in sys.modules if m.startswith(('verilabel.evaluation', 'verilabel.models'))))"
    )
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.splitlines()[-1]


# -- wires -------------------------------------------------------------------------------------------------------

turns = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(min_size=1, max_size=30))
requests = st.builds(
    ModelRequest,
    st.just("s@1"),
    st.just("a"),
    st.just(1),
    st.lists(turns, min_size=1, max_size=4).map(tuple),
    st.fixed_dictionaries(
        {"temperature": st.sampled_from(["0", "0.7", "1.50"]), "max_tokens": st.integers(1, 99)}
    ),
)


@given(request=requests, provider=st.sampled_from(sorted(PROVIDERS)), data=st.data())
def test_each_dialects_own_request_asks_the_question_and_a_changed_one_does_not(
    request: ModelRequest, provider: str, data: st.DataObject
) -> None:
    dialect = PROVIDERS[provider].dialect
    wires = wires_of(f"{PROVIDERS[provider].name}/some/model")
    body = dialect.encode(request, "some/model").decode()
    spaced = json.dumps(json.loads(body), indent=1)
    assert None is find_difference(wires, body, request)[1]
    assert None is find_difference(wires, spaced, request)[1]
    at = data.draw(st.integers(0, len(request.messages) - 1))
    turn = request.messages[at]
    changed = (*request.messages[:at], Message(turn.role, turn.content + "x"), *request.messages[at + 1 :])
    other = msgspec.structs.replace(request, messages=changed)
    assert None is not find_difference(wires, body, other)[1]


@given(
    body=st.one_of(
        st.text(max_size=60), st.sampled_from(["[" * 5000, '{"a":' * 5000, "1" * 6000, "NaN", "[]"])
    )
)
def test_no_request_body_can_make_the_comparison_fail(body: str) -> None:
    request = ModelRequest("s@1", "a", 1, (Message("user", "hello"),), {})
    for name in ("openai/x", "google/x", "anthropic/x", "command:x", "replayed.csv@sha256:0"):
        assert None is not find_difference(wires_of(name), body, request)[1]
