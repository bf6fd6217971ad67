"""Opens the verifier's page with a bundle in a real headless Chromium; prints the seconds until the result stands."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

# mypy: disable-error-code="import-not-found"
from playwright.sync_api import sync_playwright

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def main(program: str, bundle: str) -> None:
    """Serve the page with the bundle, open it, wait for the level, print it with the seconds."""
    server = subprocess.Popen([program, "verify", bundle, "--page"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().split()[-1]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(url)
            level = page.wait_for_selector("text=/^Checked: V/", timeout=120_000)
            seconds = time.perf_counter() - began
            assert level is not None
            print(level.inner_text().split()[1], seconds)
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
