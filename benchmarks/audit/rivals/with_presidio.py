"""Runs Presidio's patterns on a corpus: `with_presidio.py run|tell pii CORPUS OUT ITEMS`, in its environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

KINDS = {
    "EMAIL_ADDRESS": "pii.email",
    "PHONE_NUMBER": "pii.phone",
    "CREDIT_CARD": "pii.card",
    "IBAN_CODE": "pii.iban",
    "US_SSN": "pii.ssn",
    "UK_NINO": "pii.nino",
    "IP_ADDRESS": "pii.ipv4",
    "CRYPTO": "pii.crypto_wallet",
    "MAC_ADDRESS": "pii.mac",
}
MIN_SCORE = 0.4


def run(corpus: Path, out: Path) -> None:
    """Every recogniser of patterns, without a language model: spaCy only cuts words."""
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        """An engine that finds no names."""

        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

        def load(self) -> None:
            """Nothing is to be loaded."""

    analyzer = AnalyzerEngine(nlp_engine=Blank())
    known = set(analyzer.get_supported_entities("en"))
    entities = [entity for entity in KINDS if entity in known]
    with (out / "found.jsonl").open("w") as file:
        for path in sorted((corpus / "jsonl").glob("*.jsonl")):
            for line in path.open(encoding="utf-8"):
                row = json.loads(line)
                results = analyzer.analyze(row["text"], "en", entities=entities, score_threshold=MIN_SCORE)
                for one in results:
                    kind = KINDS[one.entity_type]
                    if kind == "pii.ipv4" and ":" in row["text"][one.start : one.end]:
                        kind = "pii.ipv6"
                    found = {"id": row["id"], "kind": kind, "characters": [one.start, one.end]}
                    file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    given_out = Path(sys.argv[4])
    given_out.mkdir(parents=True, exist_ok=True)
    if sys.argv[1] == "run":
        run(Path(sys.argv[3]), given_out)
