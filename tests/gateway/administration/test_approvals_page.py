"""The page of approvals in a real Chromium: people decide, hostile texts stay texts, nothing is asked of others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.administration.served import Served, administration

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = (
    '<img src=x onerror="document.title=1"><script>document.title=2</script>{{7*7}}'
    "javascript:alert(1) \u202egnp\u2066 \u200b&lt;b&gt; \"'><svg/onload=document.title=3>"
)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real Chromium with an empty profile."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served administration."""
    with administration(str(tmp_path_factory.mktemp("page") / "gateway.db")) as running:
        yield running


@pytest.fixture
def page(chromium: Browser, served: Served) -> Iterator[Page]:
    """The page; at its end it has asked only its own address, thrown nothing and broken no rule of its policy."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "console",
        lambda message: wrong.append(message.text) if "Content Security" in message.text else None,
    )
    opened.goto(f"{served.url}/verilabel/approvals")
    yield opened
    context.close()
    assert [] == wrong
    assert [] == [url for url in asked if not url.startswith((served.url, "data:"))]


def sign_in(page: Page, served: Served, user: str) -> None:
    """Sign somebody in."""
    page.fill("#key", served.tokens[user])
    page.click("#sign-in-form button")


def card(served: Served, approval: str) -> str:
    """The selector of an approval's card."""
    return f'article[data-id="{approval}"]'


def test_two_people_approve_with_their_reasons(page: Page, served: Served) -> None:
    held = served.hold("two people", quorum=2)
    sign_in(page, served, "reviewer")
    where = card(served, held.id)
    page.wait_for_selector(where)
    assert page.is_disabled(f"{where} .approve")
    page.fill(f"{where} textarea", "I asked the customer")
    page.click(f"{where} .approve")
    page.wait_for_selector(f"{where} .cast li")
    assert "1 of 2 approvals" == page.inner_text(f"{where} .tally")
    assert "Reviewer has voted already." == page.inner_text(f"{where} .objection").capitalize()
    path = f"/verilabel/api/approvals/{held.id}/decision"
    assert 200 == served.ask(path, by="colleague", body={"verdict": "approve", "reason": "me too"})[0]
    page.wait_for_selector(f'{where}[data-state="approved"]')
    assert "✓ Approved" == page.inner_text(f"{where} .state")


def test_a_denial_is_shown_and_moves_to_what_was_decided(page: Page, served: Served) -> None:
    held = served.hold("denied")
    sign_in(page, served, "admin")
    where = card(served, held.id)
    page.fill(f"{where} textarea", "Not today")
    page.click(f"{where} .deny")
    page.wait_for_selector(f'{where}[data-state="denied"]')
    page.click('[data-view="decided"]')
    page.wait_for_selector(f"{where} .against")
    assert "Not today" in page.inner_text(f"{where} .cast")


def test_what_is_held_meanwhile_appears_and_a_reason_being_typed_stays(page: Page, served: Served) -> None:
    first = served.hold("typed over", quorum=2)
    sign_in(page, served, "reviewer")
    page.wait_for_selector(".live.on")
    page.fill(f"{card(served, first.id)} textarea", "half a sen")
    second = served.hold("meanwhile")
    page.wait_for_selector(card(served, second.id))
    path = f"/verilabel/api/approvals/{first.id}/decision"
    served.ask(path, by="colleague", body={"verdict": "approve", "reason": "ok"})
    page.wait_for_selector(f"{card(served, first.id)} .cast li")
    assert "half a sen" == page.input_value(f"{card(served, first.id)} textarea")


def test_hostile_texts_are_shown_as_texts_and_do_nothing(page: Page, served: Served) -> None:
    held = served.hold(
        "hostile",
        summary=HOSTILE,
        reason=(HOSTILE,),
        route=HOSTILE,
        requester=HOSTILE,
        policy=HOSTILE,
        quorum=2,
    )
    path = f"/verilabel/api/approvals/{held.id}/decision"
    served.ask(path, by="colleague", body={"verdict": "approve", "reason": HOSTILE})
    sign_in(page, served, "reviewer")
    where = card(served, held.id)
    page.wait_for_selector(where)
    shown = page.inner_text(f"{where} .summary")
    assert HOSTILE.split("\u202e", maxsplit=1)[0] in shown
    assert "U+202E" in shown
    assert "U+200B" in shown
    assert "\u202e" not in page.inner_text("body")
    assert 0 == page.locator(f"{where} img, {where} script, {where} svg, {where} a").count()
    assert page.title() not in ("1", "2", "3")
    assert "Approvals" in page.title()


def test_an_auditor_sees_and_cannot_decide(page: Page, served: Served) -> None:
    held = served.hold("audited")
    sign_in(page, served, "auditor")
    where = card(served, held.id)
    page.wait_for_selector(where)
    assert page.is_hidden(f"{where} .deciding")
    assert "auditor" in page.inner_text(f"{where} .objection")


def test_a_key_that_is_none_or_may_nothing_is_not_kept(page: Page, served: Served) -> None:
    for key, words in (("vk_0_x", "not in force"), (served.tokens["asker"], "role user")):
        page.fill("#key", key)
        page.click("#sign-in-form button")
        page.wait_for_function(
            "w => document.getElementById('sign-in-problem').innerText.includes(w)", arg=words
        )
        assert None is page.evaluate("sessionStorage.getItem('verilabel-key')")


def test_signing_out_forgets_the_key_and_what_was_seen(page: Page, served: Served) -> None:
    served.hold("forgotten")
    sign_in(page, served, "reviewer")
    page.wait_for_selector("article")
    page.reload()
    page.wait_for_selector("article")
    page.click("#sign-out")
    assert 0 == page.locator("article").count()
    assert [0, 0, ""] == page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]")
    page.reload()
    page.wait_for_selector("#sign-in:not([hidden])")


def test_a_revoked_key_is_signed_out(page: Page, served: Served) -> None:
    _, made = served.ask("/verilabel/api/keys", by="admin", body={"name": "temp", "role": "approver"})
    page.fill("#key", made["token"])
    page.click("#sign-in-form button")
    page.wait_for_selector(".live.on")
    served.ask(f"/verilabel/api/keys/{made['key']['id']}/revoke", by="admin", body={})
    page.wait_for_selector("#sign-in:not([hidden])", timeout=20_000)
    assert "no longer in force" in page.inner_text("#sign-in-problem")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(page: Page, served: Served, width: int) -> None:
    served.hold("wide", summary="x" * 3000, route="r" * 400, reason=("y" * 290,))
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, served, "reviewer")
    page.wait_for_selector("article")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_comes_whole_with_the_package() -> None:
    import verilabel.gateway.administration as package

    folder = Path(str(package.__file__)).parent / "data"
    assert {"approvals.html", "approvals.css", "approvals.js"} == {path.name for path in folder.iterdir()}
    for path in folder.iterdir():
        assert "http://www.w3.org" in path.read_text() or "://" not in path.read_text()
