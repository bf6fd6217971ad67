"""Merkle trees: the Certificate Transparency reference vectors, and proofs that hold for nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import SealError, UsageError
from verilabel.evidence.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The leaves, roots and proofs of the Certificate Transparency reference implementation's own tests.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    bytes.fromhex(text)
    for text in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
CT_INCLUSION = {
    0: (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    5: (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}
CT_CONSISTENCY = {
    (1, 1): (),
    (1, 8): CT_INCLUSION[0],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


def root_by_definition(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 section 2.1 writes it down, without any of the module's shortcuts."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(
        b"\x01" + root_by_definition(leaves[:split]) + root_by_definition(leaves[split:])
    ).digest()


def test_roots_are_those_of_the_certificate_transparency_vectors() -> None:
    leaves = [leaf_hash(data) for data in CT_LEAVES]
    frontier = Frontier()
    seen = [frontier.root()]
    for leaf in leaves:
        frontier.add(leaf)
        seen.append(frontier.root())
    assert CT_ROOTS == seen
    assert CT_ROOTS == [root_of(leaves[:size]) for size in range(9)]
    assert CT_ROOTS == [root_at(Tree(leaves), size) for size in range(9)]


@pytest.mark.parametrize("index", CT_INCLUSION)
def test_inclusion_proofs_are_those_of_the_certificate_transparency_vectors(index: int) -> None:
    proof = Tree([leaf_hash(data) for data in CT_LEAVES]).inclusion(index)
    assert CT_INCLUSION[index] == tuple(item.hex() for item in proof)
    verify_inclusion(leaf_hash(CT_LEAVES[index]), index, 8, proof, CT_ROOTS[8])


@pytest.mark.parametrize("sizes", CT_CONSISTENCY)
def test_consistency_proofs_are_those_of_the_certificate_transparency_vectors(sizes: tuple[int, int]) -> None:
    old, new = sizes
    proof = consistency_proof(Tree([leaf_hash(data) for data in CT_LEAVES]), old, new)
    assert CT_CONSISTENCY[sizes] == tuple(item.hex() for item in proof)
    verify_consistency(old, new, proof, CT_ROOTS[old], CT_ROOTS[new])


def test_a_sealed_record_is_hashed_with_its_salt_before_the_line() -> None:
    salt = bytes(range(32))
    assert hashlib.sha256(b"\x00" + salt + b"line").digest() == leaf_hash(b"line", salt)


def test_every_proof_of_every_tree_of_up_to_forty_leaves_holds() -> None:
    leaves = leaves_of(40)
    roots = [root_by_definition(leaves[:size]) for size in range(41)]
    for size in range(41):
        tree = Tree(leaves[:size])
        assert roots[size] == tree.root() == root_of(leaves[:size])
        for index in range(size):
            verify_inclusion(leaves[index], index, size, tree.inclusion(index), roots[size])
        for old in range(size + 1):
            verify_consistency(old, size, tree.consistency(old), roots[old], roots[size])


def test_a_frontier_reports_each_node_once_when_its_last_leaf_arrives() -> None:
    leaves = leaves_of(23)
    tree, frontier = Tree(leaves), Frontier()
    for number, leaf in enumerate(leaves):
        for level, hashed in enumerate(frontier.add(leaf)):
            assert tree.node(level, number >> level) == hashed
    assert 23 == frontier.size


sizes = st.integers(1, 300)


@given(size=sizes, data=st.data())
@settings(max_examples=60, deadline=None)
def test_an_inclusion_proof_holds_for_its_leaf_and_place_alone(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    tree = Tree(leaves)
    root, proof = tree.root(), tree.inclusion(index)
    verify_inclusion(leaves[index], index, size, proof, root)
    wrong = data.draw(st.integers(0, size + 2).filter(lambda other: other != index))
    broken = [
        (leaf_hash(b"another"), index, proof, root),
        (leaves[index], wrong, proof, root),
        (leaves[index], index, [*proof, root], root),
        (leaves[index], index, proof, leaf_hash(b"")),
    ]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        changed = bytes([proof[place][0] ^ 1]) + proof[place][1:]
        broken.append((leaves[index], index, [*proof[:place], changed, *proof[place + 1 :]], root))
        broken.append((leaves[index], index, proof[:-1], root))
        broken.append((leaves[index], index, proof[1:], root))
    for leaf, at, path, claimed in broken:
        with pytest.raises(SealError):
            verify_inclusion(leaf, at, size, path, claimed)


@given(old=sizes, grown=st.integers(1, 200), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_consistency_proof_holds_for_its_two_trees_alone(old: int, grown: int, data: st.DataObject) -> None:
    leaves = leaves_of(old + grown)
    new = old + grown
    tree = Tree(leaves)
    old_root, new_root, proof = root_of(leaves[:old]), tree.root(), tree.consistency(old)
    verify_consistency(old, new, proof, old_root, new_root)
    place = data.draw(st.integers(0, len(proof) - 1))
    changed = bytes([proof[place][0] ^ 128]) + proof[place][1:]
    rewritten = [leaf_hash(b"rewritten"), *leaves[1:old]]
    for path, first, second in (
        (proof, root_of(rewritten), new_root),
        (proof, old_root, root_of([*rewritten, *leaves[old:]])),
        ([*proof[:place], changed, *proof[place + 1 :]], old_root, new_root),
        (proof[:-1], old_root, new_root),
        ([*proof, new_root], old_root, new_root),
        ([], old_root, new_root),
    ):
        with pytest.raises(SealError):
            verify_consistency(old, new, path, first, second)


def test_a_tree_never_shrinks_and_equal_sizes_need_equal_roots() -> None:
    one, two = leaves_of(2)
    with pytest.raises(SealError, match="shrunk"):
        verify_consistency(2, 1, [], node_hash(one, two), one)
    with pytest.raises(SealError):
        verify_consistency(1, 1, [], one, two)
    with pytest.raises(SealError):
        verify_consistency(0, 1, [], one, two)
    with pytest.raises(SealError):
        verify_consistency(0, 0, [], EMPTY_ROOT, one)
    verify_consistency(0, 1, [], EMPTY_ROOT, one)


def test_a_proof_for_a_small_tree_is_not_one_for_a_larger_tree_of_the_same_root() -> None:
    one, two = leaves_of(2)
    root = node_hash(one, two)
    verify_inclusion(one, 0, 2, [two], root)
    for size in (3, 4, 5, 1000):
        with pytest.raises(SealError, match="too few"):
            verify_inclusion(one, 0, size, [two], root)


def test_a_hash_of_another_length_is_refused() -> None:
    one, two = leaves_of(2)
    with pytest.raises(SealError, match="32 bytes"):
        verify_inclusion(one, 0, 2, [two + b"\x00"], node_hash(one, two))


def test_a_leaf_is_never_taken_for_an_inner_node() -> None:
    one, two = leaves_of(2)
    assert leaf_hash(one + two) != node_hash(one, two)


def test_a_proof_for_what_is_not_there_is_a_usage_error() -> None:
    tree = Tree(leaves_of(3))
    for ask in (lambda: tree.inclusion(3), lambda: inclusion_proof(tree, -1, 3), lambda: tree.consistency(4)):
        with pytest.raises(UsageError):
            ask()
