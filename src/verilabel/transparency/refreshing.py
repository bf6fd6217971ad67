"""Giving a bundle the proofs that its log has by now: for one that was sealed while a witness was silent.

The proofs lie outside of what the signature binds, because the log made them after it; so they may be replaced by newer
proofs of the same entries. A proof that every witness cosigned is kept: it says the earlier time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from verilabel.errors import UsageError
from verilabel.evidence.atomic import flush_folder, write_file
from verilabel.evidence.consistency import consistency_bytes
from verilabel.evidence.container import Container, open_container, write_zip
from verilabel.evidence.keys import PublicKey
from verilabel.evidence.layout import CONSISTENCY, LABEL_PROOF, LOG_KEY, PLAN_PROOF
from verilabel.evidence.merkle import consistency_proof, inclusion_proof
from verilabel.evidence.note import OpenedCheckpoint, Proof, open_checkpoint, open_proof, parse_proof
from verilabel.evidence.reading import read_document
from verilabel.transparency.tiles import TileNodes, TileSource


def refresh_bundle(
    bundle: Path, source: TileSource, key: PublicKey, note: bytes, witnesses: Sequence[PublicKey]
) -> list[str]:
    """Replace a bundle's proofs that lack a cosignature by proofs against a checkpoint that has them.

    `note` is that checkpoint, of the log with this `key` and these tiles, `witnesses` whose cosignatures are asked for.
    Returns the paths of the replaced proofs. The bundle is replaced whole or not at all. Raises UsageError where it was
    logged in another log; SealError where its entries are not in this one.
    """
    with open_container(bundle) as container:
        if any(path not in container.sizes for path in (PLAN_PROOF, LABEL_PROOF, LOG_KEY, CONSISTENCY)):
            raise UsageError("this bundle is not logged", where=str(bundle))
        if read_document(container, LOG_KEY) != key.file_bytes():
            raise UsageError(
                "this bundle was logged in another log", where=str(bundle), hint="--log FOLDER|URL"
            )
        old = {path: read_document(container, path) for path in (PLAN_PROOF, LABEL_PROOF)}
        new = _renew(old, source, key, note, witnesses)
        changed = [path for path in old if new[path] != old[path]]
        if not changed:
            return []
        with tempfile.TemporaryDirectory(prefix=f".{bundle.name}.", dir=bundle.parent) as scratch:
            copy = Path(scratch) / "bundle"
            _copy_with(container, new, copy)
            _replace(bundle, copy, Path(scratch))
    return changed


def _renew(
    old: Mapping[str, bytes], source: TileSource, key: PublicKey, note: bytes, witnesses: Sequence[PublicKey]
) -> dict[str, bytes]:
    """The two proofs and the consistency proof between their checkpoints."""
    latest = open_checkpoint(note, [key], witnesses)
    nodes = TileNodes(source, latest.checkpoint.size)
    new, sizes = dict(old), {}
    for path in (LABEL_PROOF, PLAN_PROOF):
        proof = parse_proof(old[path], where=path)
        opened = open_proof(old[path], nodes.node(0, proof.index), [key], witnesses, where=path)
        sizes[path] = opened.checkpoint.size
        # A plan's checkpoint must not be newer than its label's: where the plan's is renewed, so is the label's.
        behind = len(opened.cosignatures) < len(latest.cosignatures)
        if behind or (path == LABEL_PROOF and _is_behind(old[PLAN_PROOF], key, witnesses, latest)):
            path_up = inclusion_proof(nodes, proof.index, latest.checkpoint.size)
            new[path] = Proof(proof.index, tuple(path_up), note).bytes()
            sizes[path] = latest.checkpoint.size
            open_proof(new[path], nodes.node(0, proof.index), [key], witnesses, where=source.name)
    first, second = sizes[PLAN_PROOF], sizes[LABEL_PROOF]
    new[CONSISTENCY] = consistency_bytes(first, second, consistency_proof(nodes, first, second))
    return new


def _is_behind(data: bytes, key: PublicKey, witnesses: Sequence[PublicKey], latest: OpenedCheckpoint) -> bool:
    note = parse_proof(data, where=PLAN_PROOF).checkpoint_note
    return len(open_checkpoint(note, [key], witnesses, where=PLAN_PROOF).cosignatures) < len(
        latest.cosignatures
    )


def _copy_with(container: Container, replaced: Mapping[str, bytes], target: Path) -> None:
    for path in container.sizes:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        if path in replaced:
            write_file(target / path, replaced[path])
            continue
        with container.open(path) as source, (target / path).open("wb") as out:
            shutil.copyfileobj(source, out)
            out.flush()
            os.fsync(out.fileno())


def _replace(bundle: Path, copy: Path, scratch: Path) -> None:
    if bundle.is_file():
        packed = scratch / "bundle.zip"
        write_zip(copy, packed)
        packed.replace(bundle)
    else:
        bundle.rename(scratch / "before")
        copy.rename(bundle)
    flush_folder(bundle.parent)
