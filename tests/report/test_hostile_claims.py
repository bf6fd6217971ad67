"""`show` reads what a verifier refused: whatever a bundle claims, it is shown as a claim or refused with an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle_factory import READ
from bundle_forgery import Change, Forger, change_document, change_plan, forge
from verilabel.errors import MalformedInput
from verilabel.evidence import layout
from verilabel.evidence.container import open_container
from verilabel.evidence.verifier import verify_bundle
from verilabel.report.building import build_view
from verilabel.report.page import render_page
from verilabel.report.view import ReportView

CLAIMS: list[Callable[[dict[str, Any]], object]] = [
    lambda label: label["levels"][0]["rows"][0].update(upper="1/0"),
    lambda label: label["levels"][0]["rows"][0].update(rate="1e999999999"),
    lambda label: label["levels"][0]["rows"][0].update(rate="\x1b[31m0.5"),
    lambda label: label["levels"][0]["rows"][0].update(n=-1),
    lambda label: label["levels"][0]["rows"][0].update(threshold="inf"),
    lambda label: label["levels"][0]["rows"][0].pop("lower"),
    lambda label: label["levels"][0].update(test="rule_in"),
    lambda label: label["levels"][0].update(level="L9"),
    lambda label: label["levels"].pop(),
    lambda label: label["granted"].update(id="L9"),
    lambda label: label.update(scale=["U"]),
]


def view_of(bundle: Path) -> ReportView:
    found = verify_bundle(bundle, now=READ)
    assert found.failure is not None
    with open_container(bundle) as container:
        return build_view(container, found, bundle="b", read_at=READ, samples=3)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_label_that_no_counts_could_give_is_not_shown(
    made_bundle: Path, tmp_path: Path, claim: Callable[[dict[str, Any]], object]
) -> None:
    forged = forge(made_bundle, tmp_path / "forged", change_document(layout.LABEL, claim))
    with pytest.raises(MalformedInput) as caught:
        view_of(forged)
    assert str(caught.value.where).startswith(layout.LABEL)


PLANS: list[Change] = [
    change_plan(lambda plan: plan.update(detectors=[])),
    change_plan(lambda plan: plan["streams"][0].update(epochs=0)),
    change_plan(lambda plan: plan["streams"][0].update(limit=-3)),
    change_plan(lambda plan: plan["streams"][0].update(strata={"a": "1e999999999"})),
    change_plan(lambda plan: plan["streams"][0].update(strata={"a": "0"})),
]


@pytest.mark.parametrize("change", PLANS)
def test_evidence_is_not_walked_by_a_plan_that_is_not_sound(
    made_bundle: Path, tmp_path: Path, change: Change
) -> None:
    view = view_of(forge(made_bundle, tmp_path / "forged", change, Forger()))
    assert ["evidence"] == [gap.kind for gap in view.gaps if gap.kind == "evidence"]
    assert "The evidence could not be walked" in render_page(view)
