"""A corpus of real text with known truth: gathered from packages' files, scrubbed, planted, in several forms of files.

examples:
  python -m benchmarks.audit.corpus --mb 30 --out corpus-30 --plant
  python -m benchmarks.audit.corpus --mb 300 --out corpus-300 --plant --environments --items items.jsonl
  python -m benchmarks.audit.corpus --mb 3000 --out corpus-3000 --environments --from /usr/share/texmf --forms parquet
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.audit.base_texts import Gathered, gather, read_base, write_base
from benchmarks.audit.items import read_items, usual_items
from benchmarks.audit.negatives import NEGATIVES
from benchmarks.audit.sources import environment_roots, usual_roots
from benchmarks.audit.unseen import UNSEEN
from verilabel.audit.canaries.copies import copy_documents
from verilabel.audit.canaries.draws import Draws
from verilabel.audit.canaries.items import Item
from verilabel.audit.canaries.planting import list_formats, plant_formats, plantable_kinds

FORMS = ("parquet", "jsonl", "gz", "zst")
SEED = b"benchmarks/audit/corpus 1"
MIN_PER_FORMAT = 20
VALUES_A_HOST = 2
FULL_LICENCES = Path("/usr/share/common-licenses")
_SHARD_BYTES = 32e6


@dataclass
class Document:
    """One document of the corpus, and what is true of it."""

    id: str
    text: bytes
    truth: list[dict[str, Any]] = field(default_factory=list)


def values_per_format(documents: int) -> int:
    """How many values of each format a corpus of so many documents takes: a tenth to a fifth of them are hosts."""
    return max(MIN_PER_FORMAT, min(300, documents // 800))


def plant_corpus(texts: Sequence[bytes], items: Sequence[Item], per_format: int) -> Iterator[Document]:
    """The texts with values, look-alikes, licences and copies in them; what is true stands beside each."""
    draws = Draws(SEED, "corpus")
    order = draws.shuffle(range(len(texts)))
    formats = list_formats(plantable_kinds(), items) + NEGATIVES.formats + UNSEEN.formats
    hosts = order[: -(-len(formats) * per_format // VALUES_A_HOST)]
    if len(hosts) > len(texts) // 2:
        raise SystemExit(f"{len(texts)} documents are too few for {len(hosts)} hosts: ask for more --mb")
    planted = plant_formats(
        [texts[i] for i in hosts],
        SEED,
        formats,
        per_format,
        values_a_document=VALUES_A_HOST,
        max_host_bytes=1 << 30,
    )
    documents = [Document(f"d{i:08d}", texts[i]) for i in range(len(texts))]
    for host, text in zip(hosts, planted.texts, strict=True):
        documents[host].text = text
    for one in planted.truth:
        told = {"kind": one.kind, "format": one.format, "start": one.start, "end": one.end}
        documents[hosts[one.document]].truth.append(told)
    rest = order[len(hosts) :]
    documents += _with_full_licences(documents, rest, per_format)
    originals = [i for i in rest if 400 < len(texts[i]) < 20_000]
    for number, copy in enumerate(copy_documents([texts[i] for i in originals], SEED, 2 * per_format)):
        of = documents[originals[copy.original]].id
        told = {"kind": "duplicate", "format": copy.format, "of": of, "jaccard": round(copy.jaccard, 4)}
        documents.append(Document(f"c{number:08d}", copy.text, [told]))
    yield from (documents[i] for i in draws.shuffle(range(len(documents))))


def _with_full_licences(documents: Sequence[Document], rest: Sequence[int], count: int) -> list[Document]:
    """More documents: texts that begin with a licence of many pages, as this machine ships it."""
    made = []
    files = [path for path in sorted(FULL_LICENCES.glob("*-*")) if not path.is_symlink()]
    for number, path in enumerate(files):
        text = path.read_bytes()
        for at in range(min(10, count // 4)):
            host = documents[rest[-1 - (number * count + at) % len(rest)]].text
            told = {"kind": "licence.text", "format": f"full:{path.name}", "start": 0, "end": len(text)}
            made.append(
                Document(
                    f"l{number:03d}{at:05d}",
                    text + b"\n\n" + host[:2_000].decode("utf-8", "ignore").encode(),
                    [told],
                )
            )
    return made


def repeat_with_edits(gathered: Gathered, megabytes: float) -> None:
    """Fill up to the size with documents whose every fourth word is another's: no near copies, and no new language."""
    draws = Draws(SEED, "repetition")
    size, wanted = sum(map(len, gathered.texts)), megabytes * 1e6
    distinct = len(gathered.texts)
    vocabulary = draws.shuffle([word for text in gathered.texts[:4_000] for word in text.split()[:60]])
    while size < wanted:
        one = draws.below(distinct)
        words = gathered.texts[one].split(b" ")
        places = range(draws.below(4), len(words), 4)
        first = draws.below(max(1, len(vocabulary) - len(places)))
        for at, word in zip(places, vocabulary[first:], strict=False):
            words[at] = word
        gathered.texts.append(b" ".join(words))
        gathered.code.append(gathered.code[one])
        gathered.sources.append(gathered.sources[one])
        gathered.repeated += 1
        size += len(gathered.texts[-1])


# ---------------------------------------------------------------- files


def write_shards(documents: Sequence[Document], out: Path, forms: Sequence[str]) -> list[str]:
    """The documents as shards of equal numbers, in every form that was asked for; their names."""
    count = max(4, round(sum(len(one.text) for one in documents) / _SHARD_BYTES))
    size = -(-len(documents) // count)
    written = []
    for number in range(count):
        part = documents[number * size : (number + 1) * size]
        rows = [_row(one) for one in part]
        for form in forms:
            (out / form).mkdir(exist_ok=True)
            path = out / form / f"part-{number:03d}{_ENDINGS[form]}"
            _WRITERS[form](path, rows)
            written.append(str(path.relative_to(out)))
    return written


def _row(document: Document) -> dict[str, Any]:
    known = {"id": document.id, "text": document.text.decode(), "source": "packages"}
    host = ("docs.example.org", "example.com", "www.example.net", "blog.example.edu")[len(document.text) % 4]
    day = f"20{10 + len(document.text) % 16}-0{1 + len(document.text) % 9}-11T00:00:00.000Z"
    return {
        **known,
        "added": "2026-01-01T00:00:00.000Z",
        "created": day,
        "url": f"https://{host}/{document.id}",
        "date": day[:10],
    }


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd", row_group_size=2_000)


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _write_gz(path: Path, rows: list[dict[str, Any]]) -> None:
    with gzip.GzipFile(path, "wb", compresslevel=4, mtime=0) as file:
        file.write(_lines(rows))


def _write_zst(path: Path, rows: list[dict[str, Any]]) -> None:
    import zstandard

    path.write_bytes(zstandard.ZstdCompressor(level=3).compress(_lines(rows)))


_ENDINGS = {"parquet": ".parquet", "jsonl": ".jsonl", "gz": ".json.gz", "zst": ".jsonl.zst"}
_WRITERS: dict[str, Any] = {
    "parquet": _write_parquet,
    "jsonl": lambda path, rows: path.write_bytes(_lines(rows)),
    "gz": _write_gz,
    "zst": _write_zst,
}


def make_corpus(
    out: Path, megabytes: float, roots: Sequence[Path], items: Sequence[Item], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Gather (or take what was gathered before), plant, write; what the corpus is, as it stands in corpus.json."""
    out.mkdir(parents=True, exist_ok=True)
    base = out / "base.parquet"
    if base.is_file():
        gathered = read_base(base)
    else:
        gathered = gather(roots, megabytes, workers=arguments.workers)
        write_base(gathered, base)
        gathered = read_base(base)
    if gathered.megabytes() < 0.97 * megabytes:
        print(
            f"{gathered.megabytes():.0f} MB of distinct text; the rest repeats it with edits", file=sys.stderr
        )
        repeat_with_edits(gathered, megabytes)
    if arguments.plant:
        documents = list(
            plant_corpus(
                gathered.texts, items, arguments.per_format or values_per_format(len(gathered.texts))
            )
        )
    else:
        documents = [Document(f"d{i:08d}", text) for i, text in enumerate(gathered.texts)]
    shards = write_shards(documents, out, arguments.forms)
    _write_truth(documents, out / "truth.jsonl")
    lines = [json.dumps({"question": item.question, "answer": item.answer}) for item in items]
    (out / "items.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    made = {
        "documents": len(documents),
        "text_bytes": sum(len(one.text) for one in documents),
        "code_documents": sum(gathered.code),
        "repeated_with_edits": gathered.repeated,
        "roots": [str(root) for root in roots],
        "seed": SEED.decode(),
        "planted": _counts(documents),
        "shards": shards,
    }
    torn = out / "corpus.json.tmp"
    torn.write_text(json.dumps(made, indent=1) + "\n")
    torn.replace(out / "corpus.json")
    return made


def _write_truth(documents: Sequence[Document], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for document in documents:
            for told in document.truth:
                file.write(json.dumps({"id": document.id, **told}) + "\n")


def _counts(documents: Sequence[Document]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for document in documents:
        for told in document.truth:
            formats = counts.setdefault(told["kind"], {})
            formats[told["format"]] = formats.get(told["format"], 0) + 1
    return {kind: dict(sorted(formats.items())) for kind, formats in sorted(counts.items())}


def main(arguments: Sequence[str]) -> int:
    """Make a corpus as the arguments say."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.audit.corpus",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mb", type=float, required=True, help="megabytes of text, before planting")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--plant", action="store_true", help="plant findings, look-alikes and copies; writes truth.jsonl"
    )
    parser.add_argument(
        "--from",
        dest="more",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="more folders of text",
    )
    parser.add_argument(
        "--environments", action="store_true", help="also the virtual environments beside the running one"
    )
    parser.add_argument(
        "--items", type=Path, metavar="FILE", help="benchmark items, JSON lines with question and answer"
    )
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument(
        "--per-format", type=int, metavar="N", help="values of each format (default: by the size)"
    )
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    roots = usual_roots() + (environment_roots() if given.environments else []) + given.more
    items = read_items(given.items) if given.items else usual_items()
    made = make_corpus(given.out, given.mb, roots, items, given)
    print(f"{made['documents']} documents, {made['text_bytes'] / 1e6:.1f} MB of text in {given.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
