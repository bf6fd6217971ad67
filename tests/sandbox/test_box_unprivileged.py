"""The box for someone who is not root: the same tests, run by an ordinary user of this machine."""

from __future__ import annotations

import os
import subprocess

import pytest

from boxes import REPOSITORY, needs_box, unprivileged_python

pytestmark = needs_box
CHOSEN = (
    "test_box_limits.py",
    "test_box.py::test_the_containment_that_is_recorded_is_the_one_the_kernel_shows",
    "test_box.py::test_no_path_and_no_variable_of_the_host_is_read_in_the_list_of_processes",
    "test_box.py::test_what_leads_out_is_refused",
    "test_box.py::test_the_kernels_switches_cannot_be_turned",
    "test_box_leftovers.py::test_a_box_whose_opener_is_killed_leaves_no_process_and_no_control_group",
)


@pytest.mark.skipif(os.geteuid() != 0, reason="all tests are run by an ordinary user here")
def test_an_ordinary_user_has_the_same_box() -> None:
    options = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    chosen = [f"tests/sandbox/{name}" for name in CHOSEN]

    ran = subprocess.run(
        [*unprivileged_python(), *options, *chosen],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == ran.returncode, ran.stdout[-3000:] + ran.stderr[-2000:]
    assert "s" not in ran.stdout.split("[100%]")[0], "some were skipped"
