"""Cards beside the data: what they say, which of their digests hold, and hostile ones."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.licences.check import LicenceCheck
from verilabel.audit.licences.index import build_index
from verilabel.audit.licences.texts import load_licences
from verilabel.audit.provenance.cards import read_cards
from verilabel.audit.provenance.digests import DigestBudget, check_digest
from verilabel.errors import UsageError

DATA = b"id,text\n1,some words\n"
DIGEST = hashlib.sha256(DATA).hexdigest()


def write_croissant(folder: Path, *files: dict[str, Any], **fields: Any) -> None:
    """A Croissant file with its data beside it."""
    (folder / "data.csv").write_bytes(DATA)
    distribution = [
        {"@type": "cr:FileObject", "@id": f"file-{number}", **file} for number, file in enumerate(files)
    ]
    document = {"@type": "sc:Dataset", "name": "Example", "distribution": distribution, **fields}
    (folder / "croissant.json").write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize(
    ("file", "outcome"),
    [
        ({"contentUrl": "data.csv", "sha256": DIGEST}, "matches"),
        ({"contentUrl": "data.csv", "sha256": DIGEST.upper()}, "matches"),
        ({"contentUrl": "data.csv", "sha256": DIGEST[::-1]}, "differs"),
        ({"contentUrl": "data.csv", "md5": hashlib.md5(DATA).hexdigest()}, "matches"),
        ({"contentUrl": "https://example.org/data.csv", "sha256": DIGEST}, "file not here"),
        ({"contentUrl": "gone.csv", "sha256": DIGEST}, "file not here"),
        ({"contentUrl": "../outside.csv", "sha256": DIGEST}, "file not here"),
        (
            {"contentUrl": "data.csv", "sha256": "https://github.com/mlcommons/croissant/issues/80"},
            "not a digest",
        ),
        ({"contentUrl": "data.csv", "sha256": "sha256"}, "not a digest"),
        ({"contentUrl": "data.csv", "sha256": "0" * 64}, "not a digest"),
        ({"contentUrl": "data.csv", "sha256": ["x"]}, "not a digest"),
        ({"contentUrl": "data.csv", "sha256": hashlib.sha256().hexdigest()}, "digest of nothing"),
        ({"contentUrl": "data.csv"}, "none given"),
    ],
)
def test_claimed_digests_are_checked_and_look_alikes_named(
    tmp_path: Path, file: dict[str, Any], outcome: str
) -> None:
    (tmp_path / "outside.csv").write_bytes(DATA)
    folder = tmp_path / "set"
    folder.mkdir()
    write_croissant(folder, file)
    (card,) = read_cards(folder).cards
    assert [outcome] == [claim.outcome for claim in card.digests]


def test_a_croissant_says_licence_creators_and_sources(tmp_path: Path) -> None:
    write_croissant(
        tmp_path,
        license=["https://creativecommons.org/licenses/by/4.0/", {"name": "a licence of ours"}],
        creator=[{"@type": "Person", "name": "Jane Example"}, "Example Group"],
        inLanguage="en",
        **{"prov:wasDerivedFrom": {"prov:label": "Example-Full"}},
    )
    (card,) = read_cards(tmp_path).cards
    assert ("croissant", "Example") == (card.kind, card.name)
    assert [("CC-BY-4.0",), ()] == [claim.ids for claim in card.licences]
    assert ("Jane Example", "Example Group") == card.creators
    assert (("en",), ("Example-Full",)) == (card.languages, card.sources)


def test_a_hub_card_says_what_its_front_matter_says(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(
        b"---\r\nlicense: cc-by-nc-4.0\r\nlanguage:\r\n- no\r\n- en\r\nsource_datasets:\r\n- wikipedia\r\n"
        b"size_categories: [10K<n<100K]\r\npretty_name: Example\r\n---\r\n# Card\r\n"
    )
    (card,) = read_cards(tmp_path).cards
    assert [("CC-BY-NC-4.0",)] == [claim.ids for claim in card.licences]
    assert (("no", "en"), ("wikipedia",), ("10K<n<100K",)) == (card.languages, card.sources, card.sizes)


def test_another_licence_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: other\nlicense_name: odc-by\n---\n", "utf-8")
    (card,) = read_cards(tmp_path).cards
    assert [(), ("ODC-By-1.0",)] == [claim.ids for claim in card.licences]


def test_dataset_infos_say_licences_sizes_and_checksums(tmp_path: Path) -> None:
    infos = {
        "default": {
            "license": "MIT",
            "splits": {"train": {"num_examples": 12}},
            "download_checksums": {
                "https://example.org/a": {"num_bytes": 3, "checksum": DIGEST},
                "b": {"checksum": "x"},
            },
        }
    }
    (tmp_path / "dataset_infos.json").write_text(json.dumps(infos), "utf-8")
    (card,) = read_cards(tmp_path).cards
    assert (("MIT",), ("train: 12 examples",)) == (card.licences[0].ids, card.sizes)
    assert ["file not here", "not a digest"] == [claim.outcome for claim in card.digests]


def test_a_licence_file_is_read_by_the_check_of_licences(tmp_path: Path) -> None:
    text = next(licence.text for licence in load_licences().licences if licence.id == "Apache-2.0")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "LICENSE.txt").write_text(text, "utf-8")
    declared = read_cards(tmp_path, licences=lambda: LicenceCheck(build_index()))
    assert [("sub/LICENSE.txt", "licence file", "Apache-2.0")] == [
        (card.path, card.kind, card.licences[0].ids[0]) for card in declared.cards
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("croissant.json", b"{", "not JSON"),
        ("croissant.json", b"\xff\xfe", "not UTF-8"),
        ("croissant.json", b'{"a": 1, "a": 2}', "stands twice"),
        ("croissant.json", b'{"a": NaN}', "no number"),
        ("croissant.json", b"[" * 100_000, "too deep"),
        ("croissant.json", b'{"a": ' + b"9" * 5_000 + b"}", "too long"),
        ("dataset_infos.json", b"[]", "no object"),
        ("dataset_infos.json", b'{"default": 3}', "no object"),
        ("README.md", b"---\n[]\n---\n", "no mapping"),
        ("README.md", b"---\na: &x [1]\nb: *x\n---\n", "aliases"),
        ("README.md", b"---\na: 1\na: 2\n---\n", "stands twice"),
        ("README.md", b"---\na: " + b"[" * 2_000 + b"\n---\n", "too deep"),
        ("README.md", b"---\na: [\n---\n", "not YAML"),
        ("README.md", b"---\n" + b"a" * 2_000_000 + b"\n---\n", "too long"),
    ],
)
def test_a_hostile_card_is_a_problem_and_ends_nothing(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "README.md").write_text("---\nlicense: mit\n---\n", "utf-8")
    declared = read_cards(tmp_path)
    assert 1 == len(declared.cards)
    ((path, said),) = [(problem.path, problem.reason) for problem in declared.problems]
    assert name == path
    assert reason in said


def test_links_pipes_and_other_json_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text('{"rows": 3}', "utf-8")
    (tmp_path / "README.md").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "croissant.json")
    declared = read_cards(tmp_path)
    assert () == declared.cards
    assert {"README.md", "croissant.json"} == {problem.path for problem in declared.problems}


def test_no_more_bytes_are_hashed_than_allowed(tmp_path: Path) -> None:
    write_croissant(tmp_path, {"contentUrl": "data.csv", "sha256": DIGEST})
    (card,) = read_cards(tmp_path, hashed_bytes=len(DATA) - 1).cards
    assert ["not checked: too many bytes"] == [claim.outcome for claim in card.digests]


def test_an_input_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_cards(tmp_path / "gone")


@given(st.one_of(st.binary(max_size=300), st.text('{}[]",:a1&*-\n ', max_size=200).map(str.encode)))
def test_no_bytes_make_reading_cards_fail(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("cards")
    for name in ("croissant.json", "dataset_infos.json"):
        (folder / name).write_bytes(content)
    (folder / "README.md").write_bytes(b"---\n" + content + b"\n---\n")
    declared = read_cards(folder)
    assert len(declared.cards) + len(declared.problems) <= 3


def test_published_croissants_are_read_and_their_false_digests_named(shared_data: Path) -> None:
    declared = read_cards(shared_data / "croissant")
    by_name = {card.path: card for card in declared.cards}
    titanic = by_name["datasets/1.0/titanic/metadata.json"]
    assert {"matches"} == {claim.outcome for claim in titanic.digests}
    hub = by_name["datasets/1.1/huggingface-wildchat/metadata.json"]
    assert ["not a digest"] == [claim.outcome for claim in hub.digests]
    assert [("ODC-By-1.0",)] == [claim.ids for claim in hub.licences]
    assert () == declared.problems


def test_published_hub_cards_are_read_or_named_as_broken(shared_data: Path) -> None:
    folder = shared_data / "hf_cards" / "tests" / "fixtures" / "cards"
    card = read_cards(folder / "sample_datasetcard_simple.md").cards[0]
    assert ("Sample Segmentation", ("BSD-3-Clause",)) == (card.name, card.licences[0].ids)
    (problem,) = read_cards(folder / "sample_invalid_card_data.md").problems
    assert "the front matter is no mapping" == problem.reason


def test_a_changed_file_is_not_hashed_as_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    claim = check_digest(
        "empty", "sha256", hashlib.sha256().hexdigest(), tmp_path / "empty", DigestBudget(10)
    )
    assert "matches" == claim.outcome
