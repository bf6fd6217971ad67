"""The page of an audit in a real browser: it asks for nothing, fits its window, and can be read in the dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit_shown import poor_audit, rich_audit
from verilabel.report.audit.page import write_audit_page
from verilabel.report.audit.view import build_audit_report, check_standing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

READ = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_CONTRAST = """() => {
    const light = colour => {
        const [r, g, b] = colour.match(/[0-9.]+/g).map(Number).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
        }
        return getComputedStyle(document.body).backgroundColor;
    };
    let least = 21;
    for (const element of document.querySelectorAll('p, li, dt, dd, th, td, summary, span, b, h1, h2, h3, code')) {
        const a = light(getComputedStyle(element).color), b = light(ground(element));
        least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return least;
}"""


NAMES = ("rich", "poor")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of a rich and of a poor audit."""
    made = {}
    for name, make in zip(NAMES, (rich_audit, poor_audit), strict=True):
        folder = make(tmp_path_factory.getbasetemp() / f"{name}-audit")
        made[name] = tmp_path_factory.mktemp("page") / "audit.html"
        write_audit_page(made[name], build_audit_report(folder, check_standing(folder, None), READ))
    return made


@pytest.fixture(scope="module")
def chromium(pages: dict[str, Path]) -> Iterator[Browser]:
    """A real Chromium. Its driver keeps an event loop running, so the audits are made before."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on PATH")
    with playwright.sync_playwright() as started:
        flags = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = started.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (820, "dark"), (1280, "light")])
def test_it_fits_asks_for_nothing_and_can_be_read(
    chromium: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    page_file = pages[name]
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(page_file.as_uri())
    assert [page_file.as_uri()] == asked
    assert [] == said
    assert width == page.evaluate("document.documentElement.scrollWidth")
    assert page.evaluate(_CONTRAST) >= 4.5
    context.close()


@pytest.mark.parametrize("name", NAMES)
def test_folded_parts_open_without_a_script(chromium: Browser, pages: dict[str, Path], name: str) -> None:
    context = chromium.new_context(viewport={"width": 820, "height": 900}, java_script_enabled=False)
    page = context.new_page()
    page.goto(pages[name].as_uri())
    details = page.locator("details").first
    details.locator("summary").click()
    assert details.get_attribute("open") is not None
    context.close()
