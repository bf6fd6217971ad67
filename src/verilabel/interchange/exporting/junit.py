"""JUnit XML for CI: one test case a row of the label."""

from __future__ import annotations

from xml.etree import ElementTree

from verilabel.interchange.exporting.facts import PlacedRow, rows_of, stand
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source
from verilabel.interchange.exporting.wording import fit_xml
from verilabel.interchange.exporting.writing import Export, plain_file


def export_junit(source: Source, options: ExportOptions) -> Export:
    """One suite of test cases.

    A row that speaks against a better label fails: `when` and `rule_out` that are not met, and `rule_in` that is
    met, which establishes a danger. An open row is skipped, or fails with `undetermined="fail"`.
    """
    facts, rows = stand(source), list(rows_of(source.label))
    outcomes = [_outcome(placed, options) for placed in rows]
    counts = {
        "tests": str(len(rows)),
        "failures": str(outcomes.count("failure")),
        "errors": "0",
        "skipped": str(outcomes.count("skipped")),
    }
    root = ElementTree.Element("testsuites", {"name": "verilabel", **counts, "time": "0"})
    name = f"{facts['rubric']} for {source.system.name}"
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {"name": fit_xml(name), **counts, "time": "0", "timestamp": source.issued.rstrip("Z")},
    )
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in facts.items():
        ElementTree.SubElement(properties, "property", {"name": f"verilabel.{key}", "value": fit_xml(value)})
    for placed, outcome in zip(rows, outcomes, strict=True):
        _add_case(suite, placed, outcome, facts["rubric"])
    ElementTree.indent(root)
    data = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Export((plain_file("junit.xml", data + b"\n"),))


def _outcome(placed: PlacedRow, options: ExportOptions) -> str:
    if placed.speaks_for is None:
        return "failure" if options.undetermined == "fail" else "skipped"
    return "passed" if placed.speaks_for else "failure"


def _add_case(suite: ElementTree.Element, placed: PlacedRow, outcome: str, rubric: str) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": fit_xml(f"{rubric}.{placed.level.level}.{placed.level.test}"),
            "name": fit_xml(f"{placed.id} {placed.title}"),
            "time": "0",
        },
    )
    said = fit_xml(placed.says)
    if outcome == "passed":
        ElementTree.SubElement(case, "system-out").text = said
        return
    attributes = {"message": said}
    if outcome == "failure":
        attributes["type"] = placed.status
    ElementTree.SubElement(case, outcome, attributes).text = said
