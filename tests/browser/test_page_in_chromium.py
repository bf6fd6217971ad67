"""The page in a real Chromium: it finds what the program finds, shows it, and asks for nothing.

That the page asked for nothing is asserted at the end of every test, by the fixture `page`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bundle_factory import ISSUER, LOG, READ, Recipe
from bundle_forgery import Forger, forge
from party_factory import dispute_of, statement_of
from verilabel.evidence import layout
from verilabel.evidence.container import open_container
from verilabel.evidence.reading import raw_lines
from verilabel.evidence.sealing import Sealed
from verilabel.evidence.trust import trust_keys, write_trust
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import digest, jcs

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
MakeApart = Callable[[Path, Recipe], Sealed]
BUNDLES = ROOT / "tests" / "bundles"
GOOD = BUNDLES / "good_in_one_file.zip"
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>\u202egnp'
DONE = "#result .card"
DROP = """async (files) => {
  const data = new DataTransfer();
  for (const [name, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], name));
  }
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
}"""


def verify_in(page: Page, bundle: Path) -> None:
    """Pick a bundle and wait until it is judged."""
    picker = "#pick-folder" if bundle.is_dir() else "#pick-zip"
    page.set_input_files(picker, bundle)
    page.wait_for_selector(DONE, timeout=60_000)


def outcomes(page: Page) -> list[str]:
    """The outcome of each step, as it stands in the page."""
    return [
        str(item.get_attribute("data-outcome")) for item in page.query_selector_all("#steps li[data-step]")
    ]


def flags_in(page: Page) -> list[str]:
    """The flags that the page lists."""
    return [cell.inner_text().replace(" ", "_") for cell in page.query_selector_all("#flags tbody th")]


def test_a_sound_bundle_has_the_programs_sentence_steps_and_flags(page: Page) -> None:
    verify_in(page, GOOD)
    found = verify_bundle(GOOD, now=READ)
    assert found.sentence == page.inner_text("#sentence")
    assert [step.outcome for step in found.steps] == outcomes(page)
    assert [step.detail for step in found.steps] == [
        item.inner_text() for item in page.query_selector_all("#steps .detail")
    ]
    assert list(found.flags) == flags_in(page)
    assert "V2 recomputed" in page.inner_text("#status")


def test_a_folder_is_read_as_a_bundle(page: Page) -> None:
    verify_in(page, BUNDLES / "good")
    assert verify_bundle(BUNDLES / "good", now=READ).sentence == page.inner_text("#sentence")


@pytest.mark.parametrize(
    "name", ["changed_signature", "changed_byte_of_evidence", "forged_label", "expired", "not_a_zip"]
)
def test_a_defect_fails_at_its_step_and_says_why(page: Page, name: str) -> None:
    path = BUNDLES / f"{name}.zip"
    verify_in(page, path)
    found = verify_bundle(path, now=READ)
    assert found.failure is not None
    assert [step.outcome for step in found.steps] == outcomes(page)
    assert found.failure.message in page.inner_text(".alert")
    assert found.level_name in page.inner_text(".facts")


def test_a_bundle_and_its_trust_policy_can_be_dropped_together(page: Page, tmp_path: Path) -> None:
    policy = write_trust(ISSUER.public, LOG.public)
    files = [("good.zip", GOOD.read_bytes()), ("trust.yaml", policy)]
    page.evaluate(DROP, [(name, base64.b64encode(data).decode()) for name, data in files])
    page.wait_for_selector(DONE)
    found = verify_bundle(GOOD, now=READ, trust=trust_keys(ISSUER.public, LOG.public))
    assert list(found.flags) == flags_in(page)
    assert "signed by lab.example" == page.query_selector_all("#steps .detail")[2].inner_text()


def test_a_trust_policy_that_names_another_key_refuses_the_signature(page: Page, tmp_path: Path) -> None:
    (tmp_path / "trust.yaml").write_bytes(write_trust(LOG.public))
    page.set_input_files("#pick-trust", tmp_path / "trust.yaml")
    verify_in(page, GOOD)
    assert ["passed", "passed", "failed"] == outcomes(page)[:3]
    assert "is not one the trust policy accepts" in page.inner_text(".alert")


def test_a_dispute_beside_the_bundle_is_shown_and_named_in_the_sentence(page: Page, tmp_path: Path) -> None:
    (tmp_path / "dispute.json").write_bytes(dispute_of(statement_of(GOOD), text="no").data)
    page.set_input_files("#pick-statements", tmp_path / "dispute.json")
    verify_in(page, GOOD)
    assert "; disputed; " in page.inner_text("#sentence")
    assert "Dispute: the method\n\n✓ counts" in page.inner_text("#statements")
    assert "! Disputed" in page.inner_text(".badges")


def test_a_malformed_trust_policy_stops_before_anything_is_said_to_hold(page: Page, tmp_path: Path) -> None:
    (tmp_path / "trust.yaml").write_text("format: verilabel/trust/v1\naccept: &a {any: []}\n")
    page.set_input_files("#pick-trust", tmp_path / "trust.yaml")
    page.set_input_files("#pick-zip", GOOD)
    page.wait_for_selector("text=Nothing was verified")
    assert "anchors (&a) are not read" in page.inner_text("#status")
    assert page.query_selector(DONE) is None


def test_the_answers_behind_a_row_can_be_read_to_the_byte(
    page: Page, tmp_path: Path, make_apart: MakeApart
) -> None:
    bundle = make_apart(tmp_path, Recipe(zipped=True, errors="0.2")).path
    verify_in(page, bundle)
    found = verify_bundle(bundle, now=READ)
    tally = found.tallies["quiz.right"]
    page.click("text=Look at the answers >> nth=0")
    page.wait_for_selector(".records-list > li")
    assert f"1 to {tally.n} of {tally.n}" in page.inner_text(".records [role=status]")
    assert tally.n == len(page.query_selector_all(".records-list > li"))
    assert tally.events == len(page.query_selector_all(".records-list .finding.event"))
    page.select_option(".records select", "event")
    page.wait_for_selector(f"text=1 to {tally.events} of {tally.events}")

    page.click(".sample-button >> nth=0")
    page.wait_for_selector(".exchange li")
    assert page.query_selector(".exchange pre") is None, "no text is shown before the reader asks for it"
    page.click(".exchange .quiet >> nth=0")
    shown = page.inner_text(".exchange pre")
    lines = read_evidence(bundle)
    sample = page.inner_text(".sample-button >> nth=0")
    assert shown in [
        line["request"] for line in lines if line["sample"] == sample and line["kind"] == "attempt"
    ]


def read_evidence(path: Path) -> list[dict[str, Any]]:
    """The evidence lines of a bundle in one file."""
    with open_container(path) as container:
        return [json.loads(line) for line in raw_lines(container, layout.EVIDENCE)]


def test_text_from_a_hostile_bundle_is_shown_and_never_acts(
    page: Page, tmp_path: Path, make_apart: MakeApart
) -> None:
    make_apart(tmp_path, Recipe())

    def poison(folder: Path) -> None:
        system = folder / layout.SYSTEM
        document = json.loads(system.read_bytes()) | {"name": HOSTILE}
        system.write_bytes(jcs(document))
        rubric = folder / layout.RUBRIC
        rubric.write_text(rubric.read_text().replace("name: Basic", f"name: {json.dumps(HOSTILE)}"))
        canonical = json.loads((folder / layout.RUBRIC_CANONICAL).read_bytes())
        canonical["scale"]["levels"][1]["name"] = HOSTILE
        (folder / layout.RUBRIC_CANONICAL).write_bytes(jcs(canonical))
        evidence = folder / layout.EVIDENCE
        lines = [json.loads(line) for line in evidence.read_text().splitlines()]
        lines[0]["output"] = HOSTILE
        evidence.write_text(
            "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines)
        )
        plan = json.loads((folder / layout.PLAN).read_bytes())
        plan["system_sha256"] = digest(system.read_bytes())
        plan["rubric"]["sha256"] = digest(rubric.read_bytes())
        (folder / layout.PLAN).write_bytes(jcs(plan))

    forged = forge(
        tmp_path / "bundle", tmp_path / "forged", poison, Forger(decides_again=True, counts_again=True)
    )
    found = verify_bundle(forged, now=READ)
    assert None is found.failure
    verify_in(page, forged)
    seen = HOSTILE.replace("\u202e", "[U+202E]")
    assert seen == page.inner_text("#label")
    assert f"L1 {seen}" in page.inner_text(".scale")
    assert page.query_selector("main img") is None
    page.click("text=Look at the answers >> nth=0")
    page.click(".sample-button >> nth=0")
    page.wait_for_selector(".exchange li")
    for button in page.query_selector_all(".exchange .quiet"):
        button.click()
    assert seen in [text.inner_text() for text in page.query_selector_all(".exchange pre")]
    assert "Verilabel: verify a label" == page.title()


def test_the_page_forbids_itself_every_connection(page: Page) -> None:
    policy = str(page.get_attribute('meta[http-equiv="Content-Security-Policy"]', "content"))
    assert {"default-src 'none'", "connect-src 'none'", "form-action 'none'", "base-uri 'none'"} <= set(
        policy.split("; ")
    )
    assert "unsafe" not in policy
    refused = page.evaluate("() => fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)")
    assert "TypeError" == refused


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    verify_in(page, GOOD)
    page.click("text=Look at the answers >> nth=0")
    page.click(".sample-button >> nth=0")
    page.wait_for_selector(".exchange li")
    assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_a_row_is_opened_and_closed_with_the_keyboard_alone(page: Page) -> None:
    verify_in(page, GOOD)
    page.focus(".open-records >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_selector(".records-list > li")
    assert "true" == page.get_attribute(".open-records >> nth=0", "aria-expanded")
    page.keyboard.press("Enter")
    assert page.query_selector(".records-list") is None


def test_every_conformance_vector_gives_the_same_bytes_in_the_browser(page: Page) -> None:
    modules = (ROOT / "conformance" / "second" / "built.mjs").read_text(encoding="utf-8")
    start = modules.rindex("export {")
    names = [line.strip(" ,\n").split(" as ")[-1] for line in modules[start:].splitlines()[1:-1]]
    script = modules[:start] + "globalThis.second = {" + ", ".join(name for name in names if name) + "};"
    page.evaluate(f"() => {{ {script} }}")
    for name in ("sealed", "statements"):
        checks = (ROOT / "conformance" / "second" / f"{name}.mjs").read_text(encoding="utf-8")
        checks = re.sub(r"import (\{.*?\}) from .*?;", r"const \1 = second;", checks, flags=re.DOTALL)
        kept = f"globalThis.{name} = {name.removesuffix('s')}Disagreements;"
        page.evaluate(f"() => {{ {checks.replace('export ', '')} {kept} }}")
    disagreeing = []
    for path in sorted((ROOT / "conformance").glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["format"] in CHECKS
        disagreeing += page.evaluate(CHECKS[document["format"]], document)
    assert [] == disagreeing


VECTORS = """({ cases }) => cases.filter((given) => {
  try {
    const text = second.canonicalText(second.decideCase(given));
    return second.digestOf(text) !== given.label_sha256;
  } catch (error) {
    if (!(error instanceof second.Refusal || error instanceof second.Failure)) throw error;
    return given.error === undefined;
  }
}).map((given) => given.name)"""
STATEMENTS = """async (document) => {
  const found = [];
  for (const given of document.cases) {
    for await (const line of statements(given, document)) found.push(`${given.name}: ${line}`);
  }
  return found;
}"""
CHECKS = {
    "verilabel/conformance/v1": VECTORS,
    "verilabel/conformance-sealed/v1": "({ cases }) => cases.flatMap((given) => [...sealed(given)])",
    "verilabel/conformance-statements/v1": STATEMENTS,
}


def test_a_hundred_thousand_records_are_verified_and_can_be_leafed_through(
    page: Page, tmp_path: Path, make_apart: MakeApart
) -> None:
    sizes = (("quiz", 50_000), ("puzzles", 10))
    large_bundle = make_apart(tmp_path, Recipe(sizes=sizes, zipped=True, connections=50)).path
    verify_in(page, large_bundle)
    found = verify_bundle(large_bundle, now=READ)
    assert found.leaves > 100_000
    assert found.sentence == page.inner_text("#sentence")
    page.click("text=Look at the answers >> nth=0")
    page.wait_for_selector(".records-list > li")
    page.click("text=Last")
    page.wait_for_selector("text=49\u202f951 to 50\u202f000 of 50\u202f000")
    assert 50 == len(page.query_selector_all(".records-list > li"))
