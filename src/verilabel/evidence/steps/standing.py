"""Step 10: is the label in force, and so is what it leans on?"""

from __future__ import annotations

from verilabel.errors import CheckFailed
from verilabel.evidence import layout
from verilabel.evidence.others.given import objection_to_finding
from verilabel.evidence.statement import parse_time
from verilabel.evidence.steps.state import Skipped, State
from verilabel.evidence.validity import find_objection


def check_validity(state: State) -> str:
    assert state.system is not None and state.rubric is not None and state.plan is not None, "step 4 passed"
    state.flags.append(f"identity:{state.system.identity}")
    if state.plan.imported is not None:
        state.flags.append("imported")
    if state.statement is None:
        raise Skipped("unsigned labels have no validity")
    predicate = state.statement.predicate
    if (objection := find_objection(predicate, state.plan, state.rubric, state.now)) is not None:
        state.short_of["V1"] = objection.why
        state.flags.extend([objection.flag] if objection.flag else [])
        raise objection.error
    for path, signed in state.given.items():
        if (why := objection_to_finding(signed, state.rubric, state.system.digest, state.now)) is not None:
            state.short_of["V1"] = f"the finding {path!r} that it leans on does not count any more: {why}"
            raise CheckFailed(f"the label is not in force: {state.short_of['V1']}", where=layout.GIVEN)
    state.flags.append("current")
    return f"in force until {parse_time(predicate.valid_until, where=layout.ATTESTATION):%d %B %Y}"
