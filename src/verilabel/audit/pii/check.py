"""The check of personal data and secrets over batches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, CheckCard, Examined, Findings, Positions, Words
from verilabel.audit.pii.card import make_card
from verilabel.audit.pii.kernels import tables
from verilabel.audit.pii.kernels.reading import hash_three
from verilabel.audit.pii.kernels.resolving import bound_kinds, keep_longest
from verilabel.audit.pii.kernels.scanning import find_candidates
from verilabel.audit.pii.kernels.tables import Rows, Tables, make_flags
from verilabel.audit.pii.kinds import INDEX, KINDS
from verilabel.audit.pii.prefixes import list_prefixes
from verilabel.audit.pii.verifying import Candidate, Verifier
from verilabel.audit.pii.wording import make_context, make_examples, make_tlds
from verilabel.audit.settings import PiiSettings
from verilabel.detectors.spans.checks import IBAN_LENGTHS

_PROVEN = np.array(
    [INDEX[name] for name in ("pii.email", "pii.ipv4", "pii.ipv6", "pii.mac", "pii.card", "pii.ssn")],
    np.int64,
)
"""Kinds of the rules whose candidates are findings, in the rules' order."""


class PiiCheck:
    """Finds personal data and secrets; see its card."""

    reads_words = True

    def __init__(self, settings: PiiSettings) -> None:
        self._card = make_card(settings.regions)
        self._verifier = Verifier(settings.regions)
        self._tables = make_tables()

    @property
    def card(self) -> CheckCard:
        """What it is."""
        return self._card

    def examine(self, batch: Batch, words: Words) -> Examined:
        """Look at a batch."""
        beyond = np.zeros(len(batch), np.uint32)
        rows = find_candidates(batch.data, batch.offsets, words, self._tables)
        rows = rows[np.lexsort((rows[:, 4], rows[:, 3], rows[:, 1], rows[:, 0]))]
        rows = rows[_bound(rows[:, 0], rows[:, 1], tables.RULES, beyond)]
        kind, level, claims = self._verify(batch, rows)
        chosen = np.flatnonzero(kind >= 0)
        rows, kind, level, claims = rows[chosen], kind[chosen], level[chosen], claims[chosen]
        order = np.lexsort((kind, -claims[:, 1], claims[:, 0]))
        rows, kind = rows[order], kind[order]
        keep = np.zeros(len(order), np.bool_)
        keep_longest(rows[:, 0].copy(), level[order], claims[order, 0].copy(), claims[order, 1].copy(), keep)
        rows, kind = rows[keep], kind[keep]
        keep = _bound(rows[:, 0], kind, len(KINDS), beyond)
        rows, kind = rows[keep], kind[keep]
        findings = Findings(
            rows[:, 0].astype(np.int32), kind.astype(np.uint16), rows[:, 3].copy(), rows[:, 4].copy()
        )
        return Examined(columns={"pii_beyond": beyond}, findings=findings)

    def _verify(self, batch: Batch, rows: Rows) -> tuple[Positions, Positions, Rows]:
        """The kind of each candidate (-1 for none), its level, and what it claims; narrows candidates in place."""
        rule = rows[:, 1]
        kind = np.full(len(rows), -1, np.int64)
        level = np.zeros(len(rows), np.int64)
        claims = rows[:, 3:5].copy()
        proven = rule < tables.FIRST_VERIFIED
        kind[proven] = _PROVEN[rule[proven]]
        self._verifier.begin(batch.data)
        places = np.flatnonzero(~proven)
        bounds = zip(
            batch.offsets[rows[places, 0]].tolist(), batch.offsets[rows[places, 0] + 1].tolist(), strict=True
        )
        for place, fields, (low, high) in zip(places.tolist(), rows[places].tolist(), bounds, strict=True):
            _, number, note, start, end = fields
            found = self._verifier.look(number, Candidate(note, start, end, low, high))
            if found is not None:
                kind[place], level[place] = found.kind, found.level
                rows[place, 3], rows[place, 4] = found.start, found.end
                claims[place] = found.claim or (found.start, found.end)
        return kind, level, claims


def _bound(
    document: Positions, kind: Positions, kinds: int, beyond: npt.NDArray[np.uint32]
) -> npt.NDArray[np.bool_]:
    keep = np.zeros(len(document), np.bool_)
    bound_kinds(document.copy(), kind.copy(), kinds, keep, beyond)
    return keep


def make_tables() -> Tables:
    """The tables of the pass."""
    context, says = make_context()
    prefixes = list_prefixes()
    bits = np.zeros(8192, np.uint8)
    for prefix in prefixes:
        bits[hash_three(*prefix.text[:3])] = 1
    for begin in (b"eyJ", b"BEG"):
        bits[hash_three(*begin)] = 1
    lengths = np.zeros(26 * 26, np.uint8)
    for country, length in IBAN_LENGTHS.items():
        lengths[(ord(country[0]) - 65) * 26 + ord(country[1]) - 65] = length
    return Tables(
        flags=make_flags(),
        tlds=make_tlds(),
        context=context,
        says=says,
        prefix_bits=bits,
        prefixes=np.frombuffer(b"".join(prefix.text for prefix in prefixes), np.uint8).copy(),
        prefix_offsets=np.cumsum([0, *(len(prefix.text) for prefix in prefixes)]).astype(np.int64),
        iban_lengths=lengths,
        examples=make_examples(),
    )
