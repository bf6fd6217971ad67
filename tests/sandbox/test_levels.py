"""What level of containment is recorded for what was achieved, and who a box runs as."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import SandboxError
from verilabel.sandbox.interface import LEVELS, BoxSpec, contains_enough
from verilabel.sandbox.levels import Achieved, describe_containment, level_of
from verilabel.sandbox.users import unprivileged_user

anything = st.builds(
    Achieved,
    namespaces=st.booleans(),
    landlock=st.integers(0, 7),
    seccomp=st.booleans(),
    cgroup=st.sampled_from(["", "v1", "v2"]),
)


@pytest.mark.parametrize(
    ("achieved", "level"),
    [
        (Achieved(), "C0"),
        (Achieved(landlock=7, seccomp=True), "C1"),
        (Achieved(namespaces=True, landlock=1, seccomp=True), "C2"),
        (Achieved(namespaces=True, landlock=7, seccomp=True, cgroup="v1"), "C3"),
        (Achieved(namespaces=True, seccomp=True, cgroup="v2"), "C1"),
        (Achieved(namespaces=True, landlock=7, cgroup="v2"), "C1"),
        (Achieved(namespaces=True, cgroup="v2"), "C0"),
        (Achieved(landlock=7, cgroup="v1"), "C0"),
    ],
)
def test_the_level_is_what_was_achieved(achieved: Achieved, level: str) -> None:
    assert level == level_of(achieved) == describe_containment(achieved, "x").level


@given(less=anything, namespaces=st.booleans(), seccomp=st.booleans())
def test_a_means_more_never_lowers_the_level(less: Achieved, namespaces: bool, seccomp: bool) -> None:
    more = Achieved(
        namespaces=less.namespaces or namespaces,
        landlock=less.landlock,
        seccomp=less.seccomp or seccomp,
        cgroup=less.cgroup,
    )
    assert LEVELS.index(level_of(less)) <= LEVELS.index(level_of(more))


@given(achieved=anything)
def test_what_is_lacking_is_said(achieved: Achieved) -> None:
    lacking = " ".join(describe_containment(achieved, "x", ("cgroup: none",)).lacking)

    assert ("landlock" in lacking) == (achieved.landlock == 0)
    assert ("seccomp" in lacking) == (not achieved.seccomp)
    assert "cgroup: none" in lacking


@given(first=st.sampled_from(LEVELS), second=st.sampled_from(LEVELS))
def test_levels_are_in_order(first: str, second: str) -> None:
    assert contains_enough(first, second) == (first >= second)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_is_refused_where_no_user_is_named() -> None:
    with pytest.raises(SandboxError, match="never run as root") as refused:
        unprivileged_user(BoxSpec(), {})

    assert "VERILABEL_SANDBOX_UID" in str(refused.value.hint)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("named", ["0", "-1", "root", "65534 ", "99999999999", str(2**32 - 1), "²"])
def test_a_user_that_is_none_or_root_is_refused(named: str) -> None:
    with pytest.raises(SandboxError):
        unprivileged_user(BoxSpec(), {"VERILABEL_SANDBOX_UID": named})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_user_is_the_one_asked_for_before_the_one_of_the_environment() -> None:
    environ = {"VERILABEL_SANDBOX_UID": "4242"}

    assert (4242, 65534) == (
        unprivileged_user(BoxSpec(), environ),
        unprivileged_user(BoxSpec(uid=65534), environ),
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root can become another user")
def test_others_cannot_become_another_user() -> None:
    with pytest.raises(SandboxError, match="only root"):
        unprivileged_user(BoxSpec(uid=os.geteuid() + 1), {})
