"""The log on disk: layout, damage, rollback, many writers, kill -9."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.errors import InputError, StorageError, VerificationError
from consent.home import Home
from consent.log import (
    Checkpoint,
    Log,
    LogReader,
    WitnessPolicy,
    merkle,
    tiles,
    verify_proof,
)
from consent.log.witness import Witness

SEED = bytes(range(32))
ORIGIN = "example.com/log"
SPAWN = multiprocessing.get_context("spawn")


def open_log(folder: Path) -> Log:
    return Log.open(folder, Ed25519PrivateKey.from_private_bytes(SEED), ORIGIN)


def leaves(start: int, end: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(start, end)]


def reference_root(data: list[bytes]) -> bytes:
    tree = merkle.from_leaf_hashes([merkle.leaf_hash(leaf) for leaf in data])
    return merkle.range_root(tree, 0, len(data))


@pytest.mark.parametrize(
    ("index", "path"), [(0, "000"), (67, "067"), (1234067, "x001/x234/067"), (1000, "x001/000")]
)
def test_tile_names_follow_the_specification(index: int, path: str) -> None:
    assert tiles.index_path(index) == path


def test_a_tree_of_70000_has_the_tiles_the_specification_counts() -> None:
    found = list(tiles.tiles_of(70_000))
    assert sum(1 for level, _, width in found if level == 0 and width == 256) == 273
    partial = [(level, width) for level, _, width in found if width < 256]
    assert partial == [(0, 112), (1, 17), (2, 1)]
    assert sum(1 for level, _, width in found if level == 1 and width == 256) == 1
    assert [t for t in tiles.tiles_of(256) if t[0] == 1] == [(1, 0, 1)]


def test_a_new_log_is_empty_and_signed(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    assert log.verify() == Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=5))
@settings(max_examples=15, deadline=None)
def test_any_batches_give_the_tree_of_their_entries(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int]
) -> None:
    log = open_log(tmp_path_factory.mktemp("log"))
    everything: list[bytes] = []
    published = [log.checkpoint()]
    for batch in batches:
        new = leaves(len(everything), len(everything) + batch)
        assert log.append(new) == range(len(everything), len(everything) + batch)
        everything += new
        published.append(log.checkpoint())
    assert list(log.entries()) == everything
    assert log.verify().root == reference_root(everything)
    for checkpoint in published:
        log.check_extends(checkpoint)
    for index in {0, len(everything) // 2, len(everything) - 1}:
        assert log.entry(index) == everything[index]
        verify_proof(log.proof(index), everything[index], log.vkey)


def test_full_tiles_replace_partial_ones_and_proofs_still_reach_the_past(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(leaves(0, 200))
    old = log.checkpoint()
    log.append(leaves(200, 70_000))
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    expected = {tiles.tile_path(*tile) for tile in tiles.tiles_of(70_000)}
    expected |= {tiles.tile_path("entries", i, w) for lv, i, w in tiles.tiles_of(70_000) if not lv}
    assert names - {".lock", "checkpoint"} == expected
    log.check_extends(old)
    assert log.checkpoint().root == reference_root(leaves(0, 70_000))
    verify_proof(log.proof(69_999), b"entry 69999", log.vkey)
    assert list(log.entries(199, 202)) == leaves(199, 202)


def test_files_needed_by_a_published_checkpoint_never_change(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(leaves(0, 10))
    kept = {p: p.read_bytes() for p in (tmp_path / "tile").rglob("*") if p.is_file()}
    log.append(leaves(10, 20))
    assert all(path.read_bytes() == data for path, data in kept.items())


def test_a_reader_needs_no_private_key(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(leaves(0, 300))
    assert LogReader(tmp_path, log.verifier).verify().size == 300


def test_two_thousand_entries_are_appended_under_one_checkpoint(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    assert log.append([os.urandom(600) for _ in range(2000)]) == range(2000)
    assert LogReader(tmp_path, log.verifier).verify().size == 2000


def test_an_entry_too_long_for_a_bundle_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    with pytest.raises(InputError, match="65,535"):
        log.append([b"x" * 65_536])
    log.append([b"x" * 65_535, b""])
    assert log.verify().size == 2


@pytest.mark.parametrize(
    "name", ["tile/0/000.p/20", "tile/entries/000.p/20", "tile/entries/000", "tile/0/000"]
)
@pytest.mark.parametrize("damage", ["truncated", "changed", "gone", "reordered"])
def test_damage_to_any_tile_is_found(tmp_path: Path, name: str, damage: str) -> None:
    log = open_log(tmp_path)
    log.append(leaves(0, 20 if ".p" in name else 256 + 20))
    path = tmp_path / name
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(data[:-1])
    elif damage == "changed":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        half = tiles.HASH if "entries" not in name else 2 + len(b"entry 0")
        path.write_bytes(data[half : 2 * half] + data[:half] + data[2 * half :])
    with pytest.raises(VerificationError):
        log.verify()


def test_nothing_is_appended_to_a_log_whose_tiles_do_not_fit_its_checkpoint(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(leaves(0, 20))
    path = tmp_path / "tile/0/000.p/20"
    path.write_bytes(bytes(32) + path.read_bytes()[32:])
    with pytest.raises(VerificationError, match="root"):
        log.append([b"more"])
    assert log.checkpoint().size == 20


def test_a_rolled_back_checkpoint_is_found_by_whoever_remembers_the_newer_one(
    tmp_path: Path,
) -> None:
    log = open_log(tmp_path)
    log.append(leaves(0, 5))
    old = log.checkpoint_note()
    log.append(leaves(5, 9))
    newer = log.checkpoint()
    (tmp_path / "checkpoint").write_text(old)
    with pytest.raises(VerificationError, match="does not extend"):
        log.check_extends(newer)


def test_a_rewritten_past_is_found_by_whoever_remembers_the_old_checkpoint(tmp_path: Path) -> None:
    honest, forged = open_log(tmp_path / "a"), open_log(tmp_path / "b")
    honest.append(leaves(0, 40))
    forged.append([b"another", *leaves(1, 60)])
    with pytest.raises(VerificationError, match="does not extend"):
        forged.check_extends(honest.checkpoint())


def test_a_checkpoint_under_another_key_is_not_opened(tmp_path: Path) -> None:
    open_log(tmp_path).append(leaves(0, 3))
    with pytest.raises(VerificationError, match="not signed"):
        Log.open(tmp_path, Ed25519PrivateKey.generate(), ORIGIN)


def test_a_log_without_its_checkpoint_is_never_begun_anew(tmp_path: Path) -> None:
    open_log(tmp_path).append(leaves(0, 3))
    (tmp_path / "checkpoint").unlink()
    with pytest.raises(VerificationError, match="no checkpoint"):
        open_log(tmp_path)


def test_what_a_killed_append_left_behind_is_replaced(tmp_path: Path) -> None:
    """Leftovers as a kill leaves them: tiles of a size that no checkpoint ever had."""
    log, other = open_log(tmp_path / "log"), open_log(tmp_path / "other")
    for each in (log, other):
        each.append(leaves(0, 250))
    other.append([b"never published"] * 20)
    for path in (tmp_path / "other/tile").rglob("*"):
        target = tmp_path / "log/tile" / path.relative_to(tmp_path / "other/tile")
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    published = log.checkpoint()
    log.append(leaves(250, 251))
    log.check_extends(published)
    assert log.verify().root == reference_root(leaves(0, 251))
    log.append(leaves(251, 600))
    assert log.verify().root == reference_root(leaves(0, 600))


def test_a_full_disk_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(tmp_path)
    log.append(leaves(0, 3))

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="the disk is full"):
            log.append(leaves(3, 4))
    assert log.verify().size == 3
    log.append(leaves(3, 4))
    assert log.verify().size == 4


def append_some(folder: str, worker: int) -> None:
    log = open_log(Path(folder))
    for number in range(10):
        log.append([f"{worker}-{number}-{part}".encode() for part in range(3)])


def test_many_processes_append_without_losing_or_mixing_anything(tmp_path: Path) -> None:
    workers = [SPAWN.Process(target=append_some, args=(str(tmp_path), w)) for w in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    log = open_log(tmp_path)
    assert log.verify().size == 4 * 10 * 3
    found = list(log.entries())
    for batch in range(0, len(found), 3):
        first = found[batch].rsplit(b"-", 1)[0]
        assert found[batch : batch + 3] == [first + f"-{part}".encode() for part in range(3)]


def append_until_killed(folder: str, published: str) -> None:
    log = open_log(Path(folder))
    rng = random.Random(os.getpid())
    with Path(published).open("a", encoding="utf-8") as notes:
        while True:
            size = log.checkpoint().size
            log.append(leaves(size, size + rng.choice((1, 1, 2, 7, 90))))
            notes.write(log.checkpoint_note().replace("\n", "|") + "\n")
            notes.flush()


def published_checkpoints(notes: Path) -> list[Checkpoint]:
    """Everything the killed writers said, but for a line the kill cut off."""
    lines = notes.read_text("utf-8").split("\n")
    return [
        Checkpoint.parse(line.replace("|", "\n").split("\n\n")[0] + "\n")
        for line in lines
        if line.endswith("|")
    ]


def test_after_every_kill_the_log_opens_and_extends_all_it_ever_published(tmp_path: Path) -> None:
    rng = random.Random(4)
    notes = tmp_path / "published"
    for _ in range(8):
        child = SPAWN.Process(target=append_until_killed, args=(str(tmp_path / "log"), str(notes)))
        child.start()
        assert child.pid is not None
        before = notes.stat().st_size if notes.exists() else 0
        while not notes.exists() or notes.stat().st_size == before:  # it is at work
            assert child.is_alive()
            time.sleep(0.001)
        time.sleep(rng.random() * 0.05)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        log = open_log(tmp_path / "log")
        size = log.verify().size
        assert list(log.entries()) == leaves(0, size)
        published = published_checkpoints(notes)
        assert published[-1].size <= size
        for checkpoint in published:
            log.check_extends(checkpoint)
    assert len(published) >= 8
    log.append([b"goes on"])
    assert log.verify().size == size + 1


@pytest.mark.parametrize("size", [20, 256, 256 + 20])
def test_an_edited_newest_entry_is_noticed_when_the_log_is_opened(
    tmp_path: Path, size: int
) -> None:
    open_log(tmp_path).append(leaves(0, size))
    index = (size - 1) // tiles.WIDTH
    path = tmp_path / tiles.tile_path("entries", index, tiles.tile_width(0, index, size))
    last = f"entry {size - 1}".encode()
    path.write_bytes(path.read_bytes().replace(last, last.upper()))
    with pytest.raises(VerificationError, match="the log was changed"):
        open_log(tmp_path)


def test_an_edited_old_entry_is_noticed_by_the_full_check_and_when_it_is_read(
    tmp_path: Path,
) -> None:
    open_log(tmp_path).append(leaves(0, 600))
    path = tmp_path / "tile/entries/000"
    path.write_bytes(path.read_bytes().replace(b"entry 77", b"ENTRY 77"))
    log = open_log(tmp_path)
    with pytest.raises(VerificationError, match=r"0/000 does not fit"):
        log.verify()
    with pytest.raises(VerificationError, match="entry 77 of the log"):
        log.entry(77)


@pytest.mark.parametrize("level", ["0", "entries"])
def test_swapped_tiles_are_found(tmp_path: Path, level: str) -> None:
    log = open_log(tmp_path)
    log.append(leaves(1000, 1000 + 3 * 256))
    one, two = (tmp_path / f"tile/{level}/00{number}" for number in (0, 1))
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)
    with pytest.raises(VerificationError):
        log.verify()
    with pytest.raises(VerificationError):
        if level == "0":
            log.proof(5)
        else:
            log.entry(5)


def test_a_log_copied_and_continued_twice_is_told_apart_by_consistency(tmp_path: Path) -> None:
    """Two writers who each hold the key and a copy: the lock cannot see them, the proofs can."""
    one = open_log(tmp_path / "one")
    one.append(leaves(0, 40))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    two = open_log(tmp_path / "two")
    one.append([b"one"])
    two.append([b"two"])
    with pytest.raises(VerificationError, match="does not extend"):
        two.check_extends(one.checkpoint())
    two.append([b"more"] * 300)
    with pytest.raises(VerificationError, match="does not extend"):
        two.check_extends(one.checkpoint())


def attach_and_append(folder: str, witness_home: str, vkey: str) -> None:
    witness = Witness.open(Home.open(Path(witness_home)))
    log = Log.open(
        Path(folder),
        Ed25519PrivateKey.from_private_bytes(SEED),
        ORIGIN,
        witnesses=WitnessPolicy().adding(vkey),
    )
    while True:
        log.append([b"entry"] * 3)
        latest = witness.latest(log.verifier)
        extension = log.extension(0 if latest is None else latest.size)
        log.attach(extension.checkpoint + witness.add_checkpoint(extension.text))


def test_killed_while_cosigning_neither_log_nor_witness_is_ever_damaged(tmp_path: Path) -> None:
    rng = random.Random(5)
    home = tmp_path / "witness"
    witness = Witness.create(Home.open(home), "w.example")
    vkey = witness.verifier.vkey
    witness.watch(open_log(tmp_path / "log").vkey)
    seen = 0
    for _ in range(5):
        child = SPAWN.Process(
            target=attach_and_append, args=(str(tmp_path / "log"), str(home), vkey)
        )
        child.start()
        assert child.pid is not None
        while (latest := witness.latest(open_log(tmp_path / "log").verifier)) is None or (
            latest.size <= seen
        ):
            assert child.is_alive()
            time.sleep(0.001)
        time.sleep(rng.random() * 0.05)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        log = Log.open(
            tmp_path / "log",
            Ed25519PrivateKey.from_private_bytes(SEED),
            ORIGIN,
            witnesses=WitnessPolicy().adding(vkey),
        )
        log.verify()
        latest = witness.latest(log.verifier)
        assert latest is not None
        log.check_extends(latest)
        witnessed = log.witnessed()
        assert witnessed is None or witnessed.size <= latest.size
        seen = latest.size
