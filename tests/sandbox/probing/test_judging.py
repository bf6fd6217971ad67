"""What is made of answers: escapes, exposures, and what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.sandbox.interface import LEVELS
from verilabel.sandbox.probing.apparmor import advise
from verilabel.sandbox.probing.host import describe_environment, differing_parts
from verilabel.sandbox.probing.judging import is_emulated, judge
from verilabel.sandbox.probing.record import ProbeResult

RESULTS = ("stopped", "open", "emulated", "informational", "error")


def result(name: str, by: str, said: str) -> ProbeResult:
    return ProbeResult(name, by, said, "")  # type: ignore[arg-type]


def test_an_open_probe_that_every_box_must_stop_is_an_escape_whatever_the_box() -> None:
    for level in LEVELS:
        assert (("files.secret",), (), ()) == judge([result("files.secret", "always", "open")], level, ())


def test_an_open_system_call_is_an_escape_only_where_the_box_claims_a_filter() -> None:
    answers = [result("kernel.io-uring", "seccomp", "open")]
    assert (("kernel.io-uring",), (), ()) == judge(answers, "C2", ("userns", "seccomp"))
    assert ((), ("kernel.io-uring",), ()) == judge(answers, "C0", ())


def test_an_open_limit_is_an_escape_only_where_the_box_claims_limits() -> None:
    answers = [result("heavy.memory", "limits", "open")]
    assert (("heavy.memory",), (), ()) == judge(answers, "C3", ("cgroup:v2",))
    assert ((), ("heavy.memory",), ()) == judge(answers, "C4", ("gvisor",))
    assert ((), ("heavy.memory",), ()) == judge(answers, "C1", ("rlimits",))


def test_a_required_probe_without_an_answer_is_not_known_and_never_stopped() -> None:
    answers = [result("files.secret", "always", "error"), result("files.name", "", "error")]
    assert ((), (), ("files.secret",)) == judge(answers, "C3", ("seccomp",))


def test_a_kernel_of_its_own_may_answer_itself_but_hands_out_no_secret() -> None:
    own = result("kernel.io-uring", "seccomp", "open")
    secret = result("files.planted-secret", "always", "open")
    assert is_emulated(own, "C4", kernel_is_own=True)
    assert not is_emulated(own, "C4", kernel_is_own=False)
    assert not is_emulated(own, "C3", kernel_is_own=True)
    assert not is_emulated(secret, "C4", kernel_is_own=True)


@given(
    st.lists(
        st.tuples(st.sampled_from(("always", "seccomp", "limits", "")), st.sampled_from(RESULTS)), max_size=20
    ),
    st.sampled_from(LEVELS),
    st.sets(st.sampled_from(("seccomp", "cgroup:v1", "rlimits", "userns"))),
)
def test_every_open_probe_is_either_an_escape_or_exposed(
    answers: list[tuple[str, str]], level: str, means: set[str]
) -> None:
    results = [result(f"group.{number}", by, said) for number, (by, said) in enumerate(answers)]
    escapes, exposed, unanswered = judge(results, level, means)  # type: ignore[arg-type]
    assert {r.id for r in results if r.result in ("open", "emulated")} == {*escapes, *exposed}
    assert not set(escapes) & set(exposed)
    assert {r.id for r in results if r.by == "always" and r.result == "open"} <= set(escapes)
    assert {r.id for r in results if r.by == "always" and r.result == "error"} <= set(unanswered)


@pytest.mark.parametrize("value", [None, "0"])
def test_no_advice_where_apparmor_is_not_in_the_way(value: str | None) -> None:
    assert None is advise(value)


def test_the_advice_is_a_profile_for_one_program_and_never_the_switch_for_all() -> None:
    advice = advise("1", program="/usr/local/bin/bwrap")
    assert advice is not None
    assert "profile bwrap /usr/local/bin/bwrap flags=(unconfined) {\n      userns,\n" in advice
    assert "apparmor_parser -r /etc/apparmor.d/bwrap" in advice
    assert "sysctl -w" not in advice
    assert "=0" not in advice


def test_environments_differ_in_what_they_lean_on() -> None:
    import msgspec

    one = describe_environment("bubblewrap 0.8.0", 65534)
    other = msgspec.structs.replace(
        one, kernel="6.0", settings={**one.settings, "kernel/io_uring_disabled": "7"}
    )
    assert [] == differing_parts(one, describe_environment("bubblewrap 0.8.0", 65534))
    assert ["kernel", "kernel/io_uring_disabled"] == differing_parts(one, other)
    assert one.digest != other.digest
