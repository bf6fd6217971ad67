"""Advice for systems whose AppArmor keeps unprivileged programs from user namespaces (Ubuntu from 23.10 on).

The way is a profile that lets one program make them, never the switch that lets every program do so.
"""

from __future__ import annotations

from pathlib import Path

SETTING = "kernel/apparmor_restrict_unprivileged_userns"
PROFILE_PLACE = "/etc/apparmor.d/bwrap"
PROFILE = """\
abi <abi/4.0>,
include <tunables/global>

profile bwrap {program} flags=(unconfined) {{
  userns,
  include if exists <local/bwrap>
}}
"""


def read_restriction() -> str | None:
    """The setting's value here, or None where there is no such setting."""
    try:
        return Path("/proc/sys", SETTING).read_text(encoding="ascii").strip()
    except OSError:
        return None


def advise(restriction: str | None, *, program: str = "/usr/bin/bwrap") -> str | None:
    """What to do where `restriction`, the setting's value, keeps bubblewrap from working; None where it does not."""
    if restriction in (None, "0"):
        return None
    profile = "".join(
        f"    {line}\n" if line else "\n" for line in PROFILE.format(program=program).splitlines()
    )
    return (
        "AppArmor keeps unprivileged programs from user namespaces here: "
        f"{SETTING.replace('/', '.')} = {restriction}.\n"
        f"Let {program} alone make them: write this to {PROFILE_PLACE}\n\n{profile}\n"
        f"and load it: sudo apparmor_parser -r {PROFILE_PLACE}\n"
        "Leave the setting itself as it is: it protects the machine from every other program."
    )
