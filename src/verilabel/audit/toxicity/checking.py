"""The check `toxicity`: a census of words and phrases that insult, hate, threaten or are sexual."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec
import numpy as np

from verilabel.audit.interface import (
    Batch,
    CheckCard,
    Column,
    Error,
    Examined,
    Findings,
    Kind,
    Words,
)
from verilabel.audit.toxicity.kernel import (
    AFTER,
    BEFORE,
    COMPANY_WORDS,
    GAPS,
    MAX_FINDINGS,
    MAX_GAP_BYTES,
    find_terms,
)
from verilabel.audit.toxicity.lexicon import CATEGORIES, GROUPS, Lexicon, shipped_lexicon
from verilabel.audit.toxicity.storing import KeptLexicon, keep_lexicon
from verilabel.records.canonical import digest, jcs, sha256_hex

VERSION = "1"
WORDS = {
    "slur": "a word that demeans people for what they are",
    "profanity": "a swear word or an insult",
    "sexual": "a sexually explicit word",
    "threat": "a phrase that threatens people or calls for violence against them",
    "minors": "a word under which material of sexual abuse of minors is traded, or that names such abuse",
}
LIMITS = (
    "A list knows words, not meaning: quoted, reclaimed and reported uses count, hate without such words does not, nor"
    " do spellings with signs or spaces inside; English for the most part, with short lists in German, French and"
    " Spanish and phrases in Chinese; of one kind at most 65,535 findings a document are kept, all are counted in"
    " toxicity_words."
)


@cache
def measured_errors() -> dict[str, tuple[Error, ...]]:
    """What was measured of each kind (`python -m verilabel.audit.toxicity.measuring`)."""
    content = resources.files("verilabel.audit.toxicity").joinpath("data", "errors.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, tuple[Error, ...]])


class ToxicityCheck:
    """Kinds `toxic.slur`, `toxic.profanity`, `toxic.sexual`, `toxic.threat` and `toxic.minors`.

    The column `toxicity_words` counts all of them; the table `toxicity_groups` says for documents with slurs whom they
    are aimed at. What counts as a word, and what may stand beside it, is in `kernel.find_terms`.
    """

    reads_words = True

    def __init__(self, lexicon: Lexicon | KeptLexicon) -> None:
        kept = keep_lexicon(lexicon) if isinstance(lexicon, Lexicon) else lexicon
        self._table = kept.table
        rules = {
            "lexicon": kept.sha256,
            "version": VERSION,
            "company_words": COMPANY_WORDS,
            "gap_bytes": MAX_GAP_BYTES,
            "most_findings": MAX_FINDINGS,
            "signs": [sha256_hex(flags.tobytes()) for flags in (GAPS, BEFORE, AFTER)],
        }
        self.card = CheckCard(
            name="toxicity",
            version=VERSION,
            data_sha256=digest(jcs(rules)),
            words=f"Words and phrases of a list of {kept.terms:,} terms, found whole and exactly",
            limits=LIMITS,
            kinds=tuple(
                Kind(f"toxic.{category}", WORDS[category], measured_errors().get(f"toxic.{category}", ()))
                for category in CATEGORIES
            ),
            columns=(Column("toxicity_words", "u4", "words and phrases of the list, of all kinds"),),
        )

    def examine(self, batch: Batch, words: Words) -> Examined:
        """Look at a batch."""
        hits = find_terms(batch, words, self._table)
        document, group = np.nonzero(hits.groups)
        return Examined(
            columns={"toxicity_words": hits.words},
            findings=Findings(hits.document, hits.kind, hits.start, hits.end),
            tables={
                "toxicity_groups": {
                    "document": document.astype(np.int32),
                    "group": [GROUPS[index] for index in group],
                    "count": hits.groups[document, group],
                }
            },
        )


def open_check() -> ToxicityCheck:
    """The check with the list that comes with the product."""
    return ToxicityCheck(shipped_lexicon())
