"""Who checks an audit needs less than who makes one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from audit_corpora import write_corpus
from audit_runs import few, run, write_secret


def test_an_audit_is_verified_and_shown_without_a_compiler(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "texts", files=1, documents=20)
    audit = tmp_path / "run.audit"
    run(corpus, few("pii", "duplicates", "language", "provenance"), audit, write_secret(tmp_path / "secret"))
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "numba.py").write_text("raise ImportError('not here')")
    for words in (["verify", audit], ["show", audit], ["show", audit, "--html", tmp_path / "report.html"]):
        command = [sys.executable, "-m", "verilabel", "data", *map(str, words)]
        ran = subprocess.run(
            command, env={"PYTHONPATH": str(tmp_path / "absent")}, capture_output=True, text=True, check=False
        )
        assert (0, "") == (ran.returncode, ran.stderr)
