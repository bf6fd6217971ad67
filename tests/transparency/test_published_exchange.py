"""A log's growth as the tests of another witness (transparency-dev/witness) publish it, cosigned by ours."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest

from transparency.small_logs import WITNESS_KEY
from verilabel.evidence.keys import KeyType, parse_public
from verilabel.evidence.note import merge_cosignatures, open_checkpoint
from verilabel.transparency.witness_protocol import SIZE_TYPE, encode_request
from verilabel.transparency.witnessing import Witness

KEY = parse_public("monkeys+db4d9f7e+AULaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT")
FIVE = (
    "monkeys\n5\n41smjBUiAU70EtKlT6lIOIYtRTYxYXsDB+XHfcvu/BE=\n\n"
    "— monkeys 202fftzGl3LVoqjXfwCFZZXs8I+5G22+Ek2K0AOyBuSJ/8/CZawNF+6fNlTKOCd622pbzJNkkJFWuw9DbicZCkEx9AY=\n"
).encode()
EIGHT = (
    "monkeys\n8\nV8K9aklZ4EPB+RMOk1/8VsJUdFZR77GDtZUQq84vSbo=\n\n"
    "— monkeys 202ffoUEboiQYpHzICeaFmoy3RNviHTpAxYrq/eO4QQVQMvu9UebKBMX2MJC76NLthZaKsnKbCA8GxrjePZhvDCH7Ag=\n"
).encode()
PROOF = [
    bytes.fromhex(text)
    for text in (
        "b9e1d62618f7fee8034e4c5010f727ab24d8e4705cb296c374bf2025a87a10d2",
        "aac66cd7a79ce4012d80762fe8eec3a77f22d1ca4145c3f4cee022e7efcd599d",
        "89d0f753f66a290c483b39cd5e9eafb12021293395fad3d4a2ad053cfbcfdc9e",
        "29e40bb79c966f4c6fe96aff6f30acfce5f3e8d84c02215175d6e018a5dee833",
    )
]


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(WITNESS_KEY, [KEY], tmp_path / "state", clock=lambda: 1679315147)


def test_the_published_growth_is_cosigned(witness: Witness) -> None:
    assert HTTPStatus.OK == witness.add_checkpoint(encode_request(0, [], FIVE)).status
    reply = witness.add_checkpoint(encode_request(5, PROOF, EIGHT))
    assert HTTPStatus.OK == reply.status
    ours = WITNESS_KEY.public.of_type(KeyType.COSIGNATURE)
    opened = open_checkpoint(merge_cosignatures(EIGHT, reply.body, [ours]), [KEY], [ours])
    assert [1679315147] == [cosignature.time for cosignature in opened.cosignatures]


def test_the_published_refusals_are_ours_too(witness: Witness) -> None:
    assert HTTPStatus.UNPROCESSABLE_ENTITY == witness.add_checkpoint(encode_request(0, PROOF, FIVE)).status
    witness.add_checkpoint(encode_request(0, [], FIVE))
    stale = witness.add_checkpoint(encode_request(2, PROOF, EIGHT))
    assert (HTTPStatus.CONFLICT, b"5\n", SIZE_TYPE) == (stale.status, stale.body, stale.content_type)
    assert HTTPStatus.UNPROCESSABLE_ENTITY == witness.add_checkpoint(encode_request(5, [], EIGHT)).status
    assert HTTPStatus.OK == witness.add_checkpoint(encode_request(5, [], FIVE)).status
    witness.add_checkpoint(encode_request(5, PROOF, EIGHT))
    assert HTTPStatus.BAD_REQUEST == witness.add_checkpoint(encode_request(8, PROOF, FIVE)).status
