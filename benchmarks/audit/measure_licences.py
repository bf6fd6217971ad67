"""Errors and speed of the check of licences: `python -m benchmarks.audit.measure_licences --corpus DIR [--write]`.

Four sets. `planted` is the corpus of `benchmarks.audit.corpus` (licences, tags, addresses, notices, reservations,
opt-outs and paywalls at known places in texts that have hardly any). `spdx-list` is every text of the SPDX list that
the index holds, with holders filled in, wrapped anew and behind the marks of a comment, at the head of clean text of
that corpus. `choosealicense` are the texts of github/choosealicense.com, if --choosealicense names their folder.
`debian` are the licence paragraphs of this machine's machine-readable /usr/share/doc/*/copyright, with the short names
that Debian's people gave them; the field itself is not shown to the check.

--write puts what was measured into src/verilabel/audit/licences/data/errors.json, which the check's card prints.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from verilabel.audit.interface import Batch, Check, Error, Examined
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.licences.declared import read_declared
from verilabel.audit.licences.opening import OPENING
from verilabel.audit.licences.texts import list_ids, load_licences
from verilabel.audit.settings import AuditSettings

ERRORS = Path("src/verilabel/audit/licences/data/errors.json")
BATCH = 800
OURS = ("licence", "copyright", "use")


class Place(NamedTuple):
    """A finding or a planted value: a stretch of bytes of one document."""

    kind: str
    start: int
    end: int


class Seen(NamedTuple):
    """What the check says of one document."""

    places: list[Place]
    ids: set[str]
    first: str


def make_batch(texts: Sequence[bytes]) -> Batch:
    """Texts as one batch."""
    offsets = np.cumsum([0, *(len(text) for text in texts)]).astype(np.int64)
    return Batch(
        np.frombuffer(b"".join(texts), np.uint8).copy(), offsets, np.arange(len(texts), dtype=np.int64)
    )


def tell(check: Check, batch: Batch, examined: Examined) -> list[Seen]:
    """What the check says, a document."""
    names = [kind.id for kind in check.card.kinds]
    ids = list_ids()
    seen = [Seen([], set(), ids[number]) for number in examined.columns["licences_id"].tolist()]
    found = examined.findings
    assert found is not None
    for document, kind, start, end in zip(
        found.document.tolist(), found.kind.tolist(), found.start.tolist(), found.end.tolist(), strict=True
    ):
        at = int(batch.offsets[document])
        seen[document].places.append(Place(names[kind], start - at, end - at))
    table = examined.tables["licences"]
    for document, identifier in zip(list(table["document"]), list(table["licence"]), strict=True):
        seen[int(document)].ids.add(identifier)
    return seen


def look(check: Check, texts: Sequence[bytes]) -> Iterator[Seen]:
    """The check on many texts."""
    for at in range(0, len(texts), BATCH):
        batch = make_batch(texts[at : at + BATCH])
        yield from tell(check, batch, check.examine(batch, cut_words(batch)))


def read_corpus(folder: Path) -> tuple[list[tuple[str, bytes]], dict[str, list[dict[str, object]]]]:
    """Documents of a planted corpus, and what is true of them."""
    documents = []
    for path in sorted((folder / "jsonl").glob("*.jsonl")):
        for line in path.open(encoding="utf-8"):
            row = json.loads(line)
            documents.append((row["id"], row["text"].encode()))
    truth: dict[str, list[dict[str, object]]] = defaultdict(list)
    for line in (folder / "truth.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        truth[row["id"]].append(row)
    return documents, truth


def _overlap(place: Place, told: dict[str, object]) -> bool:
    return place.start < int(str(told["end"])) and place.end > int(str(told["start"]))


def _is_named(told: dict[str, object], ids: set[str]) -> bool:
    """Whether the planted licence is among the ids; `full:` texts are those of Debian, whose names have no `-only`."""
    written = str(told["format"])
    if written.startswith("full:"):
        expected = read_declared(written.removeprefix("full:"))
        return expected is not None and expected.top in ids
    return written in ids


def measure_planted(check: Check, folder: Path) -> dict[str, Error]:
    """Recall and precision on the planted corpus, a kind; a licence's text counts as found with its right id only.

    A planted licence that is a standard notice may be found as text or as header: both count for `licence.text`.
    """
    documents, truth = read_corpus(folder)
    planted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    claimed: Counter[str] = Counter()
    correct: Counter[str] = Counter()
    wrong_documents = 0
    for (name, _), seen in zip(documents, look(check, [text for _, text in documents]), strict=True):
        told = [row for row in truth[name] if str(row["kind"]).split(".")[0] in OURS]
        copied = any(row["kind"] == "duplicate" for row in truth[name])
        for row in told:
            kind = str(row["kind"])
            planted[kind] += 1
            family = kind.split(".", maxsplit=1)[0]
            met = any(place.kind.split(".")[0] == family and _overlap(place, row) for place in seen.places)
            found[kind] += met and (kind != "licence.text" or _is_named(row, seen.ids))
        if copied:
            continue  # a copy carries what was planted in its original, which is not told again
        wrong = [place for place in seen.places if not any(_overlap(place, row) for row in told)]
        wrong_documents += bool(wrong)
        claimed.update(place.kind for place in seen.places)
        correct.update(place.kind for place in seen.places)
        correct.subtract(place.kind for place in wrong)
    print(f"planted: {len(documents)} documents, {wrong_documents} with something found that was not planted")
    return {
        kind: Error(
            "planted corpus (what its base texts say of themselves counts as wrong)",
            planted[kind],
            found[kind],
            claimed[kind],
            correct[kind],
        )
        for kind in sorted(set(planted) | set(claimed))
    }


def fill(text: str, seed: random.Random) -> str:
    """A text of the list as its users have it: blanks filled in."""
    text = re.sub(
        r"<(?:year|yyyy|YEAR|Year)>|\[(?:yyyy|year|Year|YEAR)\]", str(seed.randint(1995, 2025)), text
    )
    holders = ("Example Authors", "Jane Example", "Example Software Foundation, Inc.", "The Example Project")
    return re.sub(r"<[^<>\n/]{3,60}>|\[[^\[\]\n/]{3,40}\]", lambda _: seed.choice(holders), text)


def dress(text: str, seed: random.Random) -> str:
    """Wrapped anew, or behind the marks of a comment, or in curly quotation marks, or as it is."""
    how = seed.randrange(6)
    if how == 0:
        return text
    if how == 5:
        text = re.sub(r'"([^"\n]*)"', "“\\1”", text).replace("'", "’")
    width = seed.choice((60, 72, 79, 100))
    lines = [line for part in re.split(r"\n\s*\n", text) for line in [*textwrap.wrap(part, width), ""]]
    mark = {1: "", 2: "# ", 3: "// ", 4: " * ", 5: ""}[how]
    return "\n".join((mark + line).rstrip() for line in lines)


def measure_list(check: Check, hosts: Sequence[bytes], copies: int) -> Error:
    """Every text that the index holds, dressed, before clean text: is its id the document's first licence?"""
    from verilabel.audit.licences.index import build_index

    seed = random.Random(7)
    ids = list_ids()
    held = [ids[number] for number in build_index().ids.tolist()]
    texts = {licence.id: licence.text for licence in load_licences().licences}
    told = [
        (identifier, dress(fill(texts[identifier], seed), seed)) for identifier in held for _ in range(copies)
    ]
    documents = [text.encode() + b"\n\n" + seed.choice(hosts) for _, text in told]
    right = claimed = 0
    missed: Counter[str] = Counter()
    for (identifier, _), seen in zip(told, look(check, documents), strict=True):
        claimed += bool(seen.first)
        right += seen.first == identifier
        if seen.first != identifier:
            missed[f"{identifier} as {seen.first or 'nothing'}"] += 1
    print(f"spdx-list: {right} of {len(told)} right; most missed: {missed.most_common(25)}")
    return Error("every indexed text of the SPDX list, dressed", len(told), right, claimed, right)


def measure_choosealicense(check: Check, folder: Path) -> Error:
    """Texts that others typed, their front matter taken away."""
    told = []
    for path in sorted(folder.glob("*.txt")):
        head, body = path.read_text("utf-8").split("---", 2)[1:]
        identifier = re.search(r"spdx-id: (\S+)", head)
        assert identifier is not None
        expected = read_declared(identifier.group(1))
        assert expected is not None
        told.append((expected.top, fill(body, random.Random(3)).encode()))
    seen = list(look(check, [text for _, text in told]))
    right = sum(expected == one.first for (expected, _), one in zip(told, seen, strict=True))
    wrong = [
        f"{expected} as {one.first}"
        for (expected, _), one in zip(told, seen, strict=True)
        if expected != one.first
    ]
    print(f"choosealicense: {right} of {len(told)} right; others: {wrong}")
    return Error("choosealicense.com texts", len(told), right, sum(bool(one.first) for one in seen), right)


def read_debian(folder: Path) -> list[tuple[str, bytes]]:
    """Licence paragraphs of machine-readable copyright files: the short name, and the text below it."""
    told: dict[bytes, str] = {}
    for path in sorted(folder.glob("*/copyright")):
        text = path.read_text("utf-8", "replace")
        if not text.startswith("Format:"):
            continue
        for paragraph in re.split(r"\n\s*\n(?=\S)", text):
            match = re.search(r"^License:[ \t]*(\S[^\n]*)\n((?:[ \t]+\S[^\n]*\n?)+)", paragraph, re.MULTILINE)
            if match and len(match.group(2)) > 200:
                told.setdefault(
                    re.sub(r"(?m)^[ \t]+\.?", "", match.group(2)).encode(), match.group(1).strip()
                )
    return [(name, text) for text, name in told.items()]


DEBIAN_NAMES = {
    "expat": "MIT",
    "public-domain": "",
    "bsd": "",
    "mit/x11": "",
    "mit": "MIT",
    "boost-1.0": "BSL-1.0",
}


def measure_debian(check: Check, folder: Path) -> None:
    """Agreement with Debian's short names, where those are ids of one licence."""
    told = []
    unknown: Counter[str] = Counter()
    for name, text in read_debian(folder):
        written = DEBIAN_NAMES.get(name.lower(), name)
        expected = read_declared(written) if written else None
        if expected is None or len(expected.ids) != 1 or " " in name:
            unknown[name] += 1
        else:
            told.append((expected.top or "", text))
    agreed = family = nothing = 0
    others: Counter[str] = Counter()
    for (expected_id, _), seen in zip(told, look(check, [text for _, text in told]), strict=True):
        if expected_id == seen.first or expected_id in seen.ids:
            agreed += 1
        elif not seen.first:
            nothing += 1
            others[f"{expected_id} as nothing"] += 1
        elif expected_id.split("-")[0] == seen.first.split("-")[0]:
            family += 1
            others[f"{expected_id} as {seen.first}"] += 1
        else:
            others[f"{expected_id} as {seen.first}"] += 1
    print(
        f"debian: {len(told)} different paragraphs with the short name of one known licence: {agreed} agree, "
        f"{family} name another version, {nothing} nothing, {len(told) - agreed - family - nothing} something else; "
        f"{sum(unknown.values())} paragraphs have names that are not compared"
    )
    for line, count in others.most_common(30):
        print("   ", count, line)


def measure_speed(check: Check, texts: Sequence[bytes]) -> None:
    """CPU milliseconds a MB of `examine`, the least of five."""
    batches = [make_batch(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    words = [cut_words(batch) for batch in batches]
    size = sum(len(batch.data) for batch in batches) / 1e6
    times = []
    for _ in range(6):
        begun = time.process_time()
        for batch, cut in zip(batches, words, strict=True):
            check.examine(batch, cut)
        times.append(time.process_time() - begun)
    print(f"speed: {1000 * min(times[1:]) / size:.2f} ms/MB on {size:.0f} MB")


def main() -> None:
    """Measure, print, and with --write keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder of benchmarks.audit.corpus")
    parser.add_argument("--choosealicense", type=Path)
    parser.add_argument("--debian", type=Path, default=Path("/usr/share/doc"))
    parser.add_argument("--copies", type=int, default=3, help="of each text of the SPDX list")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        OPENING.prepare(AuditSettings(), Path(folder))
        check = OPENING.open(AuditSettings(), Path(folder))
    documents, truth = read_corpus(args.corpus)
    clean = [text for name, text in documents if not truth[name]]
    by_kind: dict[str, list[Error]] = {
        kind: [error] for kind, error in measure_planted(check, args.corpus).items()
    }
    by_kind.setdefault("licence.text", []).append(measure_list(check, clean, args.copies))
    if args.choosealicense:
        by_kind["licence.text"].append(measure_choosealicense(check, args.choosealicense))
    measure_debian(check, args.debian)
    measure_speed(check, [text for _, text in documents])
    for kind, errors in by_kind.items():
        for error in errors:
            print(f"{kind}: {error}")
    if args.write:
        ERRORS.write_bytes(
            msgspec.json.format(msgspec.json.encode(by_kind, order="sorted"), indent=1) + b"\n"
        )


if __name__ == "__main__":
    main()
