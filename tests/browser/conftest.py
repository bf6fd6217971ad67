"""What tests of the page need: Node, a real Chromium, and the page; each absent one skips with its reason."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bundle_factory import Recipe, make_bundle
from verilabel.evidence.sealing import Sealed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
SECOND = ROOT / "conformance" / "second"
PAGE = ROOT / "src" / "verilabel" / "browser" / "data" / "verifier.html"
TIME_LIMIT_S = 120
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NodeRunner = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def run_node() -> NodeRunner:
    """Runs a script of the second implementation; its answers, one a line."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH")

    def run(script: str, *arguments: str | Path, lines: list[Any] | None = None) -> list[dict[str, Any]]:
        finished = subprocess.run(
            [node, str(SECOND / script), *map(str, arguments)],
            input="".join(json.dumps(line) + "\n" for line in lines or []),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        assert (0, "") == (finished.returncode, finished.stderr)
        return [json.loads(line) for line in finished.stdout.split("\n") if line]

    return run


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real Chromium with an empty profile.

    Its driver keeps an event loop running in this thread, which no other module's tests must meet.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh page; at its end it must have asked for nothing but itself, and thrown nothing."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    asked: list[str] = []
    thrown: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: thrown.append(str(error)))
    opened.goto(PAGE.as_uri())
    yield opened
    context.close()
    assert [] == thrown
    assert [PAGE.as_uri()] == [url for url in asked if not url.startswith("blob:")]


@pytest.fixture(scope="session")
def make_apart() -> Callable[[Path, Recipe], Sealed]:
    """Makes a bundle in a thread of its own, because Chromium's driver occupies this one's event loop."""

    def make(folder: Path, recipe: Recipe) -> Sealed:
        with ThreadPoolExecutor(max_workers=1) as apart:
            return apart.submit(make_bundle, folder, recipe).result()

    return make
