"""The program of probes: what is in it, and that it is the same everywhere."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from verilabel.sandbox.probing.inside import calls
from verilabel.sandbox.probing.program import build_program, list_probes, program_digest


def sources() -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(build_program())) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_every_probe_has_a_name_of_its_own_in_a_group_and_says_what_it_tries() -> None:
    probes = list_probes()
    assert [] == [name for name, count in Counter(probe.id for probe in probes).items() if count > 1]
    assert [] == [probe.id for probe in probes if not probe.tries or probe.id.count(".") != 1]
    assert {"always", "seccomp", "limits", ""} == {probe.by for probe in probes}
    assert len([probe for probe in probes if not probe.heavy]) >= 73


def test_the_groups_of_known_ways_out_are_all_there() -> None:
    asked = {"files", "environment", "processes", "network", "kernel", "settings", "privileges", "limits"}
    asked |= {"terminal", "time", "leftovers", "devices", "descriptors", "host", "heavy"}
    assert asked == {probe.group for probe in list_probes()}


def test_the_program_needs_the_standard_library_alone() -> None:
    imported = set()
    for text in sources().values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
                imported.add(node.module.split(".")[0])
    assert set() == imported - sys.stdlib_module_names - {"inside"}


def test_the_program_is_a_zip_without_times_and_its_digest_is_that_of_its_bytes() -> None:
    with zipfile.ZipFile(io.BytesIO(build_program())) as archive:
        assert {(1980, 1, 1, 0, 0, 0)} == {entry.date_time for entry in archive.infolist()}
    assert 71 == len(program_digest())


def test_one_probe_alone_is_run_and_answers_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "probes.pyz"
    path.write_bytes(build_program())
    asked = json.dumps({"only": ["kernel.landlock"]}).encode()
    # it asks for a version and nothing else, whoever runs it
    done = subprocess.run(
        [sys.executable, "-I", "-S", path], input=asked, capture_output=True, timeout=60, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["kernel.landlock"] == [line["id"] for line in lines if "id" in line]
    assert ["informational"] == [line["result"] for line in lines if "id" in line]
    assert ["Linux"] == [line["facts"]["system"] for line in lines if "facts" in line]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_numbers_of_system_calls_are_known_for_both_machines(machine: str) -> None:
    table = calls._TABLES[machine]
    elsewhere = {"iopl", "modify_ldt"}  # x86 alone has them
    assert set(calls._X86_64) - elsewhere == set(table) - elsewhere
    assert [] == [number for number, count in Counter(table.values()).items() if count > 1]
