"""The manifest of an audit, `audit.json`: what was audited and how, what was found, and the digest of every file.

Canonical JSON (RFC 8785): numbers are integers, decimals travel as strings. Whoever signs it signs the whole folder.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from verilabel.audit.bounds.statements import Statement
from verilabel.audit.canaries.recall import CanaryCount
from verilabel.audit.contamination.summary import BenchmarkTotal
from verilabel.audit.duplicates.joining import DuplicatesTotal
from verilabel.audit.interface import CheckCard, Column
from verilabel.audit.proof.layout import FORMAT, MANIFEST, MAX_MANIFEST_BYTES, UNLISTED, may_be_path
from verilabel.audit.provenance.cards import Declared
from verilabel.audit.sampling.result import SampleResult
from verilabel.audit.settings import AuditSettings
from verilabel.errors import MalformedInput
from verilabel.evidence.statement import Tool, parse_time
from verilabel.records.canonical import digest, is_digest, jcs, parse_json
