"""Errors and speed of the check of personal data: `python -m benchmarks.audit.measure_pii --set NAME=FILE [--write]`.

A set is a JSON file in the form of presidio-research (`full_text`, `spans` with `entity_type`, `start_position`,
`end_position`, in characters), such as its data/synth_dataset_v2.json, or what its generator writes (see --make). The
entity types of the table TYPES are counted, IPv4 and IPv6 addresses together. An annotated span counts as found if
a finding of its kind overlaps it; a finding counts as right if it overlaps a span of its kind. A kind is counted once
for each span and each finding; what the annotations do not name (a telephone number in a field for something else)
therefore counts as wrong.

--corpus DIR counts the values that `benchmarks.audit.corpus` planted, in the same way, over bytes, for every kind; what
looks like a value and is none (`negative.*`) counts as wrong where it is found. --speed times the check on the corpus'
unplanted texts in CPU seconds. --make SEED COUNT FILE writes a set with presidio-research's own generator of
sentences, where the package presidio-evaluator is installed (in an environment of its own); nobody has looked at what
a new seed gives. --write puts the counts into src/verilabel/audit/pii/data/errors.json, which the check's card prints;
sources that were not measured in the run stay.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from verilabel.audit.interface import Batch, Error
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.pii.card import Measured, read_errors
from verilabel.audit.pii.check import PiiCheck
from verilabel.audit.settings import PiiSettings

ERRORS = Path("src/verilabel/audit/pii/data/errors.json")
HOW = "python -m benchmarks.audit.measure_pii --set NAME=FILE --corpus DIR --write"
BATCH = 2_000
TYPES = {
    "CREDIT_CARD": ("pii.card",),
    "EMAIL_ADDRESS": ("pii.email",),
    "IBAN_CODE": ("pii.iban",),
    "IP_ADDRESS": ("pii.ipv4", "pii.ipv6"),
    "PHONE_NUMBER": ("pii.phone",),
    "US_SSN": ("pii.ssn",),
}


class Place(NamedTuple):
    """A stretch of a document, in bytes."""

    kind: str
    start: int
    end: int


class Counts(NamedTuple):
    """Of each kind: planted, found of them, claimed, right of those."""

    planted: Counter[str]
    found: Counter[str]
    claimed: Counter[str]
    correct: Counter[str]


def make_batch(texts: Sequence[bytes]) -> Batch:
    """Texts as one batch."""
    offsets = np.cumsum([0, *(len(text) for text in texts)]).astype(np.int64)
    return Batch(np.frombuffer(b"".join(texts), np.uint8), offsets, np.arange(len(texts)))


def look(check: PiiCheck, texts: Sequence[bytes]) -> list[list[Place]]:
    """The findings of each text."""
    seen: list[list[Place]] = []
    names = [kind.id for kind in check.card.kinds]
    for first in range(0, len(texts), BATCH):
        batch = make_batch(texts[first : first + BATCH])
        findings = check.examine(batch, cut_words(batch)).findings
        places: list[list[Place]] = [[] for _ in range(len(batch))]
        if findings is not None:
            rows = zip(findings.document, findings.kind, findings.start, findings.end, strict=True)
            for document, kind, start, end in rows:
                low = int(batch.offsets[document])
                places[document].append(Place(names[kind], int(start) - low, int(end) - low))
        seen += places
    return seen


def count_places(
    truth: Sequence[Sequence[Place]], seen: Sequence[Sequence[Place]], counted: set[str]
) -> Counts:
    """Counts by overlap, of the kinds that are counted."""
    counts = Counts(Counter(), Counter(), Counter(), Counter())
    for planted, found in zip(truth, seen, strict=True):
        for one in planted:
            if one.kind in counted:
                counts.planted[one.kind] += 1
                counts.found[one.kind] += any(_overlap(one, other) for other in found)
        for other in found:
            if other.kind in counted:
                counts.claimed[other.kind] += 1
                counts.correct[other.kind] += any(_overlap(one, other) for one in planted)
    return counts


def _overlap(one: Place, other: Place) -> bool:
    return one.kind == other.kind and one.start < other.end and other.start < one.end


def measure_set(check: PiiCheck, path: Path) -> Counts:
    """The counts of a set in the form of presidio-research; addresses of machines are all pii.ipv4."""
    texts, truth = [], []
    for row in json.loads(path.read_text(encoding="utf-8")):
        text = row["full_text"]
        texts.append(text.encode())
        truth.append(
            [
                Place(
                    TYPES[span["entity_type"]][0],
                    len(text[: span["start_position"]].encode()),
                    len(text[: span["end_position"]].encode()),
                )
                for span in row["spans"]
                if span["entity_type"] in TYPES
            ]
        )
    seen = [
        [place._replace(kind="pii.ipv4") if place.kind == "pii.ipv6" else place for place in places]
        for places in look(check, texts)
    ]
    return count_places(truth, seen, {kinds[0] for kinds in TYPES.values()})


def measure_corpus(check: PiiCheck, folder: Path) -> Counts:
    """The counts of values that were planted."""
    kinds = {kind.id for kind in check.card.kinds}
    planted: dict[str, list[Place]] = defaultdict(list)
    for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["kind"] in kinds:
            planted[row["id"]].append(Place(row["kind"], row["start"], row["end"]))
    ids, texts = zip(*_read_texts(folder), strict=True)
    return count_places([planted[one] for one in ids], look(check, texts), kinds)


def _read_texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    import pyarrow.parquet as parquet

    for file in sorted((folder / "parquet").glob("*.parquet")):
        table = parquet.read_table(file, columns=["id", "text"])
        for name, text in zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True):
            yield name, (text or "").encode()


def measure_speed(check: PiiCheck, folder: Path, rounds: int = 5) -> float:
    """10^6 bytes a CPU second of `examine` alone, the best of some rounds."""
    texts = [text for _, text in _read_texts(folder)]
    batches = [make_batch(texts[first : first + BATCH]) for first in range(0, len(texts), BATCH)]
    words = [cut_words(batch) for batch in batches]
    check.examine(batches[0], words[0])
    best = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        for batch, cut in zip(batches, words, strict=True):
            check.examine(batch, cut)
        best = min(best, time.process_time() - begin)
    return sum(map(len, texts)) / best / 1e6


def make_set(seed: int, count: int, path: Path) -> None:
    """A set by presidio-research's own generator, its templates' line breaks as line breaks."""
    import random

    from faker import Faker
    from presidio_evaluator.data_generator import PresidioSentenceFaker, presidio_templates_file_path

    lines = Path(presidio_templates_file_path).read_text().splitlines()
    templates = [line.strip().replace("\\n", "\n") for line in lines]
    faker = PresidioSentenceFaker(
        locale="en_US", lower_case_ratio=0.05, random_seed=seed, sentence_templates=templates
    )
    random.seed(seed)
    np.random.seed(seed)
    Faker.seed(seed)
    rows = [
        {
            "full_text": sample.full_text,
            "spans": [
                {
                    "entity_type": span.entity_type,
                    "start_position": span.start_position,
                    "end_position": span.end_position,
                }
                for span in sample.spans
            ],
        }
        for sample in faker.generate_new_fake_sentences(num_samples=count)
    ]
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def write_errors(measured: dict[str, Counts]) -> None:
    """Put counts into the file that the card reads, in place of those of the same sources."""
    errors = {
        kind: [one for one in old if one.source not in measured] for kind, old in read_errors().errors.items()
    }
    for source, counts in measured.items():
        for kind in sorted(set(counts.planted) | set(counts.claimed)):
            numbers = [int(part[kind]) for part in counts]
            if numbers[0]:
                errors.setdefault(kind, []).append(Error(source, *numbers))
    kept = {
        kind: tuple(sorted(rows, key=lambda row: row.source)) for kind, rows in sorted(errors.items()) if rows
    }
    data = msgspec.json.format(msgspec.json.encode(Measured(how=HOW, errors=kept)), indent=1)
    ERRORS.write_bytes(data + b"\n")


def print_counts(source: str, counts: Counts) -> None:
    """A line a kind, and one for all."""
    print(f"{source}: kind, found / planted, right / claimed")
    for kind in sorted(set(counts.planted) | set(counts.claimed)):
        planted, found, claimed, correct = (part[kind] for part in counts)
        print(f"  {kind:24} {found:6} / {planted:6}  {correct:6} / {claimed:6}")
    planted, found, claimed, correct = (sum(part.values()) for part in counts)
    print(f"  recall {found / max(planted, 1):.4f}, precision {correct / max(claimed, 1):.4f}")


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=FILE", dest="sets")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--make", nargs=3, metavar=("SEED", "COUNT", "FILE"))
    given = parser.parse_args()
    if given.make:
        make_set(int(given.make[0]), int(given.make[1]), Path(given.make[2]))
        return
    check = PiiCheck(PiiSettings())
    measured: dict[str, Any] = {}
    for pair in given.sets:
        name, _, file = pair.partition("=")
        measured[name] = measure_set(check, Path(file))
    if given.corpus:
        measured["planted"] = measure_corpus(check, given.corpus)
    for source, counts in measured.items():
        print_counts(source, counts)
    if given.speed and given.corpus:
        print(f"{measure_speed(check, given.corpus):.1f} MB a CPU second")
    if given.write:
        write_errors(measured)


if __name__ == "__main__":
    main()
