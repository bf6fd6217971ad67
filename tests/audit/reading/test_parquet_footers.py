"""A footer with changed bits: counted, or an error of the tree; never an end of the process, nor another error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_READ_ALL = """
import random, sys
from pathlib import Path
from verilabel.audit.reading.files import FileReader
from verilabel.audit.settings import Selection
from verilabel.errors import VerilabelError
path, seeds = Path(sys.argv[1]), int(sys.argv[2])
good = path.read_bytes()
size = int.from_bytes(good[-8:-4], "little") + 8
for seed in range(seeds):
    rng, bad = random.Random(seed), bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 5))):
        bad[len(bad) - size + rng.randrange(size)] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(bad))
    try:
        reader = FileReader()
        for shard in reader.plan([str(path)], Selection()):
            with reader.open(shard, Selection()) as reading:
                for batch in reading.batches():
                    pass
    except VerilabelError:
        pass
    print(seed, flush=True)
"""
SEEDS = 300


def test_changed_bits_in_a_footer_end_no_process(tmp_path: Path) -> None:
    table = pa.table({"text": ["one", "two words", "three"] * 20, "url": ["https://example.org/"] * 60})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=20)
    command = [sys.executable, "-c", _READ_ALL, str(tmp_path / "a.parquet"), str(SEEDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("", 0) == (done.stderr[-2000:], done.returncode)
    assert str(SEEDS - 1) == done.stdout.split()[-1]
