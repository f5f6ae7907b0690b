"""Hashes and proofs against published vectors and against RFC 6962 read literally."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore.errors import VerificationError as SigstoreRefuses

from consent.errors import VerificationError
from consent.log import merkle

# The test tree of the Certificate Transparency project: leaves, roots of its first n leaves,
# and proofs (merkletree tests of certificate-transparency; also transparency-dev/merkle).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
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
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
TREE = merkle.from_leaf_hashes([merkle.leaf_hash(leaf) for leaf in LEAVES])


def published(hashes: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(h) for h in hashes]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.range_root(TREE, 0, 0) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert merkle.range_root(TREE, 0, size).hex() == ROOTS[size - 1]


@pytest.mark.parametrize("place", INCLUSION)
def test_inclusion_proofs_are_the_published_ones(place: tuple[int, int]) -> None:
    index, size = place
    proof = merkle.inclusion_proof(TREE, index, size)
    assert proof == published(INCLUSION[place])
    leaf = merkle.leaf_hash(LEAVES[index])
    merkle.verify_inclusion(leaf, index, size, proof, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(sizes: tuple[int, int]) -> None:
    first, second = sizes
    proof = merkle.consistency_proof(TREE, first, second)
    assert proof == published(CONSISTENCY[sizes])
    roots = [bytes.fromhex(ROOTS[size - 1]) for size in sizes]
    merkle.verify_consistency(first, second, *roots, proof)


# RFC 6962 section 2.1, word for word, as an independent second opinion.


def mth(d: list[bytes]) -> bytes:
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return hashlib.sha256(b"\x00" + d[0]).digest()
    k = split(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = split(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], b: bool) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    k = split(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def entries(size: int) -> list[bytes]:
    return [str(number).encode() for number in range(size)]


@given(st.integers(1, 150), st.data())
@settings(max_examples=150, deadline=None)
def test_roots_and_proofs_agree_with_the_rfc_read_literally(size: int, data: st.DataObject) -> None:
    d = entries(size)
    tree = merkle.from_leaf_hashes([merkle.leaf_hash(leaf) for leaf in d])
    root = merkle.range_root(tree, 0, size)
    assert root == mth(d)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(tree, index, size)
    assert proof == path(index, d)
    merkle.verify_inclusion(merkle.leaf_hash(d[index]), index, size, proof, root)
    first = data.draw(st.integers(1, size))
    consistency = merkle.consistency_proof(tree, first, size)
    assert consistency == subproof(first, d, True)
    merkle.verify_consistency(first, size, mth(d[:first]), root, consistency)


def damaged(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    """A proof that differs: a bit, a hash less, a hash more, or two swapped."""
    kinds = ["longer"] + (["bit", "shorter"] if proof else [])
    if len(proof) > 1 and len(set(proof)) > 1:
        kinds.append("reversed")
    kind = data.draw(st.sampled_from(kinds))
    if kind == "longer":
        return [*proof, bytes(32)]
    if kind == "shorter":
        return proof[:-1]
    if kind == "reversed":
        return proof[::-1]
    where = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[where][0] ^ 1]) + proof[where][1:]
    return [*proof[:where], flipped, *proof[where + 1 :]]


@given(st.integers(1, 80), st.data())
@settings(max_examples=150, deadline=None)
def test_no_damaged_proof_verifies(size: int, data: st.DataObject) -> None:
    d = entries(size)
    tree = merkle.from_leaf_hashes([merkle.leaf_hash(leaf) for leaf in d])
    root = mth(d)
    index = data.draw(st.integers(0, size - 1))
    bad = damaged(merkle.inclusion_proof(tree, index, size), data)
    with pytest.raises(VerificationError):
        merkle.verify_inclusion(merkle.leaf_hash(d[index]), index, size, bad, root)
    first = data.draw(st.integers(1, size))
    bad = damaged(merkle.consistency_proof(tree, first, size), data)
    with pytest.raises(VerificationError):
        merkle.verify_consistency(first, size, mth(d[:first]), root, bad)


@given(st.integers(2, 80), st.data())
@settings(max_examples=100, deadline=None)
def test_a_proof_holds_for_one_place_and_one_past_only(size: int, data: st.DataObject) -> None:
    d = entries(size)
    tree = merkle.from_leaf_hashes([merkle.leaf_hash(leaf) for leaf in d])
    index, other = data.draw(
        st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(lambda p: p[0] != p[1])
    )
    proof = merkle.inclusion_proof(tree, index, size)
    with pytest.raises(VerificationError):
        merkle.verify_inclusion(merkle.leaf_hash(d[index]), other, size, proof, mth(d))
    rewritten = [b"another", *d[1:]]
    first = data.draw(st.integers(1, size - 1))
    with pytest.raises(VerificationError, match="does not extend"):
        merkle.verify_consistency(
            first, size, mth(rewritten[:first]), mth(d), merkle.consistency_proof(tree, first, size)
        )


def test_the_example_of_rfc_9162_has_the_proofs_it_draws() -> None:
    """The tree of seven entries in section 2.1.5, node by node."""
    a, b, c, d, e, f, j = (merkle.leaf_hash(entry) for entry in entries(7))
    g, h, i = merkle.node_hash(a, b), merkle.node_hash(c, d), merkle.node_hash(e, f)
    k, m = merkle.node_hash(g, h), merkle.node_hash(i, j)
    tree = merkle.from_leaf_hashes([a, b, c, d, e, f, j])
    assert merkle.range_root(tree, 0, 7) == merkle.node_hash(k, m)
    drawn = {0: [b, h, m], 3: [c, g, m], 4: [f, j, k], 6: [i, k]}
    for index, proof in drawn.items():
        assert merkle.inclusion_proof(tree, index, 7) == proof
    assert merkle.consistency_proof(tree, 3, 7) == [c, d, g, m]
    assert merkle.consistency_proof(tree, 4, 7) == [m]
    assert merkle.consistency_proof(tree, 6, 7) == [i, j, k]


@given(st.integers(1, 2000), st.data())
@settings(max_examples=100, deadline=None)
def test_sigstores_verifier_accepts_our_proofs_and_no_damaged_ones(
    size: int, data: st.DataObject
) -> None:
    d = entries(size)
    tree = merkle.from_leaf_hashes([merkle.leaf_hash(leaf) for leaf in d])
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(tree, index, size)

    def entry(hashes: list[bytes]) -> SimpleNamespace:
        inclusion = SimpleNamespace(
            log_index=index,
            tree_size=size,
            hashes=hashes,
            root_hash=merkle.range_root(tree, 0, size),
        )
        inner = SimpleNamespace(inclusion_proof=inclusion, canonicalized_body=d[index])
        return SimpleNamespace(_inner=inner)

    verify_merkle_inclusion(entry(proof))
    with pytest.raises(SigstoreRefuses):
        verify_merkle_inclusion(entry(damaged(proof, data)))
