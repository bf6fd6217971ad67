"""Rows into samples: what each rule of `fields` makes of a row, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.sample import Message
from verilabel.suites.format import Manifest, parse_manifest
from verilabel.suites.loading import load_suite
from verilabel.suites.mapping import build_samples
from verilabel.suites.readers import read_table

MakeSuite = Callable[..., Path]


def jsonl(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def refusal(folder: Path) -> MalformedInput:
    with pytest.raises(MalformedInput) as caught:
        load_suite(folder)
    return caught.value


def test_rows_become_samples_in_the_order_of_the_data(make_suite: MakeSuite) -> None:
    fields = (
        "  id: name\n  prompt: prompt\n  system: sys\n  family: fam\n  tags: {hazard: h, kind: {const: x}}"
    )
    data = b"name,prompt,sys,fam,h\nb,Two?,Be brief.,f1,\na,One?,Be kind.,f1,vcr\n"
    first, second = load_suite(make_suite(data, fields=fields)).samples
    assert (first.id, second.id) == ("b", "a")
    assert first.messages == (Message("system", "Be brief."), Message("user", "Two?"))
    assert first.tags == {"kind": "x"}
    assert second.tags == {"hazard": "vcr", "kind": "x"}
    assert second.unit == "f1"


def test_without_an_id_the_row_number_is_one(make_suite: MakeSuite) -> None:
    suite = load_suite(
        make_suite(b"prompt\nx\ny\n", fields="  prompt: prompt\n  id: {row: true, prefix: q-}")
    )
    assert [sample.id for sample in suite.samples] == ["q-1", "q-2"]
    assert [s.id for s in load_suite(make_suite(b"prompt\nx\ny\n")).samples] == ["1", "2"]


def test_a_misspelt_column_is_named_with_those_that_exist(make_suite: MakeSuite) -> None:
    found = refusal(make_suite(b"Prompt,note\nx,y\n"))
    assert found.message == "the data has no column 'prompt'"
    assert str(found.hint) == "did you mean 'Prompt'? The columns are 'Prompt', 'note'"


@pytest.mark.parametrize(
    ("fields", "rest"),
    [
        ("  prompt: p\n  tags: {x: nope}", ""),
        ("  prompt: p\n  family: nope", ""),
        ("  prompt: p\n  choices: [p, nope]", ""),
        ("  prompt: p", "where: {nope: [a]}"),
        ("  prompt: p", "drop: {nope: [a]}"),
        ("  prompt: p", 'template: "{prompt} {nope}"'),
    ],
)
def test_a_missing_column_is_refused_wherever_it_is_named(
    make_suite: MakeSuite, fields: str, rest: str
) -> None:
    assert "'nope'" in refusal(make_suite(b"p\nx\n", fields=fields, rest=rest)).message


def test_duplicate_ids_are_refused_with_both_lines(make_suite: MakeSuite) -> None:
    found = refusal(make_suite(b"id,prompt\na,x\nb,y\na,z\n", fields="  id: id\n  prompt: prompt"))
    assert str(found.where).endswith("samples.data:4")
    assert str(found.hint).endswith("samples.data:2")


def test_an_empty_prompt_is_refused_with_its_line_and_column(make_suite: MakeSuite) -> None:
    found = refusal(make_suite(b"id,prompt\n1,x\n2,  \n"))
    assert found.message == "the prompt is empty (column 'prompt')"
    assert str(found.where).endswith("samples.data:3")


def test_where_keeps_and_drop_removes_rows(make_suite: MakeSuite) -> None:
    data = b"prompt,kind\none,a\ntwo,b\nthree,c\nfour,a\n"
    kept = load_suite(make_suite(data, rest='where: {kind: [a, b]}\ndrop: {prompt: ["four"]}'))
    assert [sample.prompt for sample in kept.samples] == ["one", "two"]
    assert [sample.id for sample in kept.samples] == ["1", "2"]
    found = refusal(make_suite(data, rest="where: {kind: [z]}"))
    assert found.message == "none of 4 rows is selected"


def test_a_template_is_filled_once_and_never_from_what_a_value_says(make_suite: MakeSuite) -> None:
    data = jsonl(
        {"prompt": "{secret} {choices} {prompt.id}", "secret": "hidden", "a": "{secret}", "b": "two"}
    )
    fields = "  prompt: prompt\n  choices: [a, b]"
    suite = load_suite(make_suite(data, "jsonl", fields, rest='template: "Q: {prompt}\\n{choices}"'))
    assert suite.samples[0].prompt == "Q: {secret} {choices} {prompt.id}\nA) {secret}\nB) two"


CHOICES = "  prompt: q\n  choices: [a, b, c]\n  target: "


@pytest.mark.parametrize(
    ("rule", "gold", "letter"),
    [
        ("gold", "B", "B"),
        ("gold", "green", "B"),
        ("{column: gold, read: letter}", "c) blue", "C"),
        ("{column: gold, read: letter}", "(A) red", "A"),
        ("{column: gold, read: letter}", "b", "B"),
        ("{column: gold, read: index}", 2, "C"),
        ("{column: gold, read: index}", "0", "A"),
    ],
)
def test_a_gold_option_becomes_its_letter(
    make_suite: MakeSuite, rule: str, gold: object, letter: str
) -> None:
    data = jsonl({"q": "?", "a": "red", "b": "green", "c": "blue", "gold": gold})
    suite = load_suite(make_suite(data, "jsonl", CHOICES + rule, scorer="choice"))
    assert suite.samples[0].target == (letter,)


@pytest.mark.parametrize(
    ("rule", "gold", "part"),
    [
        ("gold", "D", "none of the 3 options"),
        ("gold", "Green", "none of the 3 options"),
        ("gold", "", "empty"),
        ("{column: gold, read: letter}", "Blue", "no option letter"),
        ("{column: gold, read: index}", 3, "none of the 3 options"),
        ("{column: gold, read: index}", -1, "no option number"),
        ("{column: gold, read: index}", "1.0", "no option number"),
    ],
)
def test_a_gold_that_is_no_option_is_refused(
    make_suite: MakeSuite, rule: str, gold: object, part: str
) -> None:
    data = jsonl({"q": "?", "a": "red", "b": "green", "c": "blue", "gold": gold})
    assert part in refusal(make_suite(data, "jsonl", CHOICES + rule, scorer="choice")).message


def test_an_option_whose_text_is_another_ones_letter_is_meant_by_its_text(make_suite: MakeSuite) -> None:
    data = jsonl({"q": "Which letter comes first?", "a": "C", "b": "A", "c": "B", "gold": "A"})
    assert load_suite(make_suite(data, "jsonl", CHOICES + "gold", scorer="choice")).samples[0].target == (
        "B",
    )


def test_options_are_read_from_a_list_and_from_lettered_lines(make_suite: MakeSuite) -> None:
    listed = "  prompt: q\n  target: {column: g, read: index}\n  choices: {column: o, read: list}"
    for options in (["x", "y"], '["x", "y"]'):
        suite = load_suite(
            make_suite(jsonl({"q": "?", "o": options, "g": 1}), "jsonl", listed, scorer="choice")
        )
        assert (suite.samples[0].choices, suite.samples[0].target) == (("x", "y"), ("B",))
    lettered = (
        "  prompt: q\n  target: {column: g, read: letter}\n  choices: {column: q, read: lettered_lines}"
    )
    row = {"q": "Which?\nA. x\nB) y\nC: z", "g": "C. z"}
    sample = load_suite(make_suite(jsonl(row), "jsonl", lettered, scorer="choice")).samples[0]
    assert (sample.choices, sample.target) == (("x", "y", "z"), ("C",))


@pytest.mark.parametrize(
    "options",
    [["x"], [], "no list", [1, [2]], ["x", ""], {"a": 1}, None, list("abcdefghijklmnopqrstuvwxyz1")],
)
def test_options_that_are_no_list_of_texts_are_refused(make_suite: MakeSuite, options: object) -> None:
    fields = "  prompt: q\n  target: {const: A}\n  choices: {column: o, read: list}"
    found = refusal(make_suite(jsonl({"q": "?", "o": options}), "jsonl", fields, scorer="choice"))
    assert str(found.where).endswith(":1")


def test_lettered_lines_that_skip_a_letter_are_refused(make_suite: MakeSuite) -> None:
    fields = "  prompt: q\n  target: {const: A}\n  choices: {column: q, read: lettered_lines}"
    found = refusal(make_suite(jsonl({"q": "?\nA. x\nC. y"}), "jsonl", fields, scorer="choice"))
    assert "A, B, C" in found.message


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 18", "18"),
        ("5 + 5 = 10\nA: 1,234.50", "1234.50"),
        ("minus -3", "-3"),
        ("+7", "7"),
        ("1,000", "1000"),
    ],
)
def test_a_number_is_the_last_one_in_the_cell(make_suite: MakeSuite, text: str, number: str) -> None:
    fields = "  prompt: q\n  target: {column: t, read: number}"
    suite = load_suite(make_suite(jsonl({"q": "?", "t": text}), "jsonl", fields, scorer="number"))
    assert suite.samples[0].target == (number,)


def test_a_cell_is_split_into_several_golds(make_suite: MakeSuite) -> None:
    fields = "  prompt: q\n  target: {column: t, split: ';'}"
    suite = load_suite(
        make_suite(jsonl({"q": "?", "t": "one; two;;three "}), "jsonl", fields, scorer="exact")
    )
    assert suite.samples[0].target == ("one", "two", "three")


@pytest.mark.parametrize("value", [["x"], {"x": 1}, "a\x00b", "\ud800"])
def test_a_cell_that_is_no_text_is_refused(make_suite: MakeSuite, value: object) -> None:
    found = refusal(make_suite(jsonl({"prompt": value}), "jsonl"))
    assert "column 'prompt'" in found.message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_parquet_cell_that_is_no_number_is_refused(
    make_suite: MakeSuite, tmp_path: Path, value: float
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist([{"prompt": "x", "size": value}]), tmp_path / "x.parquet")
    fields = "  prompt: prompt\n  tags: {size: size}"
    found = refusal(make_suite((tmp_path / "x.parquet").read_bytes(), "parquet", fields))
    assert "no number" in found.message
    assert str(found.where).endswith("row 1")


def test_strata_carry_their_weights_and_refuse_strangers(make_suite: MakeSuite) -> None:
    fields = "  prompt: prompt\n  stratum: s"
    rest = 'strata: {x: "0.25", w: "0.75"}'
    suite = load_suite(make_suite(b"prompt,s\none,x\ntwo,w\n", fields=fields, rest=rest))
    assert suite.strata == {"x": "0.25", "w": "0.75"}
    assert [sample.stratum for sample in suite.samples] == ["x", "w"]
    assert "'z'" in refusal(make_suite(b"prompt,s\none,x\ntwo,z\n", fields=fields, rest=rest)).message
    assert "'w'" in refusal(make_suite(b"prompt,s\none,x\ntwo,x\n", fields=fields, rest=rest)).message


def manifest_with(template: str) -> Manifest:
    data = {"file": "x", "format": "jsonl", "sha256": "0" * 64}
    fields = {"prompt": "prompt", "tags": {"t": "t"}}
    document = {"verilabel": "suite/v1", "id": "x", "version": "1.0.0", "title": "t", "license": "CC0-1.0"}
    return parse_manifest(
        {**document, "data": data, "fields": fields, "scorer": "refusal", "template": template}, where="x"
    )


printable = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=40)


@given(
    st.lists(
        st.fixed_dictionaries({"prompt": printable.filter(lambda t: bool(t.strip())), "t": printable}),
        min_size=1,
    )
)
def test_every_row_is_one_sample_with_its_text_unchanged(rows: list[dict[str, str]]) -> None:
    samples = build_samples(
        manifest_with("[{prompt}|{t}]"), read_table(jsonl(*rows), "jsonl", where="x"), where="x"
    )
    assert [f"[{row['prompt']}|{row['t']}]" for row in rows] == [sample.prompt for sample in samples]
    assert [row["t"] for row in rows] == [sample.tags.get("t", "") for sample in samples]


def test_a_template_that_makes_a_small_file_huge_is_refused(make_suite: MakeSuite) -> None:
    template = "{prompt}" * 64
    data = b"prompt\n" + b"x" * 2**19 + b"\n"
    with pytest.raises(LimitExceeded):
        load_suite(make_suite(data, rest=f'template: "{template}"'))
    assert (
        "64 fields" in refusal(make_suite(b"prompt\nx\n", rest=f'template: "{template}{{prompt}}"')).message
    )
