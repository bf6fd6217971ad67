"""What is committed is what the sources give: the page, the modules, and the words that it shares with the report."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from verilabel.browser.serving import page_bytes

ROOT = Path(__file__).resolve().parents[2]
BROWSER = ROOT / "browser"


def test_the_page_has_the_words_of_the_report() -> None:
    finished = subprocess.run(
        [sys.executable, str(BROWSER / "words.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "") == (finished.returncode, finished.stderr)


def test_the_committed_page_and_modules_are_built_from_the_sources() -> None:
    node = shutil.which("node")
    if node is None or not (BROWSER / "node_modules" / "esbuild").is_dir():
        pytest.skip("node or browser/node_modules is absent: npm ci --prefix browser")
    finished = subprocess.run(
        [node, str(BROWSER / "build.mjs"), "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (0, "") == (finished.returncode, finished.stderr)


@pytest.mark.parametrize("element", ["script", "style"])
def test_the_pages_own_policy_names_the_digest_of_its_one_script_and_style(element: str) -> None:
    text = page_bytes().decode("utf-8")
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
    digest = b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
    assert f"{element}-src 'sha256-{digest}'" in text


def test_no_package_of_the_build_runs_a_script_when_it_is_installed() -> None:
    assert "ignore-scripts=true" in (BROWSER / ".npmrc").read_text().splitlines()
