"""A whole audit: survey, manifest, signature, and the result in its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from verilabel.audit.engine.assembling import assemble, move_into_place
from verilabel.audit.engine.blocking import in_thread
from verilabel.audit.engine.driving import Ordered, survey
from verilabel.audit.engine.interface import Executor
from verilabel.audit.engine.sampled import Say
from verilabel.audit.engine.watching import Watch
from verilabel.audit.engine.work import (
    OUT,
    check_out,
    clear_scratch,
    find_benchmarks,
    locked_work,
    remove_work,
    sort_inputs,
)
from verilabel.audit.proof.attesting import sign_audit
from verilabel.audit.proof.layout import ATTESTATION, MANIFEST
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.evidence.atomic import flush_folder, write_file
from verilabel.evidence.keys import PrivateKey

__all__ = ["Ordered", "audit"]


def _stay_silent(words: str) -> None:
    """Nobody listens."""
    del words


async def audit(
    ordered: Ordered, executor: Executor, watch: Watch, key: PrivateKey | None, say: Say = _stay_silent
) -> AuditManifest:
    """Audit what was ordered, and leave the result at `ordered.out`. Done again after a break, it continues.

    Raises UsageError where there is something already, MalformedInput where nothing could be read, ShardChanged where a
    file changes meanwhile, SandboxError where workers die again and again, OSError where the disk refuses.
    """
    ordered = replace(
        ordered,
        out=ordered.out.absolute(),
        inputs=sort_inputs(ordered.inputs),
        settings=find_benchmarks(ordered.settings),
    )
    check_out(ordered.out, ordered.inputs, force=ordered.force)
    with locked_work(ordered.out) as work:
        check_out(ordered.out, (), force=ordered.force)  # whoever had the lock before may have put it there
        clear_scratch(work)
        surveyed = await survey(ordered, executor, watch, work, say)
        watch.enter("sealing")
        manifest = await in_thread(assemble, surveyed, work)
        write_file(work / OUT / MANIFEST, manifest.bytes())
        if key is not None:
            signed = sign_audit(manifest, key, datetime.now(UTC).replace(microsecond=0))
            write_file(work / OUT / ATTESTATION, signed.data)
        await in_thread(move_into_place, work, ordered.out, force=ordered.force)
        flush_folder(ordered.out.parent)
        remove_work(work)
    watch.enter("done")
    return manifest
