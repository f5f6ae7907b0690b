"""Remembered checkpoints: split views, rollbacks, exchanged keys."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.errors import InputError, VerificationError
from consent.home import Home
from consent.log import Extension, Log, LogReader, parse_proof
from consent.log.remembered import check_remembered, forget, remember, remembered

ORIGIN = "example.com/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


def a_log(folder: Path, size: int, *, first: bytes = b"entry 0") -> Log:
    log = Log.open(folder, KEY, ORIGIN)
    log.append([first, *(f"entry {number}".encode() for number in range(1, size))])
    return log


def grow(log: Log, count: int) -> None:
    size = log.checkpoint().size
    log.append([f"entry {number}".encode() for number in range(size, size + count)])


def test_an_honest_log_is_followed_and_only_its_newest_checkpoint_kept(
    home: Home, tmp_path: Path
) -> None:
    log = a_log(tmp_path / "log", 3)
    for step in range(3):
        report = check_remembered(home, readers=[log])
        assert report.ok
        assert report.logs == (ORIGIN,)
        assert (report.proven, report.unproven) == (0 if step == 0 else 1, ())
        grow(log, 300)
    (kept,) = remembered(home)
    assert kept.checkpoint.size == 603
    assert kept.verifier == log.verifier


def test_looking_without_learning_changes_nothing(home: Home, tmp_path: Path) -> None:
    log = a_log(tmp_path / "log", 3)
    assert check_remembered(home, readers=[log], learn=False).ok
    assert remembered(home) == []


def test_a_rollback_is_found(home: Home, tmp_path: Path) -> None:
    log = a_log(tmp_path / "log", 3)
    shutil.copytree(log.folder, tmp_path / "old")
    grow(log, 4)
    check_remembered(home, readers=[log])
    report = check_remembered(home, readers=[LogReader(tmp_path / "old", log.verifier)])
    assert report.problems == (f"The log {ORIGIN} was rolled back: it had 7 entries and has 3.",)
    assert not report.ok


def test_a_rollback_that_has_grown_again_is_found(home: Home, tmp_path: Path) -> None:
    log = a_log(tmp_path / "log", 3)
    shutil.copytree(log.folder, tmp_path / "old")
    grow(log, 4)
    check_remembered(home, readers=[log])
    forked = Log.open(tmp_path / "old", KEY, ORIGIN)
    forked.append([b"other"] * 20)
    (problem,) = check_remembered(home, readers=[forked]).problems
    assert "The log of 23 entries does not extend the log of 7 entries" in problem
    (kept,) = remembered(home)  # the fork is not learnt
    assert kept.checkpoint.size == 7


def test_two_checkpoints_of_one_size_are_a_split_view_without_any_proof(
    home: Home, tmp_path: Path
) -> None:
    one, two = a_log(tmp_path / "one", 6), a_log(tmp_path / "two", 6, first=b"another")
    remember(home, one.checkpoint_note(), one.vkey)
    with pytest.raises(VerificationError, match="two different trees of 6 entries: a split view"):
        remember(home, two.checkpoint_note(), two.vkey)
    assert len(remembered(home)) == 2  # both are kept: the evidence
    for readers in ((), (one,), (two,)):
        problems = check_remembered(home, readers=readers).problems
        assert f"The log {ORIGIN} shows two different trees of 6 entries: a split view." in problems
    assert len(remembered(home)) == 2


def test_a_split_view_in_somebodys_proof_is_found_against_the_logs_folder(
    home: Home, tmp_path: Path
) -> None:
    shown_to_us, shown_to_them = a_log(tmp_path / "us", 9), a_log(tmp_path / "them", 5, first=b"x")
    remember(home, parse_proof(shown_to_them.proof(0)).checkpoint, shown_to_them.vkey)
    (problem,) = check_remembered(home, readers=[shown_to_us]).problems
    assert "The log of 9 entries does not extend the log of 5 entries" in problem


def test_an_exchanged_key_is_found(home: Home, tmp_path: Path) -> None:
    log = a_log(tmp_path / "log", 3)
    remember(home, log.checkpoint_note(), log.vkey)
    swapped = Log.open(tmp_path / "swapped", Ed25519PrivateKey.generate(), ORIGIN)
    swapped.append([b"entry 0"] * 9)
    with pytest.raises(VerificationError, match="signed by another key than it was"):
        remember(home, swapped.checkpoint_note(), swapped.vkey)
    (problem,) = check_remembered(home, readers=[swapped]).problems
    assert "has another key than when 3 entries of it were seen" in problem
    forget(home, ORIGIN)
    assert check_remembered(home, readers=[swapped]).ok


def test_without_the_folder_consistency_proofs_show_it(home: Home, tmp_path: Path) -> None:
    log = a_log(tmp_path / "log", 3)
    notes = [log.checkpoint_note()]
    grow(log, 5)
    notes.append(log.checkpoint_note())
    for note in notes:
        remember(home, note, log.vkey)
    report = check_remembered(home)
    assert report.ok
    assert report.unproven == (
        f"Nothing shows that the log {ORIGIN} of 8 entries extends that of 3.",
    )
    proof = log.extension(3).text
    report = check_remembered(home, proofs=[proof])
    assert (report.ok, report.unproven, report.proven) == (True, (), 1)
    assert [item.checkpoint.size for item in remembered(home)] == [8]
    # A later checkpoint that comes with its proof is remembered in turn.
    grow(log, 9)
    assert check_remembered(home, proofs=[log.extension(8).text]).proven == 1
    assert [item.checkpoint.size for item in remembered(home)] == [17]


def test_a_proof_that_does_not_hold_is_a_problem_and_one_of_another_log_is_not(
    home: Home, tmp_path: Path
) -> None:
    log, forked = a_log(tmp_path / "log", 3), a_log(tmp_path / "forked", 8, first=b"x")
    remember(home, log.checkpoint_note(), log.vkey)
    (problem,) = check_remembered(home, proofs=[forked.extension(3).text]).problems
    assert "does not extend" in problem
    (problem,) = check_remembered(
        home, proofs=[a_log(tmp_path / "same", 3, first=b"y").extension(0).text]
    ).problems
    assert "split view" in problem
    other = Log.open(tmp_path / "other", Ed25519PrivateKey.generate(), "other.example")
    other.append([b"x"] * 4)
    assert check_remembered(home, proofs=[other.extension(3).text]).ok
    with pytest.raises(InputError, match="not a consistency proof"):
        check_remembered(home, proofs=["nonsense"])


def test_an_edited_memory_is_noticed(home: Home, tmp_path: Path) -> None:
    log = a_log(tmp_path / "log", 3)
    remember(home, log.checkpoint_note(), log.vkey)
    (item,) = remembered(home)
    item.path.write_text(item.note.replace("\n3\n", "\n2\n"), "utf-8")
    (problem,) = check_remembered(home, readers=[log]).problems
    assert "is wrong" in problem
    (item.path.parent / "vkey").unlink()
    (problem,) = check_remembered(home, readers=[log]).problems
    assert "nobody knows whose checkpoints these are" in problem


def test_a_log_that_is_gone_is_a_problem(home: Home, tmp_path: Path) -> None:
    log = a_log(tmp_path / "log", 3)
    check_remembered(home, readers=[log])
    shutil.rmtree(log.folder)
    (problem,) = check_remembered(home, readers=[log]).problems
    assert "has no checkpoint" in problem


def test_origins_are_never_paths(home: Home, tmp_path: Path) -> None:
    log = Log.open(tmp_path / "log", KEY, "../../../escape")
    log.append([b"x"])
    remember(home, log.checkpoint_note(), log.vkey)
    (item,) = remembered(home)
    assert item.path.parent.parent == home.trust / "checkpoints"
    with pytest.raises(InputError, match="is remembered"):
        forget(home, "..")


@given(st.lists(st.integers(1, 400), min_size=2, max_size=5), st.data())
@settings(max_examples=12, deadline=None)
def test_any_two_sizes_are_proven_by_text_and_no_other_history_is(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = a_log(folder / "honest", steps[0])
    checkpoints = [log.checkpoint()]
    for step in steps[1:]:
        grow(log, step)
        checkpoints.append(log.checkpoint())
    older = data.draw(st.sampled_from(checkpoints))
    extension = Extension.parse(log.extension(older.size).text)
    assert extension.verify(older, log.verifier) == log.checkpoint()
    forked = a_log(folder / "forked", log.checkpoint().size, first=b"another")
    with pytest.raises(VerificationError, match="does not extend"):
        Extension.parse(forked.extension(older.size).text).verify(older, log.verifier)
