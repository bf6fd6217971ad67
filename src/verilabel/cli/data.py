"""Training data: audit it in one pass, verify an audit, ask it, show it, and take it elsewhere.

An audit reads every document once: personal data and secrets, licences and notices, benchmark contamination, exact and
near duplicates, languages, words that insult, and where documents come from. It leaves a signed record of every
document, findings as positions and keyed digests, and statements with exact bounds; never a text of the corpus. Others
verify it offline, check random documents of it, and replay it over the corpus. A root proves what was audited, not what
a model was trained on.

Each verb has its own --help.

examples:
  verilabel data audit corpus/ --bench gsm8k --out run.audit
  verilabel data audit 'shards/*.parquet' --column text --check pii --check duplicates --out run.audit
  verilabel data verify run.audit --spot-check 300 --corpus corpus/
  verilabel data query run.audit "SELECT licences_id, count(*) FROM records GROUP BY ALL ORDER BY 2 DESC LIMIT 10"
  verilabel data show run.audit --html audit.html
  verilabel data export run.audit --croissant croissant.json --eu-summary summary.md
  verilabel data attest run.audit --system gpt.bundle --text "all of it" --out audit-statement.json
"""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

from verilabel.errors import ExitStatus

SUMMARY = "audit training data: PII, licences, contamination, duplicates, harm; proofs, bounds, exports"
VERBS = {
    "audit": "data_audit",
    "verify": "data_verify",
    "query": "data_query",
    "show": "data_show",
    "export": "data_export",
    "attest": "data_attest",
    "open": "data_open",
    "sketch": "data_sketch",
}
"""Each has a file of its own."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `verilabel data`."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join(VERBS))
    for name, module_name in VERBS.items():
        module = _module(module_name)
        verb = verbs.add_parser(
            name,
            help=module.SUMMARY,
            description=(module.__doc__ or "").strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.configure(verb)


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one verb. Raises MissingExtra where the packages for audits are not installed."""
    from verilabel.audit import require_packages

    require_packages()
    status: ExitStatus = _module(VERBS[args.verb]).run(args)
    return status


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"verilabel.cli.{name}")
