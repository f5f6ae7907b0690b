"""Recordings in the vault: nobody reads, cuts, swaps or keeps what is not theirs."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest
from consent_kit import sql, value_of

from consent.errors import InputError, RefusedError, VerificationError
from consent.home import Home
from consent.registry import Registry
from consent.registry.party.objects import VaultObject
from consent.vault.objects import ObjectFiles

CHUNK = (1 << 16) + 16
HEAD = len(b"vivavoce-object-v1\n") + 7
SOUND = bytes(range(256)) * 1024  # four chunks


def store(registry: Registry, party: str, data: bytes = SOUND) -> VaultObject:
    return registry.store_object(
        party, io.BytesIO(data), kind="recording", media_type="audio/flac", name="take-1.flac"
    )


def read(registry: Registry, ident: str) -> bytes:
    with registry.open_object(ident) as stream:
        return stream.read()


def file_of(home: Home, ident: str) -> Path:
    return home.vault / "objects" / ident[:2] / ident


@pytest.fixture
def anna(registry: Registry) -> str:
    return registry.create_party("person", "anna", "Anna Example").id


@pytest.mark.parametrize("size", [0, 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, len(SOUND)])
def test_what_is_stored_comes_back(registry: Registry, home: Home, anna: str, size: int) -> None:
    data = SOUND[:size]
    item = store(registry, "anna", data)
    assert read(registry, item.id) == data
    assert (item.size, item.name, item.party_id) == (size, "take-1.flac", anna)
    assert registry.objects(anna) == [item]
    path = file_of(home, item.id)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_nothing_of_it_is_readable_on_disk_or_in_the_database(
    registry: Registry, home: Home, anna: str
) -> None:
    item = store(registry, anna, b"my voice is my passport" * 50)
    registry.close()
    for path in home.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"my passport" not in data, path
            assert b"take-1" not in data, path
            assert item.sha256.encode() not in data, path
            assert b"Anna Example" not in data, path


def damaged(data: bytes) -> dict[str, bytes]:
    """Every way to tamper with four chunks."""
    head, body = data[:HEAD], data[HEAD:]
    chunks = [body[i : i + CHUNK] for i in range(0, len(body), CHUNK)]
    assert len(chunks) == 4
    return {
        "empty": b"",
        "cut in the head": data[: HEAD - 1],
        "no chunk left": head,
        "last chunk gone": head + b"".join(chunks[:3]),
        "cut inside a chunk": data[: HEAD + CHUNK + 100],
        "two exchanged": head + chunks[1] + chunks[0] + chunks[2] + chunks[3],
        "one twice": head + chunks[0] + chunks[0] + chunks[2] + chunks[3],
        "first missing": head + b"".join(chunks[1:]),
        "last first": head + chunks[3] + b"".join(chunks[:3]),
        "appended": data + b"x",
        "a bit": data[:-1] + bytes([data[-1] ^ 1]),
        "the nonce": data[: HEAD - 1] + bytes([data[HEAD - 1] ^ 1]) + data[HEAD:],
        "another format": b"W" + data[1:],
    }


def test_cut_reordered_and_changed_chunks_are_noticed_before_a_wrong_byte_is_read(
    registry: Registry, home: Home, anna: str
) -> None:
    item = store(registry, anna)
    path = file_of(home, item.id)
    for what, data in damaged(path.read_bytes()).items():
        path.write_bytes(data)
        got = b""
        with pytest.raises(VerificationError, match="changed, cut short or swapped"):
            with registry.open_object(item.id) as stream:
                while part := stream.read(1000):
                    got += part
            pytest.fail(what)
        assert SOUND.startswith(got), what


def test_files_exchanged_between_objects_or_persons_do_not_open(
    registry: Registry, home: Home, anna: str
) -> None:
    eve = registry.create_party("person", "eve", "Eve").id
    one, two, other = (store(registry, who) for who in (anna, anna, eve))
    whole = file_of(home, one.id).read_bytes()
    for thief in (two, other):
        file_of(home, thief.id).write_bytes(whole)
        with pytest.raises(VerificationError, match="swapped"):
            read(registry, thief.id)


def test_a_row_moved_to_another_person_or_object_does_not_open(
    registry: Registry, home: Home, anna: str
) -> None:
    eve = registry.create_party("person", "eve", "Eve").id
    one, two = store(registry, anna), store(registry, anna, b"another")
    sql(home, "UPDATE vault_objects SET party_id = ? WHERE id = ?", eve, one.id)
    with pytest.raises(VerificationError):
        read(registry, one.id)
    sql(home, "UPDATE vault_objects SET party_id = ? WHERE id = ?", anna, one.id)
    changes = {
        "details": _value(home, "details", two.id),
        "size": 1,
        "media_type": "x/y",
        "kind": "proof",
        "sha256_commitment": two.commitment,
    }
    for column, value in changes.items():
        right = _value(home, column, one.id)
        sql(home, f"UPDATE vault_objects SET {column} = ? WHERE id = ?", value, one.id)
        with pytest.raises(VerificationError):
            registry.objects(anna)
        with pytest.raises(VerificationError):
            read(registry, one.id)
        sql(home, f"UPDATE vault_objects SET {column} = ? WHERE id = ?", right, one.id)
        assert len(registry.objects(anna)) == 2


def _value(home: Home, column: str, ident: str) -> object:
    return value_of(home, f"SELECT {column} FROM vault_objects WHERE id = ?", ident)


def test_a_persons_key_exchanged_for_anothers_opens_nothing(
    registry: Registry, home: Home, anna: str
) -> None:
    eve = registry.create_party("person", "eve", "Eve").id
    item = store(registry, anna)
    sql(
        home,
        "UPDATE person_keys SET wrapped = (SELECT wrapped FROM person_keys WHERE party_id = ?)"
        " WHERE party_id = ?",
        eve,
        anna,
    )
    with pytest.raises(VerificationError):
        read(registry, item.id)
    with pytest.raises(VerificationError):
        registry.party(anna)


def test_a_lost_file_is_said_to_be_lost(registry: Registry, home: Home, anna: str) -> None:
    item = store(registry, anna)
    file_of(home, item.id).unlink()
    with pytest.raises(VerificationError, match=r"its file .* is gone"):
        read(registry, item.id)


def test_one_object_can_be_deleted(registry: Registry, home: Home, anna: str) -> None:
    item, kept = store(registry, anna), store(registry, anna)
    with file_of(home, item.id).open("rb") as still_open:
        registry.delete_object(item.id)
        assert set(still_open.read()) == {0}, "the bytes were not overwritten"
    assert not file_of(home, item.id).exists()
    with pytest.raises(RefusedError, match="was erased on"):
        read(registry, item.id)
    assert [one.id for one in registry.objects(anna)] == [kept.id]


def test_what_cannot_be_stored_leaves_nothing_behind(
    registry: Registry, home: Home, anna: str
) -> None:
    class Breaking(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "the drive is gone")

    with pytest.raises(InputError, match="the drive is gone"):
        registry.store_object(anna, Breaking(), kind="recording", media_type="audio/wav")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="kind of object"):
        registry.store_object(anna, io.BytesIO(b"x"), kind="../x", media_type="audio/wav")
    with pytest.raises(InputError, match="media type"):
        registry.store_object(anna, io.BytesIO(b"x"), kind="recording", media_type="wav")
    with pytest.raises(RefusedError, match="no party"):
        store(registry, "nobody")
    assert [p for p in home.vault.rglob("*") if p.is_file() and p.name != "master.id"] == []


@pytest.mark.parametrize("ident", ["../../keys/log", "", "A" * 32, "0" * 31, "0" * 33])
def test_an_objects_id_cannot_leave_the_folder(registry: Registry, home: Home, ident: str) -> None:
    with pytest.raises(RefusedError, match="no object"):
        registry.open_object(ident)
    with pytest.raises(InputError, match="not the id"):
        ObjectFiles(home, registry._core.vault).path(ident)


def test_leftovers_of_a_crash_are_swept_and_what_is_kept_stays(
    registry: Registry, home: Home, anna: str
) -> None:
    from consent.registry.party import objects

    item = store(registry, anna)
    orphan = file_of(home, "f" * 32)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"published, never recorded")
    old, young = (home.vault / "objects" / name for name in (".new-old", ".new-young"))
    old.write_bytes(b"x")
    os.utime(old, (0, 0))
    young.write_bytes(b"another process writes this")
    half = file_of(home, item.id).with_name(f".{item.id}.doomed")
    half.write_bytes(b"destroyed by half")
    assert objects.sweep(registry._core) == 2
    assert not orphan.exists() and not old.exists() and not half.exists()
    assert young.exists()
    assert read(registry, item.id) == SOUND
