"""The page's strict readers accept what the program's accept, read the same in it, and refuse the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from verilabel.errors import VerilabelError
from verilabel.evidence.counting import encode_index, parse_index
from verilabel.evidence.lines import decode_lines, encode_line
from verilabel.records.attempt import Attempt, Failure, Observation, Usage
from verilabel.records.canonical import jcs, parse_json
from verilabel.records.sample import SampleEntry
from verilabel.records.score import Scored, Unscored
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.records.withheld import withhold_attempt

ROOT = Path(__file__).resolve().parents[2]
ATTEMPT = Attempt(
    "s@1", "a", 1, 1, '{"q":"\u00e9 \\n \U0001f600"}', status=200, response="r", output="o", finish="stop"
)
FAILED = Attempt("s@1", "b", 1, 2, "q", judge="j@1", failure=Failure("timeout", "too late", retryable=True))
RECORDS = [
    ATTEMPT,
    FAILED,
    msgspec.structs.replace(ATTEMPT, usage=Usage(3, 0), served_model="m", fingerprint="f"),
    withhold_attempt(ATTEMPT, "sha256:" + "0" * 64),
    withhold_attempt(FAILED, "sha256:" + "1" * 64),
    Observation("s@1", "a", 1, 1, 5, 6, headers={"x": "1", "10": "b", "2": "c"}),
    Scored("s@1", "a", 1, "d@1", "correct", True, detail="read \u2028 43"),
    Unscored("s@1", "a", 1, "d@1", "correct", "nothing \x1f to read"),
]
ODD_VALUES = [
    "null", "true", "1.0", "1e3", "1e+300", "-0", "01", "9007199254740993", "18446744073709551615", '"\\ud800"',
    '"\\u00e9"', '"\\/"', "{}", "[]", '["a"]', '{"a":"b"}', '""', '"x"', "12",
]  # fmt: skip
ENTRIES = [
    SampleEntry("a", "sha256:0", family="f", tags={"10": "x", "2": "y", "topic": "z"}),
    SampleEntry("b\u2028", "sha256:1", stratum="s"),
    SampleEntry("c", "sha256:2"),
]
YAML_TEXTS = [
    "a: 1\n",
    "a: +1\n",
    "a: -0\n",
    "a: 1.50\n",
    "a: 1e5\n",
    "a: 1E-7\n",
    "a: 0.0000001\n",
    "a: -12.5e+3\n",
    "a: 0e9\n",
    "a: >-\n  one\n  two\n\n  three\nb: x\n",
    "a: |\n  one\n   two\n\n  three\n\n\nb: x\n",
    "a: |+\n  one\n\n\n",
    "a: |2-\n    x\n  y\n",
    "a: >\n  one\n    two\n  three\n",
    "a: 'it''s'\n",
    'a: "\\x41\\u00e9\\n\\\n  b"\n',
    'a: "one\n  two\n\n  three"\n',
    "a: 'one\n\n  two'\n",
    "a: one\n  two\n  three\n",
    "a: one\n\n  two\nb: x\n",
    "- a\n- - b\n  - c\n- d: 1\n  e: [1, 2, {f: g}]\n",
    "a:\n- 1\n- 2\nb: 3\n",
    "{a: b, c: [d, 'e', \"f\"], g: }\n",
    "[a, b: c]\n",
    "a: [x,\n  y,  # why\n  z]\n",
    "---\na: b\n",
    "---\na: b\n...\n",
    "a: b\n---\nc: d\n",
    "%YAML 1.1\n---\na: b\n",
    "a: &x b\n",
    "a: *x\n",
    "a: !t b\n",
    "a: no\n",
    "a: Yes\n",
    "a: 012\n",
    "a: 1_000\n",
    "a: 12:30\n",
    "a: .5\n",
    "a: 5.\n",
    "a: .inf\n",
    "a: 0x1f\n",
    "a: ~\n",
    "a:\n",
    "~: a\n",
    "true: a\n",
    "no: a\n",
    "1: a\n",
    "1.5: a\n",
    "'1.5': a\n",
    "<<: a\n",
    "a: 1\na: 2\n",
    "a: b: c\n",
    "a: 'b': c\n",
    "a: b\n c: d\n",
    "a:\n  b: 1\n c: 2\n",
    "\ta: b\n",
    "a:\tb\n",
    "a: b\tc\n",
    "a: b #c\n",
    "a: b#c\n",
    "# only\n",
    "",
    "a\n",
    "'a'\n",
    "1\n",
    "a: @b\n",
    "a: `b\n",
    "a: %b\n",
    "a: -b\n",
    "a: - b\n",
    "? a\n: b\n",
    "a: ?b\n",
    "a : b\n",
    "a b: c\n",
    "a: 9007199254740991\n",
    "a: 9007199254740992\n",
    "a: 1e31\n",
    "a: 0.00000000000000000000000000000000000000001\n",
    "a: b\r\nc: d\r\n",
    "a: b\rc: d\n",
    "a: \x85\n",
    "a: \u2028b\n",
    'a: "\\ud83d"\n',
    'a: "\\U0001f600"\n',
    "a: \U0001f600\n",
    "\ufeffa: b\n",
    "http://x: y\n",
    "a: http://x\n",
    "a,b: c\n",
    "[a: b: c]\n",
    "{a: {b: {c: d}}}\n",
    "{a, b: c}\n",
    "a: {b:c}\n",
    'a: {"b":c}\n',
    "a: 'x' y\n",
    "a: [x] y\n",
    "a: |x\n  y\n",
    "a: > # note\n  y\n",
    "a: |\nb: c\n",
    "a: one # note\n  two\n",
    "a:\n  - b\n  -\n  - c\n",
    "a: [b, , c]\n",
    "a: [b, c,]\n",
    "a: [b c, d]\n",
    "a: 'b\n",
    "a: [b\n",
    "a: x]\n",
    "a: x}\n",
    "a: [x\n  y]\n",
    "a: '''\n",
    "- a\nb: c\n",
    'a: "one\\x20\n  two \n  three\\t\n\n four"\n',
    "a: 'one  \n  it''s '\n",
    "a: '  \n  x'\n",
    "'it''s': 'x'\n",
    '"a\\"b": c\n',
    "a: ''\n",
]
JSON_TEXTS = [
    '{"a":1}',
    '{"b":1,"a":[true,false,null]}',
    '{"a":1,"a":2}',
    '{"a":1.5}',
    '{"a":1e3}',
    '{"a":-0}',
    '{"a":01}',
    '{"a":9007199254740992}',
    '{"a":9007199254740993}',
    '{"a":"\\u00e9\\u2028\\/\\ud83d\\ude00"}',
    '{"a":"\\ud800"}',
    '{"__proto__":{"x":1},"constructor":2}',
    "[]",
    "[1,]",
    '{"a" : 1}\n',
    '{"a":1} x',
    '"x"',
    "NaN",
    "Infinity",
    "-",
    "",
    " ",
    '{"a":"\t"}',
    "[" * 64 + "]" * 64,
    "[" * 65 + "]" * 65,
    '{"\ue000":1,"\U0001f600":2}',
    '{"a":tru}',
    "{1:2}",
    '{"10":1,"9":2}',
    "'a'",
]


def accepted(read: Callable[[], Any]) -> Any:
    """What a reader of the program gives; None where it refuses."""
    try:
        return read()
    except VerilabelError:
        return None


def mutations(line: str, source: Random, count: int) -> list[str]:
    """Lines that differ from a canonical one in a value, a key, their order, or one character."""
    document = json.loads(line)
    found = [line]
    for _ in range(count):
        key = source.choice(list(document))
        value = json.dumps(document[key], ensure_ascii=False, separators=(",", ":"))
        whole = f'"{key}":{value}'
        changed = [
            line.replace(whole, f'"{key}":{source.choice(ODD_VALUES)}', 1),
            line.replace(whole, f"{whole},{whole}", 1),
            line.replace(f",{whole}", "", 1),
            line.replace(f'"{key}"', '"other"', 1),
            line.replace(",", ", ", 1),
            line[:-1] + f",{whole}}}",
        ]
        at = source.randrange(len(line))
        changed.append(line[:at] + source.choice('"{}[],:\\ 0a\u00e9') + line[at + 1 :])
        found.append(source.choice(changed))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_lines_of_records_are_accepted_alike(run_node: Callable[..., Any], seed: int) -> None:
    source = Random(seed)
    lines = [text for record in RECORDS for text in mutations(encode_line(record).decode(), source, 150)]
    lines = [line for line in lines if "\n" not in line]
    answers = run_node("read.mjs", lines=[{"reader": "record", "text": line} for line in lines])
    for line, answer in zip(lines, answers, strict=True):
        record = accepted(lambda line=line: decode_lines(line.encode() + b"\n", "line", 1))
        assert (record is not None) == ("value" in answer), (line, answer)
        if record is not None:
            assert record[0].__struct_config__.tag == answer["value"]


@pytest.mark.parametrize("seed", range(2))
def test_lines_of_a_suites_index_are_accepted_alike(run_node: Callable[..., Any], seed: int) -> None:
    source = Random(seed)
    lines = [
        text
        for entry in ENTRIES
        for text in mutations(encode_index([entry]).decode().strip("\n"), source, 200)
    ]
    answers = run_node("read.mjs", lines=[{"reader": "index", "text": line + "\n"} for line in lines])
    for line, answer in zip(lines, answers, strict=True):
        entries = accepted(lambda line=line: parse_index(line.encode() + b"\n", "index"))
        assert (entries is not None) == ("value" in answer), (line, answer)


def without_decimals(value: Any) -> Any:
    """The YAML value with decimals marked as such."""
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, dict):
        return {key: without_decimals(item) for key, item in value.items()}
    return [without_decimals(item) for item in value] if isinstance(value, list) else value


def yaml_here(text: str) -> str | None:
    """What the program reads, as canonical JSON."""
    return accepted(lambda: jcs(without_decimals(load_strict_yaml(text.encode(), where="yaml"))).decode())


def test_yaml_is_never_read_in_two_ways(run_node: Callable[..., Any]) -> None:
    """The page's reader may refuse more than the program's; where both read a file, they read the same in it."""
    answers = run_node("read.mjs", lines=[{"reader": "yaml", "text": text} for text in YAML_TEXTS])
    only_here = []
    for text, answer in zip(YAML_TEXTS, answers, strict=True):
        here = yaml_here(text)
        if "value" in answer:
            assert here == answer["value"], text
        elif here is not None:
            only_here.append(text)
    refused_there = {
        # a value that begins with `?`, keys without a value or a colon inside brackets, text over two lines there
        "? a\n: b\n", "{a, b: c}\n", "a: {b:c}\n", "[a, b: c]\n", "a: [x\n  y]\n",
        # tabs beside plain text, and line ends that YAML 1.2 does not know
        "a: b\tc\n", "a:\tb\n", "a: \x85\n", "a: \u2028b\n", "a: b\rc: d\n",
    }  # fmt: skip
    assert set(only_here) <= refused_there


def test_every_file_of_yaml_that_comes_with_the_program_is_read_alike(run_node: Callable[..., Any]) -> None:
    texts = [
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "src" / "verilabel").rglob("*.yaml"))
    ]
    assert len(texts) > 15
    answers = run_node("read.mjs", lines=[{"reader": "yaml", "text": text} for text in texts])
    assert [yaml_here(text) for text in texts] == [answer.get("value") for answer in answers]


def test_json_documents_are_read_alike(run_node: Callable[..., Any]) -> None:
    answers = run_node("read.mjs", lines=[{"reader": "json", "text": text} for text in JSON_TEXTS])
    for text, answer in zip(JSON_TEXTS, answers, strict=True):
        here = accepted(lambda text=text: jcs(parse_json(text.encode(), where="json")).decode())
        assert here == answer.get("value"), (text, answer)
