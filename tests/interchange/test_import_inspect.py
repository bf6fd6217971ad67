"""Logs of Inspect: compression, reducers, counts that lie, cut archives, bombs, and scores that are no number."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput, VerilabelError
from verilabel.interchange.importing.detection import read_run
from verilabel.interchange.importing.judging import Judgement, judge_import
from verilabel.interchange.importing.run import ImportedRun

STORED, DEFLATED, ZSTD = 0, 8, 93


def pack(method: int, data: bytes) -> bytes:
    if method == ZSTD:
        return zstandard.ZstdCompressor().compress(data)
    if method == DEFLATED:
        squeezer = zlib.compressobj(wbits=-15)
        return squeezer.compress(data) + squeezer.flush()
    return data


def make_zip(
    members: Sequence[tuple[str, bytes]],
    method: int = DEFLATED,
    sizes: Mapping[str, int] | None = None,
    checksums: Mapping[str, int] | None = None,
) -> bytes:
    """A zip with any method; `sizes` and `checksums` state others for a member than it has."""
    body, directory = b"", b""
    for name, data in members:
        packed = pack(method, data)
        size = (sizes or {}).get(name, len(data))
        checksum = (checksums or {}).get(name, zlib.crc32(data))
        facts = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 33, checksum, len(packed), size, len(name), 0)
        directory += struct.pack("<IH", 0x02014B50, 20) + facts + struct.pack("<HHHII", 0, 0, 0, 0, len(body))
        directory += name.encode()
        body += struct.pack("<I", 0x04034B50) + facts + name.encode() + packed
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + end


def sample(name: str | int, value: Any, epoch: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "epoch": epoch,
        "input": f"What is {name}?",
        "target": "four",
        "messages": [
            {"role": "user", "content": f"What is {name}?"},
            {"role": "assistant", "content": "four"},
        ],
        "output": {
            "model": "gpt-x-1",
            "choices": [{"message": {"role": "assistant", "content": "four"}, "stop_reason": "stop"}],
            "usage": {"input_tokens": 5, "output_tokens": 1},
        },
        "scores": {"match": {"value": value}},
        "events": [{"event": "sample_init"}],
        **more,
    }


def header(metrics: Mapping[str, Any], total: int, reducer: str = "mean", **dataset: Any) -> dict[str, Any]:
    listed = {name: {"name": name, "value": value, "params": {}} for name, value in metrics.items()}
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "toy",
            "model": "openai/gpt-x",
            "created": "2026-01-01T00:00:00+00:00",
            "dataset": {"name": "toy", **dataset},
            "config": {"epochs_reducer": [reducer]},
            "packages": {"inspect_ai": "0.3.200"},
        },
        "plan": {"config": {"temperature": 0.5}},
        "results": {
            "total_samples": total,
            "completed_samples": total,
            "scores": [{"name": "match", "scorer": "match", "metrics": listed}],
        },
    }


def write_eval(
    path: Path, head: Mapping[str, Any] | None, samples: Sequence[dict[str, Any]], method: int = DEFLATED
) -> Path:
    members = [(f"samples/{s['id']}_epoch_{s['epoch']}.json", json.dumps(s).encode()) for s in samples]
    if head is not None:
        members.append(("header.json", json.dumps(head).encode()))
    path.write_bytes(make_zip(members, method))
    return path


def read_eval(tmp_path: Path, head: Mapping[str, Any], samples: Sequence[dict[str, Any]]) -> ImportedRun:
    return read_run(write_eval(tmp_path / "log.eval", head, samples))


def judge(
    tmp_path: Path, head: Mapping[str, Any], samples: Sequence[dict[str, Any]], **options: bool
) -> Judgement:
    return judge_import(read_eval(tmp_path, head, samples), **options)


FOUR = [sample(i, value) for i, value in enumerate(["C", "I", "P", "N"])]


@pytest.mark.parametrize("method", [STORED, DEFLATED, ZSTD])
def test_a_log_reads_the_same_however_it_is_compressed(tmp_path: Path, method: int) -> None:
    path = write_eval(tmp_path / "log.eval", header({"accuracy": 0.375}, 4), FOUR, method)
    run = read_run(path)
    assert ["C", "I", "P", "N"] == [record.scores["match"].raw for record in run.records]
    assert judge_import(run).evidenced
    assert (("user", "What is 0?"),) == run.records[0].messages
    assert ("four", "stop", "gpt-x-1", (5, 1)) == (
        run.records[0].output,
        run.records[0].finish,
        run.records[0].model,
        run.records[0].usage,
    )


def test_a_record_is_digested_over_its_exact_bytes(tmp_path: Path) -> None:
    run = read_eval(tmp_path, header({}, 4), FOUR)
    expected = ["sha256:" + hashlib.sha256(json.dumps(s).encode()).hexdigest() for s in FOUR]
    assert expected == [record.sha256 for record in run.records]


def test_a_json_log_says_the_same_as_an_archive(tmp_path: Path) -> None:
    head = header({"accuracy": 0.375, "stderr": 0.23935677693908453}, 4)
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**head, "samples": FOUR}))
    from_json, from_archive = read_run(path), read_eval(tmp_path, head, FOUR)
    assert from_archive.records == from_json.records
    assert from_archive.metrics == from_json.metrics
    assert judge_import(from_json).evidenced


def test_a_headline_that_the_samples_contradict_shows_both_numbers(tmp_path: Path) -> None:
    judgement = judge(tmp_path, header({"accuracy": 0.5}, 4), FOUR)
    assert "contradicts" == judgement.findings[0].verdict
    assert ("accuracy match: claimed 0.5, the records give 0.3750",) == judgement.reasons[:1]


@pytest.mark.parametrize(
    ("reducer", "accuracy"),
    [  # three samples asked four times: CCII, CIII, CCCC
        ("mean", 7 / 12),
        ("mode", 2 / 3),  # C comes first where C and I are equally frequent
        ("max", 1.0),
        ("median", 0.5),
        ("at_least_2", 2 / 3),
        ("pass_at_2", (5 / 6 + 1 / 2 + 1) / 3),
        ("pass_k_2", (1 / 6 + 0 + 1) / 3),
    ],
)
def test_repeated_answers_are_reduced_as_the_tool_does(tmp_path: Path, reducer: str, accuracy: float) -> None:
    answers = {"a": "CCII", "b": "CIII", "c": "CCCC"}
    samples = [sample(name, v, epoch) for name, word in answers.items() for epoch, v in enumerate(word, 1)]
    judgement = judge(tmp_path, header({"accuracy": accuracy}, 12, reducer), samples)
    assert "agrees" == judgement.findings[0].verdict
    bounds = judgement.findings[0].bounds
    assert bounds is not None
    assert (3, 1, 3) == (bounds.items, bounds.events_every_time, bounds.events_at_least_once)


def test_an_unknown_reduction_is_not_guessed(tmp_path: Path) -> None:
    judgement = judge(tmp_path, header({"accuracy": 0.375}, 4, "of_my_own"), FOUR)
    assert "not_recomputable" == judgement.findings[0].verdict
    assert "of_my_own" in judgement.findings[0].reason


@pytest.mark.parametrize("form", ["eval", "json"])
@pytest.mark.parametrize("word", ["NaN", "Infinity"])
def test_a_score_that_is_no_number_is_unscored_and_never_counted(
    tmp_path: Path, form: str, word: str
) -> None:
    samples = [sample(0, "C"), sample(1, "I"), sample(2, float(word.replace("Infinity", "inf").lower()))]
    head = header({"accuracy": 0.5}, 3)
    path = tmp_path / f"log.{form}"
    if form == "json":
        path.write_text(json.dumps({**head, "samples": samples}))
    else:
        write_eval(path, head, samples)
    judgement = judge_import(read_run(path))
    score = judgement.run.records[2].scores["match"]
    assert (None, "the score is nan" if word == "NaN" else "the score is inf") == (score.number, score.reason)
    assert "four" == judgement.run.records[2].output
    assert "agrees" == judgement.findings[0].verdict
    assert judgement.findings[0].bounds is not None
    assert 1 == judgement.findings[0].bounds.missing


def test_scores_that_are_words_are_not_made_into_numbers(tmp_path: Path) -> None:
    judgement = judge(tmp_path, header({"accuracy": 0.5}, 2), [sample(0, "good"), sample(1, "bad")])
    assert "not_recomputable" == judgement.findings[0].verdict


def test_two_records_of_one_sample_and_epoch_are_named(tmp_path: Path) -> None:
    judgement = judge(tmp_path, header({"accuracy": 1.0}, 2), [sample("a", "C"), sample("a", "C")])
    assert "1 records stand twice, the first sample 'a' epoch 1" in judgement.reasons


def test_a_header_that_states_more_samples_than_the_log_holds_is_only_claimed(tmp_path: Path) -> None:
    judgement = judge(tmp_path, header({"accuracy": 1.0}, 2340), [sample("a", "C")])
    assert "partial: 1 of 2,340 records are in the log" == judgement.findings[0].reason
    assert not judgement.evidenced


def test_a_headline_that_no_missing_sample_could_save_is_contradicted(tmp_path: Path) -> None:
    judgement = judge(tmp_path, header({"accuracy": 0.99}, 4), [sample("a", "I"), sample("b", "I")])
    assert "contradicts" == judgement.findings[0].verdict
    assert "whatever the others say" in judgement.findings[0].reason


def test_a_part_of_a_data_set_is_claimed_until_the_part_itself_is_meant(tmp_path: Path) -> None:
    head = header({"accuracy": 0.375}, 4, samples=14042)
    assert ("partial: 4 of 14,042 samples of the data set are in the log",) == judge(
        tmp_path, head, FOUR
    ).reasons
    assert judge(tmp_path, head, FOUR, part_is_meant=True).evidenced


def test_samples_that_the_header_names_and_the_log_lacks_are_counted(tmp_path: Path) -> None:
    head = header({"accuracy": 0.375}, 4, sample_ids=[0, 1, 2, 3, 4])
    assert "the header names 1 samples that are not in the log" in judge(tmp_path, head, FOUR).reasons


def test_failed_samples_count_as_missing_on_both_sides(tmp_path: Path) -> None:
    failed = sample(4, "C", error={"message": "timed out"})
    failed["scores"] = None
    head = header({"accuracy": 0.375}, 5)
    head["results"]["completed_samples"] = 4
    judgement = judge(tmp_path, head, [*FOUR, failed])
    assert "timed out" == judgement.run.records[4].error
    assert judgement.evidenced
    samples = [sample(i, "C") for i in range(4)]
    head = header({"accuracy": 1.0}, 5)
    head["results"]["completed_samples"] = 4
    bounds = judge(tmp_path, head, [*samples, failed]).findings[0].bounds
    assert bounds is not None
    assert (5, 1, "1.000000") == (bounds.items, bounds.missing, str(bounds.upper))


def test_an_unfinished_run_is_only_claimed(tmp_path: Path) -> None:
    head = header({"accuracy": 0.375}, 4)
    head["status"] = "cancelled"
    assert "the run ended with status 'cancelled'" in judge(tmp_path, head, FOUR).reasons
    members = [("_journal/start.json", json.dumps(header({}, 0)).encode())]
    path = tmp_path / "crashed.eval"
    path.write_bytes(make_zip(members))
    assert "the log has no header: the run was not finished" in judge_import(read_run(path)).reasons


def test_a_newer_log_is_refused_rather_than_misread(tmp_path: Path) -> None:
    head = header({"accuracy": 0.375}, 4)
    head["version"] = 3
    with pytest.raises(MalformedInput, match="schema version 3"):
        read_eval(tmp_path, head, FOUR)


def test_texts_that_are_kept_aside_are_put_back(tmp_path: Path) -> None:
    kept = sample("a", "C", attachments={"abc": "a long question"})
    kept["messages"][0]["content"] = "attachment://abc"
    (record,) = read_eval(tmp_path, header({}, 1), [kept]).records
    assert "a long question" == record.prompt
    assert record.is_plain_text


def test_tool_calls_are_not_passed_off_as_text(tmp_path: Path) -> None:
    agent = sample("a", "C")
    agent["messages"].insert(1, {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]})
    agent["messages"].insert(2, {"role": "tool", "content": "42"})
    (record,) = read_eval(tmp_path, header({}, 1), [agent]).records
    assert not record.is_plain_text


def test_a_scorer_with_several_values_has_a_headline_for_each(tmp_path: Path) -> None:
    samples = [sample(i, {"a": i, "b": 1}) for i in range(2)]
    head = header({}, 2)
    head["results"]["scores"] = [
        {"name": name, "scorer": "match", "metrics": {"mean": {"name": "mean", "value": value, "params": {}}}}
        for name, value in (("a", 0.5), ("b", 1.0))
    ]
    judgement = judge(tmp_path, head, samples)
    assert ["agrees", "agrees"] == [finding.verdict for finding in judgement.findings]
    assert Fraction(1) == judgement.run.records[1].scores["match/a"].number


def test_a_header_without_the_number_of_its_samples_is_only_claimed(tmp_path: Path) -> None:
    head = header({"accuracy": 0.375}, 4)
    del head["results"]["total_samples"]
    assert ("the header does not state how many samples the run had",) == judge(tmp_path, head, FOUR).reasons


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def replaced(document: Any, at: int, value: Any) -> Any:
    """The document with its `at`-th value, in the order of reading, replaced by another."""
    seen = [0]

    def walk(item: Any) -> Any:
        seen[0] += 1
        if seen[0] == at:
            return value
        if isinstance(item, dict):
            return {key: walk(inner) for key, inner in item.items()}
        return [walk(inner) for inner in item] if isinstance(item, list) else item

    return walk(document)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(1, 40), value=JSON, in_header=st.booleans())
def test_no_value_in_a_log_breaks_the_reader(tmp_path: Path, at: int, value: Any, in_header: bool) -> None:
    head, one = header({"accuracy": 1.0}, 1), sample("a", "C", attachments={"x": "y"})
    changed = replaced(head if in_header else one, at, value)
    document = (
        {**changed, "samples": [one]}
        if in_header and isinstance(changed, dict)
        else {**head, "samples": [changed]}
    )
    path = tmp_path / "log.json"
    path.write_text(json.dumps(document))
    try:
        judge_import(read_run(path, form="inspect"))
    except VerilabelError as error:
        assert error.message


def test_zstd_without_its_package_says_what_to_install(tmp_path: Path) -> None:
    packed = write_eval(tmp_path / "zstd.eval", header({"accuracy": 0.375}, 4), FOUR, ZSTD)
    plain = write_eval(tmp_path / "deflate.eval", header({"accuracy": 0.375}, 4), FOUR, DEFLATED)
    program = (
        "import sys; sys.modules['zstandard'] = None\n"
        "from verilabel.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    ended = [
        subprocess.run(
            [sys.executable, "-c", program, "import", str(path)], capture_output=True, text=True, check=False
        )
        for path in (packed, plain)
    ]
    assert [2, 0] == [one.returncode for one in ended]
    assert "verilabel[import]" in ended[0].stderr


# -- archives that are not what they say -------------------------------------------------------------------------


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_archive_is_refused_wherever_it_is_cut(tmp_path: Path, data: st.DataObject) -> None:
    whole = write_eval(tmp_path / "whole.eval", header({"accuracy": 0.375}, 4), FOUR, ZSTD).read_bytes()
    cut = tmp_path / "cut.eval"
    cut.write_bytes(whole[: data.draw(st.integers(4, len(whole) - 1))])
    with pytest.raises(MalformedInput):
        read_run(cut)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 4000), bit=st.integers(0, 7), method=st.sampled_from([STORED, DEFLATED, ZSTD]))
def test_an_archive_with_a_flipped_bit_is_read_or_refused_and_never_breaks(
    tmp_path: Path, at: int, bit: int, method: int
) -> None:
    data = bytearray(
        write_eval(tmp_path / "x.eval", header({"accuracy": 0.375}, 4), FOUR, method).read_bytes()
    )
    data[at % len(data)] ^= 1 << bit
    path = tmp_path / "flipped.eval"
    path.write_bytes(data)
    try:
        judge_import(read_run(path, form="inspect"))
    except VerilabelError as error:
        assert error.message


@pytest.mark.parametrize("method", [DEFLATED, ZSTD])
def test_a_member_larger_than_it_states_is_refused_without_unpacking_it(tmp_path: Path, method: int) -> None:
    bomb = b" " * 50_000_000
    path = tmp_path / "bomb.eval"
    path.write_bytes(make_zip([("header.json", bomb)], method, {"header.json": 100}))
    with pytest.raises(MalformedInput, match="size and checksum"):
        read_run(path)


@pytest.mark.parametrize("method", [STORED, DEFLATED, ZSTD])
def test_a_member_that_is_not_of_its_checksum_is_refused(tmp_path: Path, method: int) -> None:
    head = json.dumps(header({}, 0)).encode()
    path = tmp_path / "x.eval"
    path.write_bytes(make_zip([("header.json", head)], method, checksums={"header.json": 1}))
    with pytest.raises(MalformedInput, match="size and checksum"):
        read_run(path)


@pytest.mark.parametrize("method", [DEFLATED, ZSTD])
def test_a_member_that_goes_on_after_its_stated_end_is_refused(tmp_path: Path, method: int) -> None:
    head = json.dumps(header({}, 0)).encode()
    stated = {"header.json": len(head)}
    path = tmp_path / "x.eval"
    members = [("header.json", head + b" and more")]
    path.write_bytes(make_zip(members, method, stated, {"header.json": zlib.crc32(head)}))
    with pytest.raises(MalformedInput, match="size and checksum"):
        read_run(path)


def test_a_member_that_states_too_large_a_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.eval"
    path.write_bytes(make_zip([("header.json", b"{}")], DEFLATED, {"header.json": 2**31}))
    with pytest.raises(LimitExceeded):
        read_run(path)


def test_two_headers_are_refused(tmp_path: Path) -> None:
    head = json.dumps(header({}, 0)).encode()
    path = tmp_path / "x.eval"
    path.write_bytes(make_zip([("header.json", head), ("header.json", head)]))
    with pytest.raises(MalformedInput, match="twice"):
        read_run(path)


def test_an_archive_of_something_else_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(MalformedInput, match="no Inspect log"):
        read_run(path)


@pytest.mark.parametrize("place", ["header", "sample"])
def test_nesting_without_end_is_refused(tmp_path: Path, place: str) -> None:
    deep = b'{"x":' * 100_000 + b"1" + b"}" * 100_000
    head = deep if place == "header" else json.dumps(header({}, 1)).encode()
    body = b'{"id":1,"epoch":1,"metadata":' + deep + b"}" if place == "sample" else b'{"id":1}'
    path = tmp_path / "x.eval"
    path.write_bytes(make_zip([("samples/1_epoch_1.json", body), ("header.json", head)]))
    with pytest.raises(MalformedInput):
        read_run(path)
