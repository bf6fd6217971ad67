"""How often the language of a real text is told rightly: translations that a Debian machine has, cut into documents.

examples:
  python -m benchmarks.audit.measure_language
  python -m benchmarks.audit.measure_language --bytes 300 --write

The texts are the messages of gettext catalogues under /usr/share/locale, whose folder names the language; none of them
was used to build the check, which has its model from py3langid. `--write` puts the figures beside the check's code.
"""

from __future__ import annotations

import argparse
import gettext
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from verilabel.audit.interface import Batch, Error
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.language import measured as kept
from verilabel.audit.language.opening import OPENING
from verilabel.audit.settings import AuditSettings

LOCALES = Path("/usr/share/locale")
SEED = 20261123
DOCUMENTS_A_LANGUAGE = 200
FEWEST_DOCUMENTS = 20
SAME = {"nb": "no", "tl": "fil"}
"""Names of folders for what the model calls otherwise."""
SURE = 80


def read_messages(folder: Path) -> Iterator[str]:
    """The translated sentences of a language's catalogues, none twice."""
    seen: set[str] = set()
    for path in sorted((folder / "LC_MESSAGES").glob("*.mo")):
        try:
            with path.open("rb") as stream:
                catalogue = gettext.GNUTranslations(stream)
        except (OSError, ValueError, IndexError):
            continue  # no catalogue that Python can read
        for source, text in catalogue._catalog.items():  # type: ignore[attr-defined]
            worthy = (
                isinstance(source, str) and text != source and len(text.split()) >= 4 and text not in seen
            )
            if source and worthy:
                seen.add(text)
                yield text


def cut_documents(messages: Sequence[str], size: int) -> list[str]:
    """Messages behind one another, as documents of about `size` bytes."""
    documents: list[str] = []
    held: list[str] = []
    for message in messages:
        held.append(message)
        if sum(len(one.encode()) for one in held) >= size:
            documents.append("\n".join(held))
            held = []
    return documents


def collect(languages: set[str], size: int) -> dict[str, list[str]]:
    """Documents of each language that the model knows and this machine has enough of."""
    found: dict[str, list[str]] = {}
    for folder in sorted(LOCALES.iterdir()):
        language = SAME.get(folder.name, folder.name)
        if language not in languages:
            continue
        chance = random.Random(SEED)
        messages = list(read_messages(folder))
        chance.shuffle(messages)
        documents = cut_documents(messages, size)[:DOCUMENTS_A_LANGUAGE]
        if len(documents) >= FEWEST_DOCUMENTS:
            found[language] = documents
    return found


def make_batch(texts: Sequence[str]) -> Batch:
    """One batch of texts."""
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return Batch(np.frombuffer(b"".join(encoded), np.uint8).copy(), offsets, np.arange(len(encoded)))


def main() -> None:
    """Measure, print, and keep the figures where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bytes", type=int, default=600, help="of a document, about (600)")
    parser.add_argument("--write", action="store_true", help="keep the figures beside the check's code")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        OPENING.prepare(AuditSettings(), Path(folder))
        check = OPENING.open(AuditSettings(), Path(folder))
        found = collect(set(check.languages), arguments.bytes)
        texts = [text for documents in found.values() for text in documents]
        truth = [language for language, documents in found.items() for _ in documents]
        batch = make_batch(texts)
        words = cut_words(batch)
        check.examine(batch, words)  # compiles
        start = time.process_time()
        columns = check.examine(batch, words).columns
        seconds = time.process_time() - start
    told = [check.languages[code] for code in columns["language_code"]]
    right = [one == other for one, other in zip(told, truth, strict=True)]
    sure = (columns["language_sure"] >= SURE).tolist()
    megabytes = len(batch.data) / 1e6
    print(
        f"{len(texts)} documents of {len(found)} languages, {megabytes:.1f} MB, {1000 * seconds / megabytes:.1f} ms/MB"
    )
    worst = sorted(
        (sum(r for r, t in zip(right, truth, strict=True) if t == one) / len(found[one]), one)
        for one in found
    )
    print("least often told rightly:", ", ".join(f"{one} {share:.2f}" for share, one in worst[:15]))
    errors = (
        Error("gettext translations", len(texts), sum(right), len(texts), sum(right)),
        Error(
            f"gettext translations, sure {SURE} or more",
            len(texts),
            sum(r and s for r, s in zip(right, sure, strict=True)),
            sum(sure),
            sum(r and s for r, s in zip(right, sure, strict=True)),
        ),
    )
    for error in errors:
        print(error)
    if arguments.write:
        measured = kept.Measured(
            method=f"benchmarks.audit.measure_language, seed {SEED}: {len(found)} languages, documents of about "
            f"{arguments.bytes} bytes cut from the catalogues of a Debian machine",
            told=errors,
        )
        target = Path(kept.__file__).with_suffix(".json")
        target.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")


if __name__ == "__main__":
    main()
