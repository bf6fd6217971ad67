"""Writes the words of the HTML report for the page (`src/page/words.json`), so that both say the same.

python browser/words.py [--check]     --check writes nothing and ends with 1 where the file is another
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from verilabel.report import wording

TARGET = Path(__file__).parent / "src" / "page" / "words.json"


def words() -> str:
    """The file's text."""
    said = {
        "statuses": wording.STATUS_WORDS,
        "signs": wording.STATUS_SIGNS,
        "levels": wording.LEVEL_SAYS,
        "limits": wording.LEVEL_LIMITS,
        "flags": wording.FLAG_SAYS,
        "events": wording.EVENT_SAYS,
        "tests": wording.TEST_SAYS,
        "pairs": wording.PAIR_SAYS,
        "places": wording.PLACE_SAYS,
        "identities": wording.IDENTITY_SAYS,
        "badges": wording.BADGE_SAYS,
        "warnings": wording.WARNING_SAYS,
        "claims": wording.CLAIMS_SAYS,
        "validity": wording.VALIDITY_SAYS,
        "withheld": wording.WITHHELD_SAYS,
        "withheldGap": wording.WITHHELD_GAP_SAYS,
        "statements": wording.STATEMENT_SAYS,
        "statementsSay": wording.STATEMENTS_SAY,
        "statementTexts": wording.STATEMENT_TEXT_SAYS,
        "statementFacts": wording.STATEMENT_FACT_SAYS,
        "notJudged": wording.NOT_JUDGED_SAYS,
        "verdicts": wording.VERDICT_SAYS,
        "confirmations": wording.CONFIRMATION_SAYS,
        "grounds": wording.GROUND_SAYS,
        "withdrawals": wording.WITHDRAWAL_SAYS,
        "finding": wording.FINDING_SAYS,
        "relations": wording.RELATION_SAYS,
        "training": wording.TRAINING_SAYS,
        "trainingLimits": wording.TRAINING_LIMITS,
        "auditFacts": wording.AUDIT_FACT_SAYS,
        "auditColumns": wording.AUDIT_COLUMNS,
        "read": wording.READ_SAYS,
        "unknown": wording.UNKNOWN_SAYS,
        "lookedAt": wording.LOOKED_AT_SAYS,
        "benchmarks": wording.BENCHMARK_SAYS,
        "margin": wording.MARGIN_SAYS,
        "compared": wording.COMPARED_HEADINGS,
        "signers": wording.SIGNER_SAYS,
        "counts": wording.COUNTS_SAYS,
        "logged": wording.LOGGED_SAYS,
    }
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if "--check" not in sys.argv:
        TARGET.write_text(words(), encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != words():
        sys.exit(f"{TARGET.name} does not hold the report's words: python browser/words.py")
