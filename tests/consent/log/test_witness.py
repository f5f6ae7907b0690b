"""A witness: what it cosigns, what it refuses and why, as a library and over HTTP."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent import keys
from consent.clock import FixedClock
from consent.errors import InputError, RefusedError, StorageError, VerificationError
from consent.home import Home
from consent.log import (
    Checkpoint,
    Extension,
    Log,
    Signer,
    Verifier,
    WitnessPolicy,
    merkle,
    open_checkpoint,
    parse_proof,
    verify_proof,
)
from consent.log.witness import (
    Conflict,
    Inconsistent,
    MalformedRequest,
    SplitView,
    UnknownLog,
    UntrustedCheckpoint,
    Witness,
    status_of,
)
from consent.log.witness_http import ask, serve

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ORIGIN = "example.com/log"

# add-checkpoint requests with a published key (tests of filippo.io/torchwood's litewitness): an
# independent implementation made the signatures, roots and proofs.
PUBLISHED_ORIGIN = (
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
)
PUBLISHED_KEY = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"


def published(old: int, hashes: list[str], size: int, root: str, signature: str) -> str:
    lines = [f"old {old}", *hashes, "", PUBLISHED_ORIGIN, str(size), root, ""]
    return "\n".join([*lines, f"— {PUBLISHED_ORIGIN} {signature}", ""])


TO_1 = published(
    0,
    [],
    1,
    "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=",
)
TO_3 = published(
    1,
    [
        "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ],
    3,
    "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=",
    "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=",
)
TO_5 = published(
    1,
    [
        "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=",
        "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ],
    5,
    "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=",
    "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=",
)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    home = Home.open(tmp_path / "witness-home")
    Witness.create(home, "witness.example/w1")
    return Witness.open(home, clock=FixedClock(NOON))


@pytest.fixture
def log(tmp_path: Path, witness: Witness) -> Log:
    policy = WitnessPolicy().adding(witness.verifier.vkey)
    opened = Log.open(tmp_path / "log", Ed25519PrivateKey.generate(), ORIGIN, witnesses=policy)
    witness.watch(opened.vkey)
    opened.append(leaves(0, 5))
    return opened


def leaves(start: int, end: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(start, end)]


def cosign(witness: Witness, extension: Extension) -> str:
    return extension.checkpoint + witness.add_checkpoint(extension.text)


def test_requests_of_another_implementation_are_cosigned_one_after_the_other(
    witness: Witness,
) -> None:
    log = Verifier(PUBLISHED_ORIGIN, bytes.fromhex(PUBLISHED_KEY))
    witness.watch(log.vkey)
    with pytest.raises(Conflict) as caught:  # nothing is cosigned yet
        witness.add_checkpoint(TO_3)
    assert caught.value.size == 0
    witness.add_checkpoint(TO_1)
    line = witness.add_checkpoint(TO_3)
    checkpoint = open_checkpoint(Extension.parse(TO_3).checkpoint + line, log, [witness.verifier])
    assert checkpoint.cosignatures[0].time == NOON
    latest = witness.latest(log)
    assert latest is not None
    assert latest.size == 3


def test_the_published_race_of_two_requests_does_not_roll_the_witness_back(
    witness: Witness,
) -> None:
    log = Verifier(PUBLISHED_ORIGIN, bytes.fromhex(PUBLISHED_KEY))
    witness.watch(log.vkey)
    for request in (TO_1, TO_5):
        witness.add_checkpoint(request)
    with pytest.raises(Conflict) as caught:
        witness.add_checkpoint(TO_3)
    assert caught.value.size == 5
    latest = witness.latest(log)
    assert latest is not None
    assert latest.root.hex() == "42bb57ad06420afa4882c4a63ac6a1ec77480b330b2f20dfc53a0caa5f564e36"


def test_what_a_witness_cosigned_goes_into_checkpoint_and_proofs(
    witness: Witness, log: Log
) -> None:
    assert log.witnessed() is None
    checkpoint = log.attach(cosign(witness, log.extension()))
    assert [c.witness.name for c in checkpoint.cosignatures] == ["witness.example/w1"]
    assert log.checkpoint().cosignatures == checkpoint.cosignatures
    proof = log.proof(2)
    assert verify_proof(proof, b"entry 2", log.vkey, witnesses=log.witnesses).size == 5
    log.append(leaves(5, 9))
    assert log.checkpoint().cosignatures == ()
    # Old entries keep their witnessed proofs; new ones wait for the witness.
    assert verify_proof(log.proof(2), b"entry 2", log.vkey, witnesses=log.witnesses).size == 5
    with pytest.raises(VerificationError, match="not cosigned by 1 of"):
        verify_proof(log.proof(7), b"entry 7", log.vkey, witnesses=log.witnesses)
    log.attach(cosign(witness, log.extension(5)))
    assert verify_proof(log.proof(7), b"entry 7", log.vkey, witnesses=log.witnesses).size == 9
    assert log.cosigned_sizes() == [9]
    log.verify()


def test_a_cosignature_that_comes_late_is_kept_for_the_size_it_is_of(
    witness: Witness, log: Log
) -> None:
    extension = log.extension()
    log.append(leaves(5, 300))
    assert log.attach(cosign(witness, extension)).size == 5
    assert parse_proof(log.proof(4)).checkpoint.startswith(f"{ORIGIN}\n5\n")
    assert parse_proof(log.proof(5)).checkpoint.startswith(f"{ORIGIN}\n300\n")


def test_a_quorum_is_gathered_one_cosignature_at_a_time(tmp_path: Path) -> None:
    witnesses = [
        Witness.create(Home.open(tmp_path / name), f"{name}.example") for name in ("a", "b")
    ]
    policy = WitnessPolicy()
    for witness in witnesses:
        policy = policy.adding(witness.verifier.vkey)
    log = Log.open(tmp_path / "log", Ed25519PrivateKey.generate(), ORIGIN, witnesses=policy)
    log.append(leaves(0, 3))
    extension = log.extension()
    for number, witness in enumerate(witnesses):
        witness.watch(log.vkey)
        assert log.witnessed() is None
        checkpoint = log.attach(cosign(witness, extension))
        assert len(checkpoint.cosignatures) == number + 1
        log.append([b"meanwhile"])
    witnessed = log.witnessed()
    assert witnessed is not None
    assert witnessed.size == 3


def test_strangers_cosignatures_are_not_published(tmp_path: Path, log: Log) -> None:
    stranger = Witness.create(Home.open(tmp_path / "stranger"), "stranger.example")
    stranger.watch(log.vkey)
    with pytest.raises(VerificationError, match="not cosigned by a witness trusted here"):
        log.attach(cosign(stranger, log.extension()))
    assert "stranger" not in log.checkpoint_note()


def test_a_witness_that_saw_more_than_the_log_has_is_an_alarm(
    tmp_path: Path, witness: Witness, log: Log
) -> None:
    old = {p: p.read_bytes() for p in log.folder.rglob("*") if p.is_file()}
    log.append(leaves(5, 7))
    note = cosign(witness, log.extension())
    (log.folder / "checkpoint").write_bytes(old[log.folder / "checkpoint"])
    with pytest.raises(VerificationError, match="does not extend"):
        log.attach(note)


# -- Refusals, by their status ----------------------------------------------------------


@pytest.mark.parametrize(
    "request_text",
    [
        "",
        "old\n\nx",
        "old -1\n\n" + "x\n",
        "old 01\n\nx\n",
        "old 0\nAAAA\n\nx\n",
        "old 0\n" + "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 64 + "\nx\n",
        "old 0\n!\n\nx\n",
        "old 0\n\nnot a checkpoint\n\n— x AAAAAAAA\n",
        "old 9\n\n" + TO_1.partition("\n\n")[2],
    ],
)
def test_400_what_is_no_request(witness: Witness, request_text: str) -> None:
    witness.watch(Verifier(PUBLISHED_ORIGIN, bytes.fromhex(PUBLISHED_KEY)).vkey)
    with pytest.raises(MalformedRequest) as caught:
        witness.add_checkpoint(request_text)
    assert status_of(caught.value) == 400


def test_403_a_checkpoint_under_another_key(witness: Witness, log: Log) -> None:
    forger = Signer(ORIGIN, Ed25519PrivateKey.generate())
    note = Checkpoint(ORIGIN, 5, log.checkpoint().root).sign(forger)
    with pytest.raises(UntrustedCheckpoint) as caught:
        witness.add_checkpoint(Extension(0, (), note).text)
    assert status_of(caught.value) == 403


def test_404_a_log_nobody_asked_to_watch(witness: Witness) -> None:
    with pytest.raises(UnknownLog) as caught:
        witness.add_checkpoint(TO_1)
    assert status_of(caught.value) == 404


def test_409_a_proof_from_another_size_names_the_size_to_begin_from(
    witness: Witness, log: Log
) -> None:
    witness.add_checkpoint(log.extension().text)
    log.append(leaves(5, 8))
    with pytest.raises(Conflict, match="has 5") as caught:
        witness.add_checkpoint(log.extension(3).text)
    assert (status_of(caught.value), caught.value.size) == (409, 5)
    witness.add_checkpoint(log.extension(5).text)
    witness.add_checkpoint(log.extension(8).text)  # the same again, to be dated anew


def test_409_another_tree_of_the_same_size_is_a_split_view_and_kept(
    tmp_path: Path, witness: Witness
) -> None:
    key = Ed25519PrivateKey.generate()
    honest, forked = (Log.open(tmp_path / name, key, ORIGIN) for name in ("one", "two"))
    witness.watch(honest.vkey)
    honest.append(leaves(0, 4))
    forked.append([b"another", *leaves(1, 4)])
    witness.add_checkpoint(honest.extension().text)
    with pytest.raises(SplitView, match="two different trees of 4") as caught:
        witness.add_checkpoint(forked.extension(4).text)
    assert status_of(caught.value) == 409
    (evidence,) = (tmp_path / "witness-home").rglob("refused/*")
    assert open_checkpoint(evidence.read_text("utf-8"), honest.verifier) == forked.checkpoint()


def test_422_a_rewritten_log_is_not_cosigned_and_its_checkpoint_is_kept(
    tmp_path: Path, witness: Witness
) -> None:
    key = Ed25519PrivateKey.generate()
    honest, forked = (Log.open(tmp_path / name, key, ORIGIN) for name in ("one", "two"))
    witness.watch(honest.vkey)
    honest.append(leaves(0, 4))
    forked.append([b"another", *leaves(1, 9)])
    witness.add_checkpoint(honest.extension().text)
    with pytest.raises(Inconsistent) as caught:
        witness.add_checkpoint(forked.extension(4).text)
    assert status_of(caught.value) == 422
    assert len(list((tmp_path / "witness-home").rglob("refused/*"))) == 1
    latest = witness.latest(honest.verifier)
    assert latest == honest.checkpoint()


@pytest.mark.parametrize("hashes", [(merkle.EMPTY_ROOT,), (bytes(32),) * 2])
def test_422_a_first_checkpoint_needs_no_proof_and_must_have_none(
    witness: Witness, log: Log, hashes: tuple[bytes, ...]
) -> None:
    with pytest.raises(Inconsistent):
        witness.add_checkpoint(Extension(0, hashes, log.checkpoint_note()).text)


def test_422_an_empty_log_has_the_empty_root(witness: Witness, tmp_path: Path) -> None:
    signer = Signer("example.com/new", Ed25519PrivateKey.generate())
    witness.watch(signer.verifier.vkey)
    with pytest.raises(Inconsistent):
        witness.add_checkpoint(
            Extension(0, (), Checkpoint(signer.name, 0, bytes(32)).sign(signer)).text
        )
    note = Checkpoint(signer.name, 0, merkle.EMPTY_ROOT).sign(signer)
    for _ in range(2):
        assert witness.add_checkpoint(Extension(0, (), note).text).startswith("— witness")


# -- Its memory -------------------------------------------------------------------------


def test_a_witness_keeps_one_key_and_one_memory(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    with pytest.raises(InputError, match="no witness"):
        Witness.open(home)
    for name in ("", "a b", "a+b", "a\n"):
        with pytest.raises(InputError, match="not a key name"):
            Witness.create(home, name)
    witness = Witness.create(home, "w.example")
    assert Witness.open(home).verifier == witness.verifier
    with pytest.raises(RefusedError, match=r"is the witness w\.example already"):
        Witness.create(home, "other.example")
    (home.root / "witness" / "name").unlink()
    with pytest.raises(RefusedError, match="its memory is gone"):
        Witness.create(home, "w.example")
    assert Witness.create(home, "new.example").verifier != witness.verifier


def test_a_changed_memory_is_noticed(witness: Witness, log: Log) -> None:
    witness.add_checkpoint(log.extension().text)
    (path,) = witness.folder.rglob("checkpoint")
    path.write_text(path.read_text("utf-8").replace("\n5\n", "\n4\n"), "utf-8")
    log.append(leaves(5, 6))
    with pytest.raises(VerificationError):
        witness.add_checkpoint(log.extension(4).text)


def test_a_watched_log_cannot_be_given_another_key(witness: Witness, log: Log) -> None:
    other = Signer(ORIGIN, Ed25519PrivateKey.generate()).verifier
    with pytest.raises(RefusedError, match="under another key"):
        witness.watch(other.vkey)
    witness.watch(log.vkey)
    assert [key for key, _ in witness.watched()] == [log.verifier]


def test_a_lost_key_is_said(witness: Witness, tmp_path: Path) -> None:
    home = Home.open(tmp_path / "witness-home")
    for path in home.keys.glob("witness-*"):
        path.unlink()
    with pytest.raises(StorageError, match="does not exist"):
        Witness.open(home)
    assert not keys.key_path(home, "log").exists()


def test_of_two_requests_at_once_the_shorter_never_rolls_the_witness_back(
    witness: Witness, log: Log
) -> None:
    witness.add_checkpoint(log.extension().text)
    requests = []
    for size in range(6, 30):
        log.append(leaves(size - 1, size))
        requests.append(log.extension(5).text)
    answers: list[object] = []

    def send(text: str) -> None:
        try:
            answers.append(witness.add_checkpoint(text))
        except Conflict as exc:
            answers.append(exc.size)

    threads = [threading.Thread(target=send, args=(text,)) for text in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    signed = [answer for answer in answers if isinstance(answer, str)]
    latest = witness.latest(log.verifier)
    assert len(signed) == 1
    assert latest is not None
    assert {answer for answer in answers if not isinstance(answer, str)} == {latest.size}


# -- Over HTTP --------------------------------------------------------------------------


@pytest.fixture
def address(witness: Witness) -> Iterator[str]:
    server = serve(witness)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def post(address: str, body: bytes) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(f"{address}/add-checkpoint", body, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.headers["Content-Type"], exc.read()


def test_a_log_asks_a_witness_over_http_and_finds_the_size_to_begin_from(
    witness: Witness, log: Log, address: str
) -> None:
    assert log.attach(ask(log, address)).size == 5
    log.append(leaves(5, 12))
    assert log.attach(ask(log, address)).size == 12
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.read().decode() == f"{witness.verifier.vkey}\n"


def test_the_protocols_statuses_are_answered(log: Log, witness: Witness, address: str) -> None:
    assert post(address, b"nonsense")[0] == 400
    assert post(address, b"\xff\xfe")[0] == 400
    assert post(address, b"x" * 70_000)[0] == 400
    assert post(address, TO_1.encode())[0] == 404
    assert post(address, log.extension().text.encode())[0] == 200
    log.append(leaves(5, 6))
    assert post(address, log.extension().text.encode()) == (409, "text/x.tlog.size", b"5\n")
    wrong = Extension(5, (bytes(32),), log.checkpoint_note())
    assert post(address, wrong.text.encode())[0] == 422


def test_a_refusal_over_http_is_told_in_words(tmp_path: Path, address: str) -> None:
    unknown = Log.open(tmp_path / "unknown", Ed25519PrivateKey.generate(), "unknown.example")
    with pytest.raises(RefusedError, match=r"refused \(404\).*is not watched here"):
        ask(unknown, address)
    for url in ("file:///x", "witness.example", "http://"):
        with pytest.raises(InputError, match="is not the address of a witness"):
            ask(unknown, url)
    with pytest.raises(StorageError, match="cannot be reached"):
        ask(unknown, "http://127.0.0.1:1")
