"""Recall, precision and speed of the search for benchmarks' items, in real texts with items planted in them.

examples:
  python -m benchmarks.audit.measure_contamination base.parquet
  python -m benchmarks.audit.measure_contamination base.parquet --write

The texts are the column `text` of a Parquet file (benchmarks.audit.base_texts makes one). First they are searched as
they are: whatever is found there counts as wrong, though packages do cite benchmarks, and every such row is printed for
a person to look at. Then items of GSM8K, XSTest, TruthfulQA and BIG-Bench Hard (from the data beside the repository),
and functions of the standard library, are planted in them, changed in the ways below, one a document. Every number is
one of the run. `--write` puts the errors beside the code of the check.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import random
import re
import sys
import sysconfig
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq

from benchmarks.audit.items import DATA
from verilabel.audit.contamination.items import load_benchmark
from verilabel.audit.contamination.opening import MEASURED, OPENING
from verilabel.audit.contamination.queries import query_benchmark
from verilabel.audit.contamination.rules import SKETCH_TABLE, TABLE
from verilabel.audit.contamination.sketch import build_sketch, join_fingerprints, parse_sketch
from verilabel.audit.interface import Batch, Check, Error, Words
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.settings import AuditSettings, ContaminationSettings

SEED = 20261123
BATCH_BYTES = 4 * 2**20
CODE_ITEMS = 60
_SYNONYMS = {
    "the": "each", "and": "plus", "is": "was", "of": "from", "to": "into", "in": "within", "many": "numerous",
    "has": "holds", "have": "hold", "for": "toward", "he": "they", "she": "they", "his": "their", "her": "their",
    "buys": "purchases", "makes": "produces", "much": "great", "how": "so how", "week": "seven days", "day": "date",
    "more": "additional", "each": "every", "gets": "receives", "cost": "price", "costs": "goes for", "sells": "trades",
}  # fmt: skip
_NOTE = re.compile(r"<<[^>]*>>")


class Item(NamedTuple):
    """An item to plant."""

    id: str
    question: str
    answer: str = ""


class Plan(NamedTuple):
    """One way in which items of one benchmark are planted."""

    words: str
    benchmark: str
    items: Sequence[Item]
    change: Callable[[Item, random.Random], str]


class Claim(NamedTuple):
    """A row of the check's table."""

    document: int
    benchmark: str
    item: str
    rule: str


def main() -> None:
    """Measure, print, and write where asked."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("base", type=Path)
    options.add_argument("--documents", type=int, default=0, help="of the base at most (default all)")
    options.add_argument("--write", action="store_true", help="write the errors beside the check's code")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        errors = measure(args.base, args.documents, Path(folder))
    if args.write:
        target = Path(str(resources.files("verilabel.audit.contamination").joinpath(MEASURED)))
        how = f"python -m benchmarks.audit.measure_contamination {args.base.name} --write"
        rows = [msgspec.to_builtins(error) for error in errors]
        target.write_text(json.dumps({"how": how, "errors": rows}, indent=1, ensure_ascii=False) + "\n")


def measure(base: Path, most: int, folder: Path) -> list[Error]:
    """Search the texts as they are and with items planted; errors, one a way of planting."""
    items = write_items(folder)
    settings = AuditSettings(
        contamination=ContaminationSettings(benchmarks=tuple(str(path) for path in items), sketch=False)
    )
    OPENING.prepare(settings, folder / "index")
    check = OPENING.open(settings, folder / "index")
    errors = [_search_plain(check, base, most, read_rows(items[0]))]
    texts = [text for text in read_texts(base, most) if 400 < len(text) < 20_000]
    for plan in plans({path.stem: read_rows(path) for path in items}):
        error, planted = _search_planted(check, plan, texts)
        errors.append(error)
        print(
            f"{plan.words:66} {error.found:4} of {error.planted:4}, claimed {error.claimed:4} (right {error.correct})"
        )
        if plan.benchmark == "gsm8k":
            _search_sketch(folder / "gsm8k.jsonl", planted)
    return errors


def read_texts(base: Path, most: int) -> Iterator[bytes]:
    """The texts of a Parquet file."""
    count = 0
    for batch in pq.ParquetFile(base).iter_batches(batch_size=2_000, columns=["text"]):
        for text in batch.column(0).to_pylist():
            if most and count >= most:
                return
            count += 1
            yield text if isinstance(text, bytes) else text.encode()


def write_items(folder: Path) -> list[Path]:
    """Files of items, one a benchmark."""
    (folder / "index").mkdir()
    found = {
        "gsm8k": [
            Item(str(number), row["question"], row["ground_truth"])
            for number, row in enumerate(_lines(DATA / "gsm8k" / "example_model_solutions_first200.jsonl"))
        ],
        "xstest": [Item(row["id"], row["prompt"]) for row in _cells(DATA / "xstest" / "xstest_prompts.csv")],
        "truthfulqa": [
            Item(str(number), row["Question"], row["Best Answer"])
            for number, row in enumerate(_cells(DATA / "truthfulqa" / "TruthfulQA.csv"))
        ],
        "bbh": [
            Item(str(number), row["input"])
            for number, row in enumerate(
                json.loads((DATA / "bbh" / "bbh" / "date_understanding.json").read_text())["examples"]
            )
        ],
        "functions": list(_functions()),
    }
    paths = []
    for name, rows in found.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row._asdict()) + "\n" for row in rows))
        paths.append(path)
    return paths


def read_rows(path: Path) -> list[Item]:
    """The items of a file that `write_items` wrote."""
    return [Item(**row) for row in _lines(path)]


def plans(items: dict[str, list[Item]]) -> list[Plan]:
    """What is planted how."""
    gsm8k, functions = items["gsm8k"], items["functions"]
    longer = [item for item in items["xstest"] if len(item.question.split()) >= 5]
    return [
        Plan("gsm8k, verbatim, question and answer", "gsm8k", gsm8k, _join),
        Plan("gsm8k, in upper case, lines of 8 words, other punctuation", "gsm8k", gsm8k, _rewrap),
        Plan("gsm8k, without a solver's notes", "gsm8k", gsm8k, lambda item, _: _NOTE.sub("", _join(item))),
        Plan("gsm8k, plain quotes", "gsm8k", gsm8k, lambda item, _: item.question.replace("\u2019", "'")),
        Plan("gsm8k, question only", "gsm8k", gsm8k, lambda item, _: item.question),
        Plan("gsm8k, half of the question, at least 16 words", "gsm8k", gsm8k, _halve),
        Plan("gsm8k, every 9th word changed, question and answer", "gsm8k", gsm8k, _change_ninth),
        Plan("gsm8k, every 9th word changed, question only", "gsm8k", gsm8k, _change_ninth_of_question),
        Plan("gsm8k, words replaced from a table of 26 synonyms", "gsm8k", gsm8k, _replace),
        Plan("gsm8k, every number changed", "gsm8k", gsm8k, _change_numbers),
        Plan("bbh date understanding, verbatim", "bbh", items["bbh"], lambda item, _: item.question),
        Plan("truthfulqa, question and best answer", "truthfulqa", items["truthfulqa"], _join),
        Plan("xstest, prompts of 5 words and more", "xstest", longer, lambda item, _: f"Q: {item.question}"),
        Plan("xstest, all prompts", "xstest", items["xstest"], lambda item, _: f"Q: {item.question}"),
        Plan("functions of the standard library, verbatim", "functions", functions, _join),
        Plan("functions of the standard library, indented", "functions", functions, _indent),
    ]


def _join(item: Item, _: random.Random | None = None) -> str:
    return f"{item.question}\n{item.answer}"


def _indent(item: Item, _: random.Random) -> str:
    return textwrap.indent(_join(item), "        ")


def _search_plain(check: Check, base: Path, most: int, warming: Sequence[Item]) -> Error:
    """The texts as they are, and the processor's time."""
    warm = [item.question.encode() for item in warming]
    check.examine(*_cut(warm))
    documents, flagged, spent, size = 0, 0, 0.0, 0
    for texts in _batches(read_texts(base, most)):
        batch, words = _cut(texts)
        begun = time.process_time()
        examined = check.examine(batch, words)
        spent += time.process_time() - begun
        size += len(batch.data)
        table = examined.tables[TABLE]
        # functions of the standard library do stand in such texts
        own = [row for row, name in enumerate(table["benchmark"]) if name != "functions.jsonl"]
        flagged += len({int(table["document"][row]) for row in own})
        for row in own:
            print("found in the texts as they are:", documents, *(table[name][row] for name in table))
        documents += len(batch)
    print(
        f"{documents} documents, {size / 1e6:.1f} MB, {1000 * spent / (size / 1e6):.2f} ms a MB; {flagged} flagged"
    )
    return Error(f"{documents} documents as they are, nothing planted", 0, 0, flagged, 0)


def _search_planted(check: Check, plan: Plan, texts: Sequence[bytes]) -> tuple[Error, list[bytes]]:
    chance = random.Random(f"{SEED} {plan.words}")
    hosts = chance.sample(range(len(texts)), len(plan.items))
    planted = [
        _plant(texts[host], plan.change(item, chance), chance)
        for host, item in zip(hosts, plan.items, strict=True)
    ]
    # functions of the standard library stand in the texts by themselves
    wanted = [
        c
        for c in _claims(check, planted)
        if c.benchmark != "functions.jsonl" or plan.benchmark == "functions"
    ]
    claims = {(claim.document, claim.item, claim.benchmark) for claim in wanted}
    right = {(number, item.id, f"{plan.benchmark}.jsonl") for number, item in enumerate(plan.items)}
    found = len(claims & right)
    rules = Counter(claim.rule for claim in wanted)
    print(" " * 8, dict(sorted(rules.items())))
    return Error(plan.words, len(right), found, len(claims), found), planted


def _search_sketch(items: Path, planted: Sequence[bytes]) -> None:
    settings = AuditSettings(contamination=ContaminationSettings(sketch=True))
    with tempfile.TemporaryDirectory() as folder:
        OPENING.prepare(settings, Path(folder))
        check = OPENING.open(settings, Path(folder))
        parts = [
            join_fingerprints(
                [np.asarray(check.examine(*_cut(texts)).tables[SKETCH_TABLE]["fingerprint"], np.uint64)]
            )
            for texts in _batches(iter(planted))
        ]
    words = sum(len(_cut(texts)[1].hashes) for texts in _batches(iter(planted)))
    content = build_sketch(parts, documents=len(planted), words=words)
    result = query_benchmark(
        parse_sketch(np.frombuffer(content, np.uint8).copy()), load_benchmark(str(items))
    )
    size = sum(map(len, planted))
    print(
        f"         by sketch: {len(result.matches)} of {result.items} ({result.certain} certain if verbatim); "
        f"{100 * len(content) / size:.2f} % of the text; {result.expected_false} false expected"
    )


def _claims(check: Check, texts: Sequence[bytes]) -> Iterator[Claim]:
    first = 0
    for part in _batches(iter(texts)):
        batch, words = _cut(part)
        table = check.examine(batch, words).tables[TABLE]
        for row in range(len(table["item"])):
            yield Claim(
                first + int(table["document"][row]),
                table["benchmark"][row],
                table["item"][row],
                table["rule"][row],
            )
        first += len(batch)


def _batches(texts: Iterator[bytes]) -> Iterator[list[bytes]]:
    held: list[bytes] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size > BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _cut(texts: Sequence[bytes]) -> tuple[Batch, Words]:
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(text) for text in texts])])
    batch = Batch(np.frombuffer(b"".join(texts), np.uint8), offsets, np.arange(len(texts), dtype=np.int64))
    return batch, cut_words(batch)


def _plant(text: bytes, value: str, chance: random.Random) -> bytes:
    paragraphs = text.split(b"\n\n")
    paragraphs.insert(chance.randint(0, len(paragraphs)), value.encode())
    return b"\n\n".join(paragraphs)


def _rewrap(item: Item, _: random.Random) -> str:
    # words beyond ASCII keep their case: folding does not reach them
    words = f"{item.question} {item.answer}".upper().replace(".", " .").replace(",", " ;").split()
    return "\n".join("> " + " ".join(words[at : at + 8]) for at in range(0, len(words), 8))


def _halve(item: Item, _: random.Random) -> str:
    words = item.question.split()
    return " ".join(words[: max(16, len(words) // 2)])


def _ninth(text: str, chance: random.Random) -> str:
    words = text.split()
    for at in range(chance.randint(0, 8), len(words), 9):
        words[at] = _SYNONYMS.get(words[at].lower(), f"indeed {words[at]}")
    return " ".join(words)


def _change_ninth(item: Item, chance: random.Random) -> str:
    return _ninth(f"{item.question} {item.answer}", chance)


def _change_ninth_of_question(item: Item, chance: random.Random) -> str:
    return _ninth(item.question, chance)


def _replace(item: Item, _: random.Random) -> str:
    return " ".join(_SYNONYMS.get(word.lower(), word) for word in f"{item.question} {item.answer}".split())


def _change_numbers(item: Item, _: random.Random) -> str:
    return re.sub(r"\d+", lambda found: str(int(found[0]) + 7), item.question)


def _functions() -> Iterator[Item]:
    chance = random.Random(SEED)
    found = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        source = path.read_text("utf-8", "replace")
        for node in ast.parse(source).body:
            code = ast.get_source_segment(source, node) or ""
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and 8 <= code.count("\n") <= 40:
                lines = code.split("\n")
                head = (node.body[0].end_lineno or 0) - node.lineno + 1
                found.append(
                    Item(f"{path.stem}.{node.name}", "\n".join(lines[:head]), "\n".join(lines[head:]))
                )
    yield from chance.sample(found, CODE_ITEMS)


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    sys.exit(main())
