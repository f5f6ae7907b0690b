"""Whose signatures a home believes, and how that is exchanged."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from provenance_studio import Studio

from consent import keys
from consent.errors import InputError, VerificationError
from consent.home import Home
from provenance.manifest import certificates, trust


@pytest.fixture
def bundle(publisher: Studio, tmp_path: Path) -> Path:
    path = tmp_path / "their-studio.toml"
    trust.trust_export(publisher.home, path)
    return path


def test_a_bundle_holds_anchor_and_log_key_and_nothing_secret(
    bundle: Path, publisher: Studio
) -> None:
    text = bundle.read_text()
    data = tomllib.loads(text)
    assert data["format"] == trust.FORMAT
    assert data["log"] == [{"vkey": publisher.registry.log.vkey}]
    assert "PRIVATE" not in text
    assert str(publisher.home.root) not in text


def test_added_listed_and_removed(bundle: Path, stranger: Home) -> None:
    entry = trust.trust_add(stranger, bundle, name="chickens")
    assert [e.name for e in trust.trust_list(stranger)] == ["chickens"]
    assert trust.trust_list(stranger)[0] == entry
    assert len(entry.fingerprint) == 64
    trust.trust_remove(stranger, "chickens")
    assert trust.trust_list(stranger) == ()
    with pytest.raises(InputError, match="no trust entry 'chickens'"):
        trust.trust_remove(stranger, "chickens")


def test_the_bundle_may_be_json_or_bare_pem(bundle: Path, stranger: Home, tmp_path: Path) -> None:
    data = tomllib.loads(bundle.read_text())
    as_json = tmp_path / "b.json"
    as_json.write_text(json.dumps(data))
    first = trust.trust_add(stranger, as_json, name="json")
    trust.trust_remove(stranger, "json")
    pem = tmp_path / "Their Root.pem"
    pem.write_text(data["anchor"][0]["pem"])
    second = trust.trust_add(stranger, pem)
    assert second.name == "their-root"
    assert second.fingerprint == first.fingerprint
    assert second.logs == ()


def test_the_same_signer_is_not_added_twice_nor_a_name_taken_twice(
    bundle: Path, stranger: Home, publisher: Studio
) -> None:
    trust.trust_add(stranger, bundle, name="a")
    with pytest.raises(InputError, match="already, as 'a'"):
        trust.trust_add(stranger, bundle, name="b")
    with pytest.raises(InputError, match="already is"):
        trust.trust_add(stranger, bundle, name="a")
    with pytest.raises(InputError, match="already, as 'own'"):
        trust.trust_add(publisher.home, bundle, name="myself")


@pytest.mark.parametrize("name", ["own", "../x", "", "A B", "x" * 41])
def test_names_that_cannot_be_are_refused(bundle: Path, stranger: Home, name: str) -> None:
    if name:
        with pytest.raises(InputError, match="name"):
            trust.trust_add(stranger, bundle, name=name)
    with pytest.raises(InputError):
        trust.trust_remove(stranger, name)
    assert list(stranger.trust.iterdir()) == []


def test_a_private_key_sent_by_mistake_is_refused_loudly(
    publisher: Studio, stranger: Home, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.pem"
    path.write_bytes(keys.key_path(publisher.home, certificates.ROOT_KEY).read_bytes())
    with pytest.raises(InputError, match="private key"):
        trust.trust_add(stranger, path)


def test_only_authorities_that_have_not_expired_can_be_anchors(
    publisher: Studio, stranger: Home, tmp_path: Path
) -> None:
    path = tmp_path / "leaf.pem"
    path.write_bytes(certificates.leaf_path(publisher.home).read_bytes())
    with pytest.raises(InputError, match="not a certificate authority"):
        trust.trust_add(stranger, path)
    key = keys.load(publisher.home, certificates.ROOT_KEY, "ec-p256")
    old = certificates.issue_root(key, now=datetime.now(UTC) - timedelta(days=50 * 365))
    path.write_text(certificates.pem(old))
    with pytest.raises(InputError, match="expired"):
        trust.trust_add(stranger, path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.replace("vkey =", "vkeys ="), "needs a text 'vkey'"),
        (lambda t: t.replace("+A", "+B", 1), "own hash|not base64|of the type|not a verifier"),
        (lambda t: t.replace("MII", "MIJ", 1), "damaged certificate"),
        (lambda t: t.replace("trust-1", "trust-9"), "not a trust bundle"),
        (lambda t: "surprise = 1\n" + t, "unknown fields: surprise"),
        (lambda t: "anchor = 3", "not a trust bundle"),
        (lambda t: "= = =", "neither a trust bundle nor PEM"),
        (lambda t: "[" * 100_000, "neither a trust bundle nor PEM"),
        (lambda t: '{"a":' * 100_000, "neither a trust bundle nor PEM"),
    ],
)
def test_bundles_that_are_not_in_order_are_refused(
    bundle: Path, stranger: Home, change: object, said: str
) -> None:
    assert callable(change)
    bundle.write_text(change(bundle.read_text()))
    with pytest.raises(InputError, match=said):
        trust.trust_add(stranger, bundle, name="x")
    assert list(stranger.trust.iterdir()) == []


def test_missing_and_oversized_files_are_refused(stranger: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        trust.trust_add(stranger, tmp_path / "nothing.toml", name="x")
    big = tmp_path / "big.toml"
    big.write_bytes(b"#" * (trust.LIMIT + 1))
    with pytest.raises(InputError, match="too large"):
        trust.trust_add(stranger, big, name="x")


def test_a_damaged_entry_is_named_not_skipped(bundle: Path, stranger: Home) -> None:
    trust.trust_add(stranger, bundle, name="a")
    (stranger.trust / "a.toml").write_text("rubbish")
    with pytest.raises(VerificationError, match=r"a\.toml"):
        trust.trust_list(stranger)
    trust.trust_remove(stranger, "a")
    assert trust.trust_list(stranger) == ()


def test_ones_own_anchor_cannot_be_removed(publisher: Studio) -> None:
    with pytest.raises(InputError, match="own anchor"):
        trust.trust_remove(publisher.home, "own")
