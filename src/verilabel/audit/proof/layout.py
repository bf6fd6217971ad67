"""Where things lie in the folder of an audit, and how large they may be."""

from __future__ import annotations

import re

FORMAT = "verilabel/audit/v1"
MANIFEST = "audit.json"
SHARDS = "shards.jsonl"
ATTESTATION = "attestation.json"
EXAMPLES = "examples.jsonl"
SKETCH = "sketch.bin"
RECORDS = "records"
FINDINGS = "findings"
UNREAD = "unread"
TABLE = "table-"
UNLISTED = (MANIFEST, ATTESTATION)
"""Files that the manifest cannot list: it is one, and the other is made from it."""

MAX_MANIFEST_BYTES = 16 * 2**20
MAX_LINE_BYTES = 2**20
MAX_SHARDS = 10_000_000
MAX_FILE_BYTES = 16 * 2**30
EXAMPLES_A_KIND = 100

_PATH = re.compile(r"[a-z0-9_-]+(\.[a-z0-9]+)?|(shards/[0-9]{7,}|tables)/[a-z0-9_-]+\.parquet")


def shard_file(index: int, name: str) -> str:
    """The path of one of a shard's files, such as its records."""
    return f"shards/{index:07d}/{name}.parquet"


def table_file(name: str) -> str:
    """The path of a table over the whole corpus."""
    return f"tables/{name}.parquet"


def may_be_path(path: str) -> bool:
    """True for a path that may stand in the folder of an audit."""
    return len(path) <= 200 and _PATH.fullmatch(path) is not None
