"""Parties, the keys they sign with, and the voices that are theirs."""

from __future__ import annotations

import json
from datetime import date

import pytest
from consent_kit import sql
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent import keys
from consent.clock import FixedClock
from consent.errors import InputError, RefusedError, VerificationError
from consent.home import Home
from consent.identity.did import did_from_public
from consent.registry import Registry


def a_did() -> str:
    return did_from_public(keys.raw_public(Ed25519PrivateKey.generate()))


def test_a_party_reads_back_by_handle_and_by_id(registry: Registry) -> None:
    party = registry.create_party(
        "person",
        "anna",
        "Änna",
        legal_name="Anna Example",
        country="DE",
        birth_date=date(1980, 2, 29),
    )
    assert registry.party("anna") == registry.party(party.id) == party
    assert registry.parties() == [party]
    assert (party.display_name, party.birth_date) == ("Änna", date(1980, 2, 29))
    key = registry.signing_key("anna")
    assert key is not None
    assert did_from_public(keys.raw_public(key)) == party.did
    assert registry.check().ok


def test_a_key_held_elsewhere_is_not_here(registry: Registry) -> None:
    did = a_did()
    assert registry.create_party("organisation", "studio", "Studio", did=did).did == did
    assert registry.signing_key("studio") is None
    assert registry.create_party("person", "child", "Child", with_key=False).did == ""
    assert registry.check().ok


def test_no_personal_data_reach_the_log_or_lie_open_in_the_database(
    registry: Registry, home: Home
) -> None:
    party = registry.create_party(
        "person", "anna-secret", "Anna Secret", contact="a@secret.example"
    )
    registry.register_voice("clone:secret", party.id, alias="Secret")
    written = [party.id, party.did, "secret", "Secret"]
    leaves = b"".join(registry.log.entries()).decode()
    assert not [word for word in written if word in leaves]
    registry.close()
    stored = b"".join(p.read_bytes() for p in home.root.glob("registry.db*"))
    assert b"Anna Secret" not in stored
    assert b"a@secret" not in stored
    assert b"anna-secret" not in stored


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"kind": "robot"}, InputError),
        ({"handle": "../../etc/passwd"}, InputError),
        ({"handle": "Anna"}, InputError),
        ({"handle": "p0123456789abcdef"}, InputError),
        ({"handle": "taken"}, RefusedError),
        ({"display_name": "x" * 1_000_000}, InputError),
        ({"display_name": "Anna\u202egnp.exe"}, InputError),
        ({"display_name": "An\u200bna"}, InputError),
        ({"display_name": " "}, InputError),
        ({"country": "Germany"}, InputError),
        ({"birth_date": date(2030, 1, 1)}, InputError),
        ({"birth_date": date(1066, 1, 1)}, InputError),
        ({"kind": "organisation", "birth_date": date(1990, 1, 1)}, InputError),
        ({"did": "did:web:example.org"}, InputError),
    ],
)
def test_what_cannot_be_a_party_is_refused_and_leaves_nothing(
    registry: Registry, home: Home, changes: dict[str, object], error: type[Exception]
) -> None:
    registry.create_party("person", "taken", "Taken")
    size, files = registry.log.checkpoint().size, set(home.keys.iterdir())
    usual: dict[str, object] = {"kind": "person", "handle": "anna", "display_name": "Anna"}
    with pytest.raises(error):
        registry.create_party(**(usual | changes))  # type: ignore[arg-type]
    assert registry.log.checkpoint().size == size
    assert set(home.keys.iterdir()) == files


def test_two_parties_do_not_share_a_key(registry: Registry) -> None:
    did = a_did()
    registry.create_party("person", "anna", "Anna", did=did)
    for taken in (did, registry.did):
        with pytest.raises(RefusedError, match="already on record"):
            registry.create_party("person", "berta", "Berta", did=taken)


@pytest.mark.parametrize("name", ["nobody", "p0000000000000000"])
def test_an_unknown_party_is_refused_by_name(registry: Registry, name: str) -> None:
    with pytest.raises(RefusedError, match=name):
        registry.party(name)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "clone:../x", "clone:a/b", "", "clone", "a:b\0"]
)
def test_a_voice_is_never_a_path(registry: Registry, name: str) -> None:
    registry.create_party("person", "anna", "Anna")
    with pytest.raises(InputError):
        registry.register_voice(name, "anna")


def test_a_voice_has_one_owner(registry: Registry) -> None:
    anna = registry.create_party("person", "anna", "Anna")
    registry.create_party("person", "berta", "Berta")
    voice = registry.register_voice("clone:anna", "anna", alias="Die Ruhige")
    assert (voice.owner, voice.alias) == (anna.id, "Die Ruhige")
    assert registry.registered_voice("clone:anna") == voice
    assert registry.registered_voices() == [voice]
    assert registry.registered_voice("kokoro:af_heart") is None
    with pytest.raises(RefusedError, match="somebody else's"):
        registry.register_voice("clone:anna", "berta")


# -- Attacks ----------------------------------------------------------------------------


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "change",
    [
        "parties SET state = 'erased' WHERE kind = 'person'",
        "parties SET kind = 'organisation' WHERE kind = 'person'",
        "parties SET profile = (SELECT profile FROM parties WHERE kind = 'organisation')"
        " WHERE kind = 'person'",
        "party_keys SET party_id = (SELECT id FROM parties WHERE kind = 'organisation')",
        "party_keys SET state = 'rotated'",
        "party_keys SET valid_from = '2020-01-01 00:00:00.000000'",
    ],
)
def test_an_edited_party_or_key_is_noticed(registry: Registry, home: Home, change: str) -> None:
    anna = registry.create_party("person", "anna", "Anna")
    registry.create_party("organisation", "studio", "Studio", with_key=False)
    sql(home, f"UPDATE {change}")
    with pytest.raises(VerificationError):
        registry.parties()
    assert registry.check().problems
    assert anna.id


@pytest.mark.sqlite_only
def test_a_swapped_sealed_profile_is_noticed_even_with_a_signature_that_fits(
    registry: Registry, home: Home
) -> None:
    anna = registry.create_party("person", "anna", "Anna")
    registry.create_party("person", "berta", "Berta")
    core = registry._core
    from consent.registry.storage import rows
    from consent.registry.storage.tables import PartyRow

    with core.database.write() as session:
        mine, other = (
            session.get(PartyRow, anna.id),
            session.get(PartyRow, registry.party("berta").id),
        )
        assert mine is not None
        assert other is not None
        mine.profile = other.profile
        rows.sign_row(core, mine)
        session.add(mine)
    with pytest.raises(VerificationError, match=f"sealed profile:{anna.id}"):
        registry.party(anna.id)


@pytest.mark.sqlite_only
def test_a_deleted_voice_does_not_become_free(registry: Registry, home: Home) -> None:
    registry.create_party("person", "anna", "Anna")
    registry.register_voice("clone:anna", "anna")
    sql(home, "DELETE FROM voices")
    with pytest.raises(VerificationError, match="its row is gone"):
        registry.registered_voice("clone:anna")
    assert any("The voice of entry" in problem for problem in registry.check().problems)


@pytest.mark.sqlite_only
def test_a_voice_moved_to_another_owner_is_noticed(registry: Registry, home: Home) -> None:
    registry.create_party("person", "anna", "Anna")
    berta = registry.create_party("person", "berta", "Berta")
    registry.register_voice("clone:anna", "anna")
    sql(home, "UPDATE voices SET owner = ?", berta.id)
    with pytest.raises(VerificationError, match="the voice clone:anna was changed"):
        registry.registered_voice("clone:anna")


def test_a_registry_does_not_open_with_another_secret_behind_its_log(
    registry: Registry, home: Home, clock: FixedClock
) -> None:
    registry.create_party("person", "anna", "Anna")
    registry.close()
    (home.keys / "salts.secret").unlink()
    with pytest.raises(VerificationError, match=r"salts\.secret is not the secret"):
        Registry.open(home, clock=clock)


def test_policies_in_force_are_on_record_once_for_every_change(
    home: Home, clock: FixedClock
) -> None:
    for _ in range(2):
        with Registry.open(home, clock=clock) as registry:
            first = registry.policy.digest
    (home.policies / "own.cedar").write_text(
        '@id("own/never")\n@description("Nothing is allowed.")\n@cure("Wait.")\n'
        "forbid (principal, action, resource);\n"
    )
    with Registry.open(home, clock=clock) as registry:
        entries = [json.loads(leaf) for leaf in registry.log.entries()]
        logged = [entry for entry in entries if entry["kind"] == "policy"]
        assert [entry["digest"] for entry in logged] == [first, registry.policy.digest]
        assert "own/never" in logged[1]["rules"]
