"""A disk that is full while a remote file is copied: an error, and never documents that could not be read."""

from __future__ import annotations

import subprocess
import sys

_READ = """
import errno, resource
import fsspec
from verilabel.audit.reading.files import FileReader
from verilabel.audit.settings import Selection
lines = b'{"text": "a lighthouse and nine lamps"}\\n' * 100_000
fsspec.filesystem("memory").pipe_file("/corpus/a.jsonl", lines)
reader = FileReader()
(shard,) = reader.plan(["memory://corpus/a.jsonl"], Selection())
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
try:
    with reader.open(shard, Selection()) as reading:
        list(reading.batches())
        print("unread", [one.reason for one in reading.unread])
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_a_full_disk_is_told_as_what_it_is() -> None:
    done = subprocess.run([sys.executable, "-c", _READ], capture_output=True, text=True, check=False)
    assert ("", "EFBIG\n") == (done.stderr[-2000:], done.stdout)
