"""Cosignatures and quorums, on published vectors where there are any."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.errors import InputError, RefusedError, VerificationError
from consent.home import Home
from consent.log import (
    Checkpoint,
    Cosignature,
    Signer,
    Verifier,
    WitnessPolicy,
    WitnessSigner,
    WitnessVerifier,
    format_proof,
    merkle,
    open_checkpoint,
    open_note,
    verify_proof,
)
from consent.log.cosignature import cosignatures, merge
from consent.log.note import parse_note, parse_signatures
from consent.log.quorum import load_policy, policy_file, save_policy

# A checkpoint of a public log under a public witness network (arche2025h1, May 2026), and the
# published key of one of its witnesses.
REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
ARCHE = (
    "arche2025h1.staging.ct.transparency.dev\n1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    "— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3N"
    "ygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ"
    "75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n"
    "— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sX"
    "Tynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
)
# The example of c2sp.org/signed-note: key, text and signature.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKu"
    "wHjG1Yu72IneyaQM=\n"
)
# A cosignature whose time another implementation (transparency-dev/formats) reads.
DATED = (
    "ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJ"
    "XORmnFBOBA=="
)

WHEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def a_signer() -> Signer:
    return Signer("example.com/log", Ed25519PrivateKey.generate())


def a_witness(name: str = "witness.example/w1") -> WitnessSigner:
    return WitnessSigner(name, Ed25519PrivateKey.generate())


def cosigned(signer: Signer, *witnesses: WitnessSigner, size: int = 1) -> str:
    note = Checkpoint(signer.name, size, merkle.leaf_hash(b"only")).sign(signer)
    text, _ = parse_note(note)
    return note + "".join(witness.cosign(text, WHEN) for witness in witnesses)


def policy(required: int, *witnesses: WitnessSigner) -> WitnessPolicy:
    made = WitnessPolicy()
    for witness in witnesses:
        made = made.adding(witness.verifier.vkey)
    return made.requiring(required)


def test_the_published_example_of_a_signed_note_opens() -> None:
    assert open_note(EXAMPLE_NOTE, Verifier.parse(EXAMPLE_KEY)) == "This is an example message.\n"


def test_a_cosignature_by_a_public_witness_verifies_with_its_published_key() -> None:
    (found,) = cosignatures(ARCHE, [WitnessVerifier.parse(REMORA)])
    assert found.witness.vkey == REMORA
    assert found.time == datetime(2026, 5, 23, 21, 50, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new"),
    [("1432088532", "1432088533"), ("U7WM", "V7WM"), ("arche2025h1.s", "arche2025h2.s")],
)
def test_a_public_cosignature_covers_all_three_lines(old: str, new: str) -> None:
    with pytest.raises(VerificationError, match="remora"):
        cosignatures(ARCHE.replace(old, new), [WitnessVerifier.parse(REMORA)])


def test_the_time_of_a_cosignature_is_where_the_specification_puts_it() -> None:
    (line,) = parse_signatures(f"— w.example {DATED}\n")
    assert int.from_bytes(line.signature[:8], "big") == 1727964367


def test_the_message_of_a_cosignature_is_the_specified_one() -> None:
    witness = a_witness()
    text = "example.com/log\n1\n" + base64.b64encode(bytes(32)).decode() + "\n"
    (line,) = parse_signatures(witness.cosign(text, WHEN))
    message = f"cosignature/v1\ntime {int(WHEN.timestamp())}\n{text}".encode()
    witness.key.public_key().verify(line.signature[8:], message)
    assert witness.verifier.vkey.split("+")[2].startswith("B")  # type 0x04


def test_the_key_of_a_log_is_not_one_of_a_witness_nor_the_other_way_round() -> None:
    with pytest.raises(InputError, match="type 0x04, expected 0x01"):
        Verifier.parse(REMORA)
    with pytest.raises(InputError, match="type 0x01, expected 0x04"):
        WitnessVerifier.parse(EXAMPLE_KEY)


def test_a_cosignature_does_not_stand_for_the_logs_own_signature() -> None:
    signer = a_signer()
    same = WitnessSigner(signer.name, signer.key)
    text, _ = parse_note(cosigned(signer))
    note = f"{text}\n{same.cosign(text, WHEN)}"
    with pytest.raises(VerificationError, match="not signed by"):
        open_checkpoint(note, signer.verifier)


def test_cosignatures_by_strangers_are_ignored_and_by_known_keys_reported() -> None:
    signer, known, stranger = a_signer(), a_witness("a.example"), a_witness("b.example")
    checkpoint = open_checkpoint(
        cosigned(signer, known, stranger), signer.verifier, [known.verifier]
    )
    assert checkpoint.cosignatures == (Cosignature(known.verifier, WHEN),)


def test_the_latest_of_several_cosignatures_by_one_witness_counts() -> None:
    signer, witness = a_signer(), a_witness()
    note = cosigned(signer)
    text, _ = parse_note(note)
    later = WHEN.replace(year=2027)
    note += witness.cosign(text, later) + witness.cosign(text, WHEN)
    assert cosignatures(note, [witness.verifier])[0].time == later


def test_a_wrong_cosignature_by_a_known_witness_spoils_the_note() -> None:
    signer, witness = a_signer(), a_witness()
    other = WitnessSigner(witness.name, witness.key)
    text, _ = parse_note(cosigned(signer, size=2))
    with pytest.raises(VerificationError, match=r"witness\.example/w1"):
        cosignatures(cosigned(signer) + other.cosign(text, WHEN), [witness.verifier])


def test_a_cosignature_cut_short_or_dated_beyond_all_time_is_refused() -> None:
    signer, witness = a_signer(), a_witness()
    (line,) = parse_signatures(witness.cosign(parse_note(cosigned(signer))[0], WHEN))
    for bad in (line.signature[:-1], line.signature + b"\0", b"\xff" * 72, b"\0"):
        text = base64.b64encode(line.key_id + bad).decode()
        with pytest.raises(VerificationError):
            cosignatures(cosigned(signer) + f"— {witness.name} {text}\n", [witness.verifier])


def test_merging_replaces_a_signature_by_the_same_key_and_keeps_the_others() -> None:
    signer, one, two = a_signer(), a_witness("a.example"), a_witness("b.example")
    note = cosigned(signer, one)
    text, _ = parse_note(note)
    again = merge(note, parse_signatures(one.cosign(text, WHEN) + two.cosign(text, WHEN)))
    assert [line.name for line in parse_note(again)[1]] == [signer.name, one.name, two.name]
    assert again.startswith(text)


# -- Quorum -----------------------------------------------------------------------------


def test_a_proof_counts_only_with_the_quorum_and_says_who_cosigned() -> None:
    signer = a_signer()
    witnesses = [a_witness(f"w{number}.example") for number in range(3)]
    asked = policy(2, *witnesses)
    for present in range(4):
        proof = format_proof(0, [], cosigned(signer, *witnesses[:present]))
        if present >= 2:
            checkpoint = verify_proof(proof, b"only", signer.verifier, witnesses=asked)
            names = [c.witness.name for c in checkpoint.cosignatures]
            assert names == [w.name for w in witnesses[:present]]
        else:
            with pytest.raises(VerificationError, match="not cosigned by 2 of w0"):
                verify_proof(proof, b"only", signer.verifier, witnesses=asked)
        assert verify_proof(proof, b"only", signer.verifier).cosignatures == ()


def test_one_witness_signing_twice_is_no_quorum_of_two() -> None:
    signer, one, two = a_signer(), a_witness("a.example"), a_witness("b.example")
    note = cosigned(signer, one, one)
    asked = policy(2, one, two)
    assert not asked.satisfied(cosignatures(note, asked.keys))


def vkeys(*names: str) -> dict[str, str]:
    return {name: a_witness(f"{name}.example").verifier.vkey for name in names}


def test_the_example_of_the_policy_specification_means_what_it_says() -> None:
    keys = vkeys("X1", "X2", "X3", "Y1", "Y2", "Y3")
    lines = [f"log {a_signer().verifier.vkey} https://log.example", ""]
    lines += [f"witness {name} {keys[name]}" for name in ("X1", "X2", "X3")]
    lines += ["group X-witnesses 2 X1 X2 X3", "# a comment"]
    lines += [f"\twitness  {name}\t{keys[name]} https://y.example" for name in ("Y1", "Y2", "Y3")]
    lines += ["group Y-witnesses any Y1 Y2 Y3", "group X-and-Y all X-witnesses Y-witnesses"]
    read = WitnessPolicy.parse("\n".join([*lines, "quorum X-and-Y", ""]))

    def enough(*names: str) -> bool:
        return read.satisfied(Cosignature(read.witnesses[name], WHEN) for name in names)

    assert enough("X1", "X3", "Y2")
    assert not enough("X1", "X2", "X3")
    assert not enough("X1", "Y1", "Y2", "Y3")
    assert WitnessPolicy.parse(read.text) == read
    with pytest.raises(RefusedError, match="written by hand"):
        read.without("X1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum nobody\n",
        "quorum none\nquorum none\n",
        "witness a {a}\n",
        "witness a {a}\nwitness a {b}\nquorum a\n",
        "witness a {a}\nwitness b {a}\nquorum a\n",
        "witness none {a}\nquorum none\n",
        "witness a {log}\nquorum a\n",
        "log {a}\nquorum none\n",
        "witness a {a}\ngroup g 2 a\nquorum g\n",
        "witness a {a}\ngroup g 0 a\nquorum g\n",
        "witness a {a}\ngroup g any\nquorum g\n",
        "witness a {a}\ngroup g any a\ngroup h any a\nquorum g\n",
        "group g any a\nwitness a {a}\nquorum g\n",
        "witness a {a}\ngroup g any a\ngroup g any g\nquorum g\n",
        "wittness a {a}\nquorum none\n",
        "quorum\x01none\n",
    ],
)
def test_a_damaged_policy_is_refused_with_its_line(text: str) -> None:
    keys = vkeys("a", "b") | {"log": a_signer().verifier.vkey}
    with pytest.raises(InputError, match="the witness policy"):
        WitnessPolicy.parse(text.format(**keys))


@given(st.integers(0, 5), st.sets(st.integers(0, 4)))
@settings(deadline=None, max_examples=60)
def test_n_of_m_means_n_of_m(required: int, signed: set[int]) -> None:
    witnesses = [
        WitnessSigner(f"w{number}", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))
        for number in range(5)
    ]
    asked = policy(required, *witnesses)
    read = WitnessPolicy.parse(asked.text)
    present = [Cosignature(witnesses[number].verifier, WHEN) for number in signed]
    assert read.satisfied(present) == (len(signed) >= required)


def test_trusting_and_dropping_witnesses_keeps_the_quorum_reachable() -> None:
    one, two = a_witness("a.example"), a_witness("b.example")
    both = WitnessPolicy().adding(one.verifier.vkey).adding(two.verifier.vkey)
    assert both.describe() == "2 of a.example, b.example"
    assert both.without("a.example").describe() == "1 of b.example"
    assert both.without("a.example").without("b.example") == WitnessPolicy()
    with pytest.raises(InputError, match="trusted already"):
        both.adding(one.verifier.vkey)
    with pytest.raises(InputError, match="3 witnesses cannot be required"):
        both.requiring(3)
    with pytest.raises(InputError, match="no witness 'c'"):
        both.without("c")


def test_the_homes_policy_is_kept_and_a_damaged_one_is_never_taken_for_nobody(
    tmp_path: Path,
) -> None:
    home = Home.open(tmp_path / "home")
    assert load_policy(home) == WitnessPolicy()
    kept = policy(1, a_witness())
    save_policy(home, kept)
    assert load_policy(home) == kept
    policy_file(home).write_bytes(b"witness \xff\n")
    with pytest.raises(InputError, match=r"tlog-policy, line 1"):
        load_policy(home)
