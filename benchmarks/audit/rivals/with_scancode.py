"""Runs ScanCode's licence detection on a corpus: `with_scancode.py prepare|run|tell licences CORPUS OUT ITEMS`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def prepare(corpus: Path, out: Path) -> None:
    """Every document as a file."""
    (out / "files").mkdir(parents=True)
    for path in sorted((corpus / "jsonl").glob("*.jsonl")):
        for line in path.open(encoding="utf-8"):
            row = json.loads(line)
            (out / "files" / f"{row['id']}.txt").write_text(row["text"], "utf-8")


def run(out: Path) -> None:
    """Its command, with one process."""
    command = [str(Path(sys.executable).with_name("scancode")), "--license", "--quiet", "-n", "1"]
    subprocess.run([*command, "--json", str(out / "scan.json"), str(out / "files")], check=True)


def tell(out: Path) -> None:
    """The SPDX expressions it detected in each document."""
    scanned = json.loads((out / "scan.json").read_text("utf-8"))
    with (out / "found.jsonl").open("w") as file:
        for one in scanned["files"]:
            for detection in one.get("license_detections") or []:
                found = {"id": Path(one["path"]).stem, "kind": "licence.text"}
                file.write(json.dumps({**found, "licence": detection["license_expression_spdx"]}) + "\n")


if __name__ == "__main__":
    mode, given_out = sys.argv[1], Path(sys.argv[4])
    if mode == "prepare":
        prepare(Path(sys.argv[3]), given_out)
    elif mode == "run":
        run(given_out)
    else:
        tell(given_out)
