"""Clusters of duplicates over a corpus, held together by nothing but the records."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verilabel.audit.duplicates.clusters import MOST_ALARMS, count_larger, describe_sizes, kinds_for
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.records import Records
from verilabel.errors import SealError

_MOST_SIZE = 2**32 - 1
Numbers = npt.NDArray[np.int64]


class Clustering:
    """The cluster columns of all records: 32 bytes a document."""

    def __init__(self, manifest: AuditManifest) -> None:
        read = manifest.coverage.read
        self._kinds = kinds_for(manifest.settings.duplicates.near)
        self._first = {kind: np.zeros(read, np.int64) for kind in self._kinds}
        self._size = {kind: np.zeros(read, np.int64) for kind in self._kinds}
        self._at = 0

    def add(self, records: Records) -> None:
        """The next records of the corpus. Raises SealError where there are more than the manifest says."""
        end = self._at + len(records)
        if end > len(self._first["exact"]):
            raise SealError(
                "there are more records than documents that were read", where="audit.json", step=3
            )
        for kind in self._kinds:
            first = records[f"duplicates_{kind}"]
            if len(first) and int(first.max()) >= len(self._first[kind]):
                raise SealError("a cluster that begins with no document", where=f"record {self._at}", step=6)
            self._first[kind][self._at : end] = first
            self._size[kind][self._at : end] = records[f"duplicates_{kind}_size"]
        self._at = end

    def check(self, manifest: AuditManifest) -> None:
        """Every document is in the cluster of its first document, sizes are counts, and the summary follows."""
        said = manifest.duplicates
        assert said is not None
        sizes = {kind: self._check_kind(kind) for kind in self._kinds}
        widest = self._kinds[-1]
        first = self._first[widest]
        if not (first[self._first["exact"]] == first).all():
            raise SealError("exact duplicates in two clusters of near ones", where="duplicates", step=6)
        alarms, alarming = count_larger(
            sizes[widest], manifest.settings.duplicates.alarm_documents + 1, MOST_ALARMS
        )
        found: dict[str, object] = {
            "documents": self._at,
            "exact": describe_sizes(sizes["exact"]),
            "near": describe_sizes(sizes["near"]) if "near" in sizes else None,
            "alarms": alarms,
            "alarming": alarming,
        }
        for name, value in found.items():
            if getattr(said, name) != value:
                raise SealError(
                    f"{name} of duplicates does not follow from the records", where="audit.json", step=6
                )

    def _check_kind(self, kind: str) -> Numbers:
        first = self._first[kind]
        if (first > np.arange(len(first))).any() or not (first[first] == first).all():
            raise SealError(
                f"a cluster of {kind} duplicates that is not its first document's", where=kind, step=6
            )
        sizes = np.bincount(first, minlength=len(first))
        if not (np.minimum(sizes[first], _MOST_SIZE) == self._size[kind]).all():
            raise SealError(f"sizes of {kind} duplicates are not counts", where=kind, step=6)
        return sizes.astype(np.int64)
