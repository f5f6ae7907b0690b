"""What a person gets when they ask for everything: complete, readable, checkable."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from pathlib import Path

import pytest
from grants_kit import ANNA, Stage

from consent.canonical import commitment
from consent.credentials.grant import open_grant
from consent.credentials.statement import open_statement
from consent.errors import InputError, RefusedError, StorageError
from consent.home import Home
from consent.log import verify_proof
from consent.registry import Registry

SOUND = b"Anna, reading." * 10_000


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def archive_of(stage: Stage, path: Path, party: str = "anna") -> dict[str, bytes]:
    stage.registry.export_party(party, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def lived(stage: Stage) -> tuple[str, str, str]:
    """A life on record: a grant, a use, a statement, a recording."""
    registry = stage.registry
    grant = stage.grant()
    authorization = registry.authorize(stage.request())
    with registry.lease(authorization.id):
        output = stage.seal(authorization.id)
    stage.say("suspension", grant.id, reason="holidays")
    item = registry.store_object(
        "anna", io.BytesIO(SOUND), kind="recording", media_type="audio/flac", name="a.flac"
    )
    return grant.id, output, item.id


def test_everything_is_in_it(stage: Stage, tmp_path: Path) -> None:
    grant_id, output, item = lived(stage)
    path = tmp_path / "anna.zip"
    files = archive_of(stage, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    contents = json.loads(files["contents.json"])
    assert contents["problems"] == []
    assert contents["counts"] == {
        "grants": 1,
        "statements": 1,
        "objects": 1,
        "uses": 1,
        "entries": len([n for n in files if n.startswith("log/0") and n.endswith(".json")]),
    }
    who = json.loads(files["party.json"])
    assert (who["handle"], who["display_name"]) == ("anna", "Anna Example")
    assert who["keys"][0]["did"] == stage.anna.did
    assert files[f"recordings/recording-{item}.flac"] == SOUND
    uses = json.loads(files["uses.json"])
    assert [(u["output_id"], u["voice"], u["grant"], u["voice_minutes"]) for u in uses] == [
        (output, ANNA, grant_id, 2.0)
    ]
    stem = f"grants/{grant_id.rpartition(':')[2]}"
    assert open_grant(files[f"{stem}.jwt"].decode()).id == grant_id
    assert b"Anna Example" in files[f"{stem}.html"]
    (statement,) = (n for n in files if n.startswith("statements/") and n.endswith(".jwt"))
    assert open_statement(files[statement].decode()).body["reason"] == "holidays"
    assert b"EVERYTHING THIS REGISTRY HOLDS ABOUT YOU" in files["README.txt"]


def test_a_stranger_checks_it_with_what_is_inside(stage: Stage, tmp_path: Path) -> None:
    lived(stage)
    files = archive_of(stage, tmp_path / "anna.zip")
    vkey = files["log/vkey"].decode().strip()
    leaves = sorted(n for n in files if n.startswith("log/0") and n.endswith(".json"))
    kinds = []
    for name in leaves:
        verify_proof(files[name[:-5] + ".tlog-proof"].decode(), files[name].decode(), vkey)
        kinds.append(json.loads(files[name])["kind"])
    assert {"party", "party-key", "voice", "grant", "statement", "receipt"} <= set(kinds)
    openings = {o["commitment"]: o for o in json.loads(files["log/openings.json"])}
    for one in openings.values():
        salt = bytes.fromhex(one["salt"])
        assert commitment(one["value"].encode(), salt) == one["commitment"]
        # The same with nothing but what README.txt says.
        data = b"\x10" + salt + one["value"].encode()
        assert hashlib.sha256(data).hexdigest() == one["commitment"]
    digests = {hashlib.sha256(files[n]).hexdigest() for n in files if n.endswith(".jwt")}
    for name in leaves:
        entry = json.loads(files[name])
        if entry["kind"] in ("party", "party-key", "voice", "grant"):
            assert entry["subject"] in openings
        if entry["kind"] in ("grant", "statement"):
            assert openings[entry["document"]]["value"] in digests


def test_nothing_of_another_person_is_in_it(stage: Stage, tmp_path: Path) -> None:
    lived(stage)
    eve = stage.registry.create_party("person", "eve", "Eve Private", contact="eve@example.org")
    stage.registry.store_object(
        "eve", io.BytesIO(b"Eve's voice"), kind="recording", media_type="audio/flac"
    )
    everything = b"".join(archive_of(stage, tmp_path / "anna.zip").values())
    for trace in (eve.id, eve.did, "Eve Private", "eve@example.org"):
        assert trace.encode() not in everything
    theirs = archive_of(stage, tmp_path / "eve.zip", "eve")
    assert b"Anna" not in b"".join(theirs.values())
    assert json.loads(theirs["contents.json"])["counts"]["uses"] == 0


def test_a_licensee_gets_what_was_granted_to_them(stage: Stage, tmp_path: Path) -> None:
    grant_id, output, _ = lived(stage)
    files = archive_of(stage, tmp_path / "studio.zip", "studio")
    (record,) = (n for n in files if n.startswith("grants/") and n.endswith(".json"))
    assert json.loads(files[record])["id"] == grant_id
    assert json.loads(files[record])["your_role"] == "licensee"
    assert json.loads(files["uses.json"])[0]["output_id"] == output
    assert not [n for n in files if n.startswith("recordings/")]


def test_what_cannot_be_read_is_said_and_hides_nothing_else(
    stage: Stage, home: Home, tmp_path: Path
) -> None:
    _, _, item = lived(stage)
    path = home.vault / "objects" / item[:2] / item
    path.write_bytes(path.read_bytes()[:-1])
    files = archive_of(stage, tmp_path / "anna.zip")
    (problem,) = json.loads(files["contents.json"])["problems"]
    assert item in problem and "not complete" in problem
    assert "party.json" in files


def test_it_replaces_nothing_and_appears_complete_or_not_at_all(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "there").write_text("dear")
    with pytest.raises(InputError, match="exists"):
        stage.registry.export_party("anna", tmp_path / "there")
    with pytest.raises(StorageError):
        stage.registry.export_party("anna", tmp_path / "missing" / "a.zip")
    with pytest.raises(RefusedError, match="no party"):
        stage.registry.export_party("nobody", tmp_path / "b.zip")
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["there"]
