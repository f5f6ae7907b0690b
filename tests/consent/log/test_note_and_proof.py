"""Signed notes, checkpoints and offline proofs, on published vectors where there are any."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.errors import InputError, VerificationError
from consent.log import (
    Checkpoint,
    Signer,
    Verifier,
    format_proof,
    merkle,
    open_checkpoint,
    open_note,
    parse_proof,
    verify_proof,
)

# Key, text and signed note of the reference implementation (golang.org/x/mod/sumdb/note).
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNATURE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
    "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# A real checkpoint of a public log and the key its clients have built in.
GO_SUM_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
GO_SUM_NOTE = (
    "go.sum database tree\n13485\n/ZWur4obeiqK+ASdnPK+/Rmz6LPQMUeSmHh0+UkL54Y=\n\n"
    "— sum.golang.org Az3grnQReYTvpCrRxT+w50vixbqBlB/aPS8bL8f8KW4HHP+UjLSXOJgCh4f54n8hO6lr"
    "ESglzyRXMXnhaWzaeY3zqw8=\n"
)


def peter() -> Signer:
    seed = base64.b64decode(PETER_SEED)[1:]
    return Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(seed))


def a_signer(name: str = "example.com/log") -> Signer:
    return Signer(name, Ed25519PrivateKey.generate())


def test_signing_gives_the_published_note_and_key() -> None:
    assert peter().sign(TEXT) == f"{TEXT}\n{SIGNATURE}"
    assert peter().verifier.vkey == PETER


def test_the_published_note_opens_with_the_published_key() -> None:
    assert open_note(f"{TEXT}\n{SIGNATURE}", Verifier.parse(PETER)) == TEXT


def test_a_checkpoint_of_a_public_log_opens_with_its_well_known_key() -> None:
    checkpoint = Checkpoint.parse(open_note(GO_SUM_NOTE, Verifier.parse(GO_SUM_KEY)))
    assert (checkpoint.origin, checkpoint.size) == ("go.sum database tree", 13485)


def test_signatures_of_unknown_keys_are_ignored_and_never_enough() -> None:
    stranger = a_signer("stranger.example")
    both = peter().sign(TEXT) + stranger.sign(TEXT).split("\n\n")[1]
    assert open_note(both, Verifier.parse(PETER)) == TEXT
    with pytest.raises(VerificationError, match="not signed by PeterNeumann"):
        open_note(stranger.sign(TEXT), Verifier.parse(PETER))


def test_sixteen_signatures_are_accepted() -> None:
    lines = "".join(a_signer(f"s{i}.example").sign(TEXT).split("\n\n")[1] for i in range(15))
    assert open_note(f"{TEXT}\n{lines}{SIGNATURE}", Verifier.parse(PETER)) == TEXT


@pytest.mark.parametrize(
    "note",
    [
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}\njunk\n{SIGNATURE}",
        f"{TEXT}\n{SIGNATURE}".rstrip("\n"),
        f"{TEXT}\n— PeterNeumann AQID\n",
        f"{TEXT}\n— PeterNeumann !!!!\n",
        f"{TEXT}\n{SIGNATURE}".replace("answer", "question"),
        f"{TEXT}\n{SIGNATURE}".replace("\n", "\r\n"),
        f"\x00{TEXT}\n{SIGNATURE}",
        f"{TEXT}\ud800\n{SIGNATURE}",
        f"{TEXT}\n" + SIGNATURE * 101,
        "",
    ],
)
def test_a_damaged_note_does_not_open(note: str) -> None:
    with pytest.raises(VerificationError):
        open_note(note, Verifier.parse(PETER))


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("PeterNeumann", "Peter"),
        PETER[:-4] + "AAAA",
        PETER.replace("+ARpc", "+Ahpc"),
        "a b" + PETER[12:],
    ],
)
def test_a_damaged_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(InputError):
        Verifier.parse(vkey)


@pytest.mark.parametrize(
    "body",
    [
        "o\n1\n",
        "o\n01\n" + "A" * 43 + "=\n",
        "o\n-1\n" + "A" * 43 + "=\n",
        "o\n1\nAAAA\n",
        "o\n1\n!\n",
        "\n1\n" + "A" * 43 + "=\n",
        "o\n١\n" + "A" * 43 + "=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused_even_if_signed(body: str) -> None:
    with pytest.raises(VerificationError):
        Checkpoint.parse(body)


def test_a_checkpoint_of_another_log_under_the_same_key_is_refused() -> None:
    signer = a_signer()
    foreign = signer.sign(Checkpoint("example.com/other", 0, merkle.EMPTY_ROOT).text)
    with pytest.raises(VerificationError, match=r"example\.com/other"):
        open_checkpoint(foreign, signer.verifier)


def a_proof(signer: Signer, leaves: list[bytes], index: int) -> str:
    tree = merkle.from_leaf_hashes([merkle.leaf_hash(leaf) for leaf in leaves])
    root = merkle.range_root(tree, 0, len(leaves))
    note = Checkpoint(signer.name, len(leaves), root).sign(signer)
    return format_proof(index, merkle.inclusion_proof(tree, index, len(leaves)), note)


def test_a_proof_needs_only_the_leaf_and_the_logs_key() -> None:
    signer = a_signer()
    leaves = [b"zero", b"one", b"two", b"three", b"four"]
    for index, leaf in enumerate(leaves):
        text = a_proof(signer, leaves, index)
        assert text.startswith(f"c2sp.org/tlog-proof@v1\nindex {index}\n")
        assert verify_proof(text, leaf, signer.verifier.vkey).size == 5


def test_extra_data_travels_with_a_proof() -> None:
    signer = a_signer()
    proof = parse_proof(a_proof(signer, [b"only"], 0))
    text = format_proof(proof.index, proof.hashes, proof.checkpoint, extra=b"hello")
    assert parse_proof(text).extra == b"hello"
    verify_proof(text, b"only", signer.verifier.vkey)


def test_a_proof_of_another_leaf_place_log_or_key_fails() -> None:
    signer, other = a_signer(), a_signer()
    leaves = [b"zero", b"one", b"two"]
    text, vkey = a_proof(signer, leaves, 1), signer.verifier.vkey
    for bad_text, leaf, key in (
        (text, b"two", vkey),
        (text.replace("index 1", "index 0"), b"one", vkey),
        (text.replace("index 1", "index 01"), b"one", vkey),
        (text.replace("index 1\n", ""), b"one", vkey),
        (text, b"one", other.verifier.vkey),
        (text.replace("@v1", "@v2"), b"one", vkey),
        (text.replace("\n\n", "\n", 1), b"one", vkey),
        (text.replace("example.com/log\n3", "example.com/log\n4"), b"one", vkey),
        ("", b"one", vkey),
        (a_proof(other, leaves, 1), b"one", vkey),
    ):
        with pytest.raises(VerificationError):
            verify_proof(bad_text, leaf, key)
