"""Merkle trees of RFC 6962 and RFC 9162: hashing, inclusion and consistency proofs.

A tree is seen through one function, :data:`NodeHash`: the hash of the perfect subtree with
``2**level`` leaves that starts at leaf ``index * 2**level``. Where those hashes come from
(a list, tiles on disk) is the caller's affair.

References
----------
RFC 9162 sections 2.1.1 to 2.1.4 (the same tree as RFC 6962 section 2.1).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

from consent.errors import VerificationError

#: (level, index) -> hash of the perfect subtree of ``2**level`` leaves.
NodeHash = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 of 0x00 and the leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 of 0x01 and its children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over `hashes`, whose number is a power of two."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def from_leaf_hashes(hashes: Sequence[bytes]) -> NodeHash:
    """Return the tree over a list of leaf hashes."""

    def node(level: int, index: int) -> bytes:
        return perfect_root(hashes[index << level : (index + 1) << level])

    return node


def range_root(node: NodeHash, start: int, end: int) -> bytes:
    """Return the Merkle tree hash of the leaves ``[start, end)``.

    `start` must be a multiple of the largest power of two not above ``end - start``, as it is
    for every range that occurs in a proof.
    """
    count = end - start
    if count == 0:
        return EMPTY_ROOT
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, start >> level)
    split = start + _split(count)
    return node_hash(range_root(node, start, split), range_root(node, split, end))


def inclusion_proof(node: NodeHash, index: int, size: int) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of `size` leaves, leaf's sibling first."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(range_root(node, middle, end))
            end = middle
        else:
            path.append(range_root(node, start, middle))
            start = middle
    path.reverse()
    return path


def consistency_proof(node: NodeHash, first: int, second: int) -> list[bytes]:
    """Return the proof that the tree of `second` leaves extends that of `first`."""
    if not 0 <= first <= second:
        raise ValueError(f"no consistency proof from {first} to {second}")
    if first in (0, second):
        return []
    path: list[bytes] = []
    start, end = 0, second
    whole = True  # the old tree is exactly the subtree [start, end) of the new one's left spine
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(range_root(node, middle, end))
            end = middle
        else:
            path.append(range_root(node, start, middle))
            start = middle
            whole = False
    if not whole:
        path.append(range_root(node, start, end))
    path.reverse()
    return path


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that `proof` leads to from the leaf hash `leaf` (RFC 9162, 2.1.3.2).

    Raises
    ------
    VerificationError
        The proof has the wrong length for that place, or the place is outside the tree.
    """
    if not 0 <= index < size:
        raise VerificationError(f"no leaf {index} in a tree of {size}")
    fn, sn = index, size - 1
    result = leaf
    for step in proof:
        if sn == 0:
            raise VerificationError("the inclusion proof is too long")
        if fn & 1 or fn == sn:
            result = node_hash(step, result)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            result = node_hash(result, step)
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise VerificationError("the inclusion proof is too short")
    return result


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash `leaf` is at `index` in the tree of `size` with `root`.

    Raises
    ------
    VerificationError
        It is not shown to be.
    """
    if not hmac.compare_digest(root_from_inclusion(leaf, index, size, proof), root):
        raise VerificationError(f"the inclusion proof of leaf {index} does not lead to the root")


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of `second` leaves extends that of `first` (RFC 9162, 2.1.4.2).

    Raises
    ------
    VerificationError
        It is not shown to: the log was rolled back, or shows different people different trees.
    """
    failure = VerificationError(
        f"the log of {second} entries does not extend the log of {first} entries",
        hint="Entries were changed or removed, or this is another log. Keep both checkpoints.",
    )
    if first > second or first < 0:
        raise failure
    if first == second:
        if proof or not hmac.compare_digest(first_root, second_root):
            raise failure
        return
    if first == 0:
        if proof or not hmac.compare_digest(first_root, EMPTY_ROOT):
            raise failure
        return
    steps = list(proof)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    if not steps:
        raise failure
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    old = new = steps[0]
    for step in steps[1:]:
        if sn == 0:
            raise failure
        if fn & 1 or fn == sn:
            old = node_hash(step, old)
            new = node_hash(step, new)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            new = node_hash(new, step)
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise failure
    if not (hmac.compare_digest(old, first_root) and hmac.compare_digest(new, second_root)):
        raise failure


def _split(count: int) -> int:
    """Return the largest power of two smaller than `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1
