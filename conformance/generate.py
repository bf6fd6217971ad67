"""Write the conformance vectors: rubrics and counts with the label that follows, and what must be refused.

    python conformance/generate.py            write the files beside this one
    python conformance/generate.py --check    end with status 1 where a file is not what would be written

The cases are in `cases.py`, `conventions.py`, `refusals.py`, `sealed.py` and `statements.py`; README.md says how
another implementation uses the vectors.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parent))

from cases import GROUPS
from refusals import REFUSED_INPUTS, REFUSED_RUBRICS
from sealed import SEALED_FORMAT, sealed_cases
from shapes import Case
from statements import STATEMENTS_FORMAT, statement_vectors

from verilabel.errors import VerilabelError
from verilabel.records.canonical import digest
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric

FOLDER = Path(__file__).parent
FORMAT = "verilabel/conformance/v1"
FORMATS = {"sealed.json": SEALED_FORMAT, "statements.json": STATEMENTS_FORMAT}
"""The formats of files whose cases are no label decisions."""


def inputs_of(case: Case) -> dict[str, Any]:
    """What a second implementation is given."""
    inputs: dict[str, Any] = {"name": case.name, "rubric": case.rubric, "design": case.design}
    if case.why:
        inputs["why"] = case.why
    inputs["tallies"] = _counts(case.tallies)
    if case.attested:
        inputs["attested"] = list(case.attested)
    if case.references:
        inputs["references"] = _counts(case.references)
    return inputs


def _counts(tallies: Iterable[Tally]) -> dict[str, Any]:
    return {tally.measure: msgspec.to_builtins(tally) for tally in tallies}


def _decide(case: Case) -> Any:
    rubric = load_rubric(case.rubric.encode(), "rubric")
    return decide(
        rubric,
        {tally.measure: tally for tally in case.tallies},
        design=case.design,
        attested=case.attested,
        references={tally.measure: tally for tally in case.references},
    )


def vector_of(case: Case) -> dict[str, Any]:
    """A case with its label, and the digest of the label's canonical bytes."""
    label = _decide(case)
    return {**inputs_of(case), "label": label.document(), "label_sha256": digest(label.bytes())}


def refused_rubric(name: str, text: str) -> dict[str, Any]:
    """A rubric's text with the kind and the place of the error it must give."""
    try:
        load_rubric(text.encode(), "rubric")
    except VerilabelError as error:
        return {"name": name, "rubric": text, "error": error.code, "where": error.where}
    raise SystemExit(f"the rubric of {name!r} is not refused")


def refused_input(case: Case) -> dict[str, Any]:
    """Counts that must be refused, with the kind and the place of the error."""
    try:
        _decide(case)
    except VerilabelError as error:
        return {**inputs_of(case), "error": error.code, "where": error.where}
    raise SystemExit(f"the counts of {case.name!r} are not refused")


def _decided(group: Sequence[Case]) -> dict[str, Any]:
    return {"cases": [vector_of(case) for case in group]}


FILES: dict[str, Callable[[], dict[str, Any]]] = {
    **{f"{name}.json": partial(_decided, group) for name, group in GROUPS.items()},
    "refused-rubrics.json": lambda: {"cases": [refused_rubric(*case) for case in REFUSED_RUBRICS.items()]},
    "refused-inputs.json": lambda: {"cases": [refused_input(case) for case in REFUSED_INPUTS]},
    "sealed.json": lambda: {"cases": sealed_cases()},
    "statements.json": statement_vectors,
}
"""Every file, and what makes what is in it."""


def text_of(name: str) -> str:
    """The exact text of a file."""
    document = {"format": FORMATS.get(name, FORMAT), **FILES[name]()}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write or compare the files; the exit status."""
    different = 0
    for name in FILES:
        path, text = FOLDER / name, text_of(name)
        if arguments == ["--check"]:
            if not path.is_file() or path.read_text("utf-8") != text:
                print(f"differs: {path.name}")
                different = 1
        else:
            path.write_text(text, "utf-8")
            print(f"wrote {path.name}")
    return different


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
