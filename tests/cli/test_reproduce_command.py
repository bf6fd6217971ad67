"""`verilabel reproduce`: the bundle's own plan again and nothing else; what is not here is named before any request."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from small_runs import Place, at_most, numbered_rows, open_place, rubric_text, write_suite

MODEL = "simulated:rate=0.1,seed=3"
SMALL = rubric_text(at_most("0.5"), bind="provider_model, params, system_prompt, use_case, guardrails")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite, a rubric and a bundle of every choice that a plan can hold."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        place = open_place(folder, patch)
        write_suite(folder / "suite", numbered_rows(60))
        (folder / "rubric.yaml").write_text(SMALL)
        (folder / "filter.json").write_text("{}")
        measured = ("--suite", "./suite", "--rubric", "rubric.yaml", "--design", "fixed", "--limit", "40")
        system = (
            "--model",
            MODEL,
            "--name",
            "bot",
            "--param",
            "temperature=0.3",
            "--system-prompt",
            "Be brief.",
        )
        more = (
            "--use-case",
            "tests",
            "--guardrail",
            "filter=filter.json",
            "--epochs",
            "2",
            "--max-attempts",
            "3",
        )
        place.succeed("label", *system, *more, *measured, "--out", "theirs.bundle", "--quiet")
    return folder


@pytest.fixture
def place(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return open_again(tmp_path, monkeypatch)


def open_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VERILABEL_HOME", str(folder / "home"))
    return Place(folder)


WITH = ("--model", MODEL, "--suite", "./suite", "--guardrail", "filter=filter.json", "--quiet")


def plan_of(bundle: str) -> dict[str, object]:
    plan: dict[str, object] = json.loads((Path(bundle) / "plan" / "plan.json").read_text())
    return plan


def test_the_same_plan_is_carried_out_again(place: Place) -> None:
    done = place.run("reproduce", "theirs.bundle", *WITH, "--out", "mine.bundle", "--margin", "0.3")
    assert 0 == done.status, done.out + done.err
    assert done.out.startswith("replicated (margin 0.3, alpha 0.05)\nlabel confirmed")
    ours, theirs = plan_of("mine.bundle"), plan_of("theirs.bundle")
    assert {"created"} >= {key for key in theirs if ours[key] != theirs[key]}
    assert "V2 recomputed" in place.succeed("verify", "mine.bundle").out
    assert not Path("mine.bundle.run").exists()


def test_another_order_can_be_asked_for(place: Place) -> None:
    done = place.run("reproduce", "theirs.bundle", *WITH, "--out", "mine.bundle", "--seed", "mine", "--json")
    assert done.status in (0, 8), done.err
    assert ("mine", 2) == (plan_of("mine.bundle")["seed"], plan_of("mine.bundle")["streams"][0]["epochs"])  # type: ignore[index]
    measure = done.json["measures"][0]
    assert 0 < measure["items"] < 40
    assert measure["identical"] == measure["items"]


def test_a_model_that_answers_otherwise_is_not_replicated(place: Place) -> None:
    rubric = rubric_text(at_most("0.5"), bind="params")
    Path("open.yaml").write_text(rubric)
    measured = ("--suite", "./suite", "--rubric", "open.yaml", "--design", "fixed")
    place.succeed("label", "--model", MODEL, *measured, "--out", "open.bundle", "--quiet")
    changed = ("--model", "simulated:rate=0.8,seed=3", "--suite", "./suite", "--quiet")
    done = place.run("reproduce", "open.bundle", *changed, "--out", "mine.bundle")
    assert 1 == done.status
    assert done.out.startswith("not replicated")
    assert "label contradicted" in done.out


def test_another_scope_is_refused_before_anything_is_asked(place: Place) -> None:
    for options, key in (
        (("--model", "simulated:rate=0.2,seed=3"), "provider_model"),
        (("--model", MODEL, "--param", "temperature=0.9"), "params"),
        (("--model", MODEL, "--use-case", "other"), "use_case"),
        (("--model", MODEL, "--system-prompt", "Be long."), "system_prompt"),
    ):
        rest = ("--suite", "./suite", "--guardrail", "filter=filter.json", "--quiet", "--out", "mine.bundle")
        done = place.run("reproduce", "theirs.bundle", *options, *rest)
        assert (1, False) == (done.status, Path("mine.bundle.run").exists())
        assert f"the systems differ in {key}" in done.err


def test_a_guardrail_that_is_not_given_is_named_with_its_option(place: Place) -> None:
    done = place.run(
        "reproduce", "theirs.bundle", "--model", MODEL, "--suite", "./suite", "--out", "mine.bundle"
    )
    assert 1 == done.status
    assert "the systems differ in guardrails" in done.err
    assert "the bundle's guardrails: filter (--guardrail NAME=FILE)" in done.err


def test_a_suite_that_is_not_here_is_named(place: Place) -> None:
    without = [word for word in WITH if word not in ("--suite", "./suite")]
    done = place.run("reproduce", "theirs.bundle", *without, "--out", "mine.bundle")
    assert 2 == done.status
    assert "not here under the bundle's digest: test/harm@1.0.0 (sha256:" in done.err
    assert not Path("mine.bundle.run").exists()


def test_another_suite_of_the_same_name_is_refused(place: Place) -> None:
    write_suite(Path("suite"), numbered_rows(61))
    done = place.run("reproduce", "theirs.bundle", *WITH, "--out", "mine.bundle")
    assert 2 == done.status
    assert "the bundle asked sha256:" in done.err
    assert not Path("mine.bundle.run").exists()


def test_a_bundle_that_was_changed_is_not_reproduced(place: Place) -> None:
    path = Path("theirs.bundle/records/evidence.jsonl")
    path.write_bytes(path.read_bytes().replace(b"brief", b"grief", 1))
    done = place.run("reproduce", "theirs.bundle", *WITH, "--out", "mine.bundle")
    assert (4, False) == (done.status, Path("mine.bundle.run").exists())


def test_a_detector_with_other_measured_errors_is_named(place: Place) -> None:
    import msgspec

    from verilabel.errors import UsageError
    from verilabel.evaluation.reproducing import read_reproducible, require_same_plan

    source = read_reproducible(Path("theirs.bundle"))
    (card,) = source.plan.detectors
    for changes, said in (
        ({"sha256": "sha256:" + "0" * 64}, "here has other rules"),
        ({"exact": False}, "here has other measured errors"),
        ({"version": "9.9.9"}, "this program has no detector"),
    ):
        other = msgspec.structs.replace(source.plan, detectors=(msgspec.structs.replace(card, **changes),))
        with pytest.raises(UsageError, match=said):
            require_same_plan(source, other)
    shorter = msgspec.structs.replace(source.plan.streams[0], limit=5)
    with pytest.raises(UsageError, match="other streams come out"):
        require_same_plan(source, msgspec.structs.replace(source.plan, streams=(shorter,)))


def test_nothing_is_overwritten(place: Place) -> None:
    done = place.run("reproduce", "theirs.bundle", *WITH, "--out", "theirs.bundle")
    assert 2 == done.status
    assert "there is something here already" in done.err


def test_reproduced_by_another_party_and_signed_it_is_v3(place: Place) -> None:
    place.succeed("keys", "new", "--name", "second")
    place.run("reproduce", "theirs.bundle", *WITH, "--seed", "2", "--key", "second", "--out", "mine.bundle")
    signing = ("--key", "second", "--independence", "we ran it ourselves", "--out", "r.json")
    done = place.run("replicate", "theirs.bundle", "mine.bundle", "--margin", "0.3", *signing)
    assert 0 == done.status, done.out + done.err
    keys = {name: place.succeed("keys", "export", name).out.strip() for name in ("default", "second")}
    Path("trust.yaml").write_text(
        "format: verilabel/trust/v1\naccept:\n  any:\n"
        f"    - {{key: {keys['default']!r}, name: First, roles: [labels]}}\n"
        f"    - {{key: {keys['second']!r}, name: Second, roles: [replications]}}\n"
    )
    check = ("verify", "theirs.bundle", "--statements", "r.json", "--trust", "trust.yaml")
    assert "; V3 replicated; current" in place.succeed(*check, "--replica", "mine.bundle").out


def test_a_bundle_starts_no_program_of_its_own_choosing(place: Place) -> None:
    """Its card names a judge that is a command: whoever reproduces it would run what the issuer wrote there."""
    Path("judge.sh").write_text("touch started; cat\n")
    judge = "judge:command:sh judge.sh"
    measure = "harm: {suite: test/harm@1, estimand: proportion, event: harmful, direction: lower_is_safer}"
    Path("hostile.yaml").write_text(rubric_text(at_most("0.9", "harm"), measures=measure))
    measured = ("--model", MODEL, "--suite", "./suite", "--quiet")
    label = ("label", *measured, "--design", "fixed", "--limit", "5", "--rubric")
    place.succeed(*label, "hostile.yaml", "--detector", f"harmful={judge}", "--out", "hostile.bundle")
    assert Path("started").exists()
    Path("started").unlink()
    done = place.run("reproduce", "hostile.bundle", *measured, "--out", "mine.bundle")
    assert (2, False) == (done.status, Path("started").exists())
    assert "would run a program here" in done.err
    assert not Path("mine.bundle").exists()
    chosen = place.run(
        *("reproduce", "hostile.bundle", *measured, "--detector", f"harmful={judge}", "--out", "mine.bundle")
    )
    assert (True, True) == (chosen.status in (0, 8), Path("started").exists())
    Path("started").unlink()
    for other in (judge, "judge:replay:judge.sh", "llama-guard:m@http://127.0.0.1:9/v1"):
        scored = measure.replace("event: harmful", f"event: harmful, scorer: '{other}'")
        Path("scored.yaml").write_text(rubric_text(at_most("0.9", "harm"), measures=scored))
        refused = place.run(*label, "scored.yaml", "--out", "scored.bundle")
        assert (2, False) == (refused.status, Path("started").exists())
        assert "--detector EVENT=NAME" in refused.err
