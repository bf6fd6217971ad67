"""Documents with one value spoilt, and signed again where they are signed: both verifiers find the same of them."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from audit_statements import AUDITOR, PERSON, declaration_of, finding_of
from bundle_factory import READ, Recipe, make_bundle
from party_factory import (
    CRITIC,
    REPLICATOR,
    another_digest,
    comparison_of,
    dispute_of,
    make_party,
    model_that,
    replica_recipe,
    replication_of,
    statement_of,
    withdrawal_of,
)
from two_findings import finding_here, finding_there
from verilabel.errors import VerilabelError
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.envelope import sign
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.manifest import make_manifest
from verilabel.evidence.others.signed import Signed, parse_signed
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import jcs

ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    2**53 - 1,
    "",
    "0",
    "x",
    "0.500000",
    "0.5",
    1,
    "\x85\x1f",
    [],
    {},
    [None],
    {"": ""},
]
DOCUMENTS = [layout.SYSTEM, layout.PLAN, layout.LABEL, layout.MEASURES]
BUNDLES_A_DOCUMENT = 40
TEXTS_A_KIND = 150
RunNode = Callable[..., list[dict[str, Any]]]


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a document but the whole."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places_in(inner, (*path, key))


def spoil(document: Any, source: Random) -> Any:
    """A copy in which one value is another, is missing, or has one beside it."""
    spoilt = copy.deepcopy(document)
    *way, last = source.choice(list(places_in(document)))
    parent = spoilt
    for key in way:
        parent = parent[key]
    what = source.choice(["replace", "replace", "replace", "remove", "add"])
    if what == "replace":
        parent[last] = source.choice(ODD)
    elif what == "remove":
        del parent[last]
    elif isinstance(parent, dict):
        parent[source.choice(["", "x", "collapse", "node", "where", "missing", "flags"])] = source.choice(ODD)
    else:
        parent.append(copy.deepcopy(source.choice([*parent, *ODD])))
    return spoilt


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unsigned bundle: nothing but its documents' own forms and sums stands in the way of a spoilt one."""
    recipe = Recipe(key=None, log_key=None, sizes=(("quiz", 4), ("puzzles", 3)), errors="0.2")
    return make_bundle(tmp_path_factory.mktemp("unsigned"), recipe).path


def with_document(bundle: Path, target: Path, path: str, data: bytes) -> Path:
    """A copy of a bundle with another document, listed anew."""
    shutil.copytree(bundle, target)
    (target / path).write_bytes(data)
    listed = [name for name in Folder(target).sizes if name not in layout.UNLISTED]
    (target / layout.MANIFEST).write_bytes(make_manifest(target, listed).bytes())
    return target


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_bundle_with_a_spoilt_document_is_judged_alike(
    run_node: RunNode, unsigned: Path, tmp_path: Path, path: str
) -> None:
    source = Random(path)
    document = json.loads((unsigned / path).read_bytes())
    bundles = [
        with_document(unsigned, tmp_path / str(number), path, jcs(spoil(document, source)))
        for number in range(BUNDLES_A_DOCUMENT)
    ]
    answers = run_node("verify.mjs", "--now", READ.isoformat(), *bundles)
    failed = 0
    for bundle, answer in zip(bundles, answers, strict=True):
        here = finding_here(verify_bundle(bundle, now=READ))
        failed += here["error"] is not None
        assert here == finding_there(answer), (bundle / path).read_text()
    assert failed > BUNDLES_A_DOCUMENT // 2


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Signed, PrivateKey]]:
    """A statement of each kind, and the key that signed it."""
    folder = tmp_path_factory.mktemp("parties")
    original = make_party(folder / "original")
    replica = make_party(folder / "replica", replica_recipe(), model_that(11))
    about, comparison = statement_of(original), comparison_of(original, replica)
    successor = withdrawal_of(about, CRITIC, successor=another_digest())
    return {
        "replication": (replication_of(original, replica, comparison=comparison), REPLICATOR),
        "dispute": (dispute_of(about), CRITIC),
        "withdrawal": (successor, CRITIC),
        "finding": (finding_of(original, "governance"), PERSON),
        "audit": (declaration_of(original), AUDITOR),
    }


@pytest.mark.parametrize("kind", ["replication", "dispute", "withdrawal", "finding", "audit"])
@pytest.mark.parametrize("part", ["payload", "file"])
def test_a_spoilt_statement_is_refused_alike(
    run_node: RunNode, signed: dict[str, tuple[Signed, PrivateKey]], kind: str, part: str
) -> None:
    statement, key = signed[kind]
    source, file = Random(kind + part), json.loads(statement.data)
    payload = json.loads(statement.attestation.payload)
    files = [
        {**file, "envelope": json.loads(sign(jcs(spoil(payload, source)), key))}
        if part == "payload"
        else spoil(file, source)
        for _ in range(TEXTS_A_KIND)
    ]
    texts = [(jcs(item) + b"\n").decode() for item in files]
    answers = run_node("read.mjs", lines=[{"reader": "signed", "text": text} for text in texts])
    refused = 0
    for text, item, answer in zip(texts, files, answers, strict=True):
        try:
            here: tuple[str | None, str | None] = (parse_signed(text.encode()).attestation.digest, None)
        except VerilabelError as error:
            here, refused = (None, error.code), refused + 1
        assert here == (answer.get("value"), answer.get("kind")), (answer, item)
    assert refused > TEXTS_A_KIND // 2
