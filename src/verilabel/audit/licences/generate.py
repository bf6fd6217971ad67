"""Makes the shipped list of licences from two published packages: `python -m verilabel.audit.licences.generate --help`.

The texts are those of the SPDX licence list, as the npm package spdx-license-list carries them (CC0-1.0). The classes
are the categories of ScanCode LicenseDB, as the PyPI package license-expression carries them (CC-BY-4.0), put into
fewer classes; where LicenseDB has no category or too coarse a one, the lists below say the class.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import os
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from verilabel.audit.licences.texts import Class, Licence, LicenceList, Source
from verilabel.errors import MalformedInput

TEXTS = Source(
    "https://registry.npmjs.org/spdx-license-list/-/spdx-license-list-6.12.0.tgz",
    "54cc8d13086187333ca1457c8edaa06d9a412144f076aa7f7c1b59c4f3b0a1ef",
    "CC0-1.0",
    "texts, ids and names of the SPDX licence list",
)
CATEGORIES = Source(
    "https://pypi.org/project/license-expression/30.4.4/ (license_expression-30.4.4-py3-none-any.whl)",
    "421788fdcadb41f049d2dc934ce666626265aeccefddd25e162a26f23bcbf8a4",
    "CC-BY-4.0",
    "categories of ScanCode LicenseDB, by nexB Inc. and others, put into fewer classes",
)
_BY_CATEGORY: dict[str, Class] = {
    "Public Domain": "public domain",
    "Permissive": "permissive",
    "Copyleft Limited": "weak copyleft",
    "Copyleft": "copyleft",
    "Free Restricted": "other terms",
    "Source-available": "other terms",
    "Proprietary Free": "other terms",
    "Unstated License": "other terms",
}
_NETWORK = re.compile(
    r"^(AGPL|SSPL|OSL-3|NPOSL|CPAL|RPL|RPSL|APSL|EUPL-1\.[12]|CAL-1|Parity|Watcom|LiLiQ-Rplus)"
)
_NONCOMMERCIAL = re.compile(r"^(CC-BY-NC|PolyForm-Noncommercial|NCGL|JPL-image|Aladdin|Glide|PPL$)")
_OWN: dict[str, Class] = {
    "CC-PDDC": "public domain",
    "ESA-PL-strong-copyleft-2.4": "copyleft",
    "ESA-PL-weak-copyleft-2.4": "weak copyleft",
    "ESA-PL-permissive-2.4": "permissive",
    "NIST-PD-TNT": "public domain",
    "NIST-PD-fallback": "public domain",
    "MPL-2.0-no-copyleft-exception": "weak copyleft",
    "eCos-2.0": "weak copyleft",
    "OSC-1.0": "weak copyleft",
    "Watcom-1.0": "other terms",
    **dict.fromkeys(
        (
            "BSD-3-Clause-Tso",
            "BSD-Mark-Modifications",
            "Buddy",
            "HPND-SMC",
            "HPND-sell-variant-critical-systems",
            "ISO-permission",
            "MIT-STK",
            "OSSP",
            "OpenMDW-1.0",
            "Vixie-Cron",
            "WTFNMFPL",
            "WordNet",
            "X11-no-permit-persons",
            "hyphen-bulgarian",
            "TekHVC",
            "BOLA-1.1",
        ),
        "permissive",
    ),
}
"""Read in the texts themselves; every other id without a category counts as other terms."""
_SUPERSEDED = re.compile(
    r"^(A?GPL-[123]\.0\+?|LGPL-[23]\.[01]\+?|GFDL-1\.[123]|GPL-[23]\.0-with-.*|AGPL-[13]\.0|BSD-2-Clause-(FreeBSD|NetBSD)"
    r"|bzip2-1\.0\.5|eCos-2\.0|Net-SNMP|Nunit|StandardML-NJ|wxWindows)$"
)


def _read(path: Path, source: Source) -> bytes:
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise MalformedInput(
            f"the file has SHA-256 {found}, not {source.sha256}",
            where=str(path),
            hint=f"get {source.file}",
        )
    return content


def _read_texts(path: Path) -> dict[str, Any]:
    _read(path, TEXTS)
    with tarfile.open(path) as archive:
        member = archive.extractfile("package/spdx-full.json")
        assert member is not None
        found: dict[str, Any] = json.loads(member.read())
    return found


def _read_categories(path: Path) -> dict[str, str]:
    _read(path, CATEGORIES)
    with zipfile.ZipFile(path) as archive:
        rows = json.loads(archive.read("license_expression/data/scancode-licensedb-index.json"))
    found: dict[str, str] = {}
    for row in rows:
        if not row.get("is_exception") and row.get("spdx_license_key"):
            found[row["spdx_license_key"]] = row["category"]
    for row in rows:
        for other in row.get("other_spdx_license_keys") or ():
            found.setdefault(other, row["category"])
    return found


def _classify(identifier: str, categories: dict[str, str]) -> Class:
    if identifier in _OWN:
        return _OWN[identifier]
    if _NONCOMMERCIAL.match(identifier):
        return "non-commercial"
    if _NETWORK.match(identifier):
        return "network copyleft"
    if identifier.startswith("GPL-"):
        return "copyleft"
    return _BY_CATEGORY.get(categories.get(identifier, ""), "other terms")


def generate(texts: Path, categories: Path, target: Path) -> int:
    """Write the list; gives its number of licences. Raises MalformedInput for files that are not the named ones."""
    by_id = _read_texts(texts)
    categorised = _read_categories(categories)
    licences = tuple(
        Licence(
            identifier,
            by_id[identifier]["name"],
            _classify(identifier, categorised),
            by_id[identifier]["licenseText"],
            bool(_SUPERSEDED.match(identifier)),
        )
        for identifier in sorted(by_id)
    )
    content = msgspec.json.encode(LicenceList((TEXTS, CATEGORIES), licences))
    packed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    temporary = target.with_suffix(".tmp")
    with temporary.open("wb") as out:
        out.write(packed)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(target)
    return len(licences)


def main() -> None:
    """Write data/texts.json.xz beside this file, or where --out says."""
    parser = argparse.ArgumentParser(prog="python -m verilabel.audit.licences.generate", description=__doc__)
    parser.add_argument("texts", type=Path, help=f"the file {TEXTS.file}")
    parser.add_argument("categories", type=Path, help=f"the file {CATEGORIES.file}")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "texts.json.xz")
    args = parser.parse_args()
    count = generate(args.texts, args.categories, args.out)
    sys.stdout.write(f"{count} licences, {args.out.stat().st_size} bytes: {args.out}\n")


if __name__ == "__main__":
    main()
