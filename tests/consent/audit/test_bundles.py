from __future__ import annotations

import copy
import fnmatch
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grants_kit import ANNA, Stage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage_kit import (
    another_home,
    begin,
    get,
    paths,
    publish,
    publish_duet,
    publish_stock,
    put,
    same,
)

from consent.audit.bundle import MAX_BYTES
from consent.audit.documents import sign_document, write_json
from consent.audit.making import make_bundle
from consent.audit.verifying import (
    CONSISTENT,
    CONTRADICTED,
    PROVED,
    UNPROVED,
    BundleReport,
    Trust,
    read_bundle,
    verify_bundle,
)
from consent.clock import FixedClock
from consent.credentials.grant import Basis, StatusEntry, suspension_list_id
from consent.credentials.statement import draft_statement
from consent.credentials.status import StatusList
from consent.errors import InputError, RefusedError, StorageError, VerificationError
from consent.home import Home
from consent.log import Log
from consent.log.cosignature import WitnessSigner
from consent.log.quorum import WitnessPolicy, save_policy
from consent.registry import Registry


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def checked(stage: Stage, bundle: dict[str, Any], **options: Any) -> BundleReport:
    """The bundle, checked by somebody who knows the log's key and nothing else."""
    text = json.loads(write_json(bundle))
    return verify_bundle(text, Trust(log_key=stage.registry.log.vkey), **options)


# -- What a bundle proves -------------------------------------------------------------------


@pytest.mark.parametrize("redacted", [False, True])
def test_a_bundle_is_proved_by_the_log_key_known_from_elsewhere(
    stage: Stage, redacted: bool
) -> None:
    stage.grant()
    output_ids = [publish(stage), publish_duet(stage), publish_stock(stage.registry)]
    bundle = make_bundle(stage.registry, output_ids, redacted=redacted)
    report = checked(stage, bundle)
    assert report.problems == []
    assert (report.verdict, report.exit_code) == (PROVED, 0)
    assert {f.about for f in report.findings} >= set(output_ids)


def test_without_a_key_from_elsewhere_it_is_only_consistent_in_itself(stage: Stage) -> None:
    stage.grant()
    report = verify_bundle(make_bundle(stage.registry, [publish(stage)]))
    assert (report.verdict, report.exit_code) == (CONSISTENT, 10)
    assert any("made up the keys" in sentence for sentence in report.not_covered)


def test_the_registrys_key_known_from_elsewhere_is_enough_and_said_to_be_less(stage: Stage) -> None:
    stage.grant()
    registry = stage.registry
    bundle = make_bundle(registry, [publish(stage)])
    for key in (registry.did, registry._core.key.public_key().public_bytes_raw().hex()):
        report = verify_bundle(bundle, Trust(registry_key=key))
        assert report.verdict == PROVED
        assert report.trusted == {"log": False, "registry": True}
        assert any("shows everybody this log" in sentence for sentence in report.not_covered)


def test_keys_of_others_contradict_it(stage: Stage, tmp_path: Path) -> None:
    stage.grant()
    bundle = make_bundle(stage.registry, [publish(stage)])
    other = Log.open(
        tmp_path / "log", Ed25519PrivateKey.generate(), stage.registry.log.verifier.name
    )
    for trust in (Trust(log_key=other.vkey), Trust(registry_key=stage.anna.did)):
        report = verify_bundle(bundle, trust)
        assert (report.verdict, report.exit_code) == (CONTRADICTED, 5)


@pytest.mark.parametrize(
    "key", [{"log_key": "no key"}, {"registry_key": "00"}, {"witnesses": ("x",)}]
)
def test_a_key_that_is_none_is_refused(stage: Stage, key: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        verify_bundle({}, Trust(**key))


def test_a_receipt_without_a_file_and_an_abandoned_one_say_so(stage: Stage) -> None:
    stage.grant()
    pending, abandoned = begin(stage), begin(stage)
    stage.registry.abandon(abandoned, "a test")
    report = checked(stage, make_bundle(stage.registry, [pending, abandoned]))
    words = {f.about: f.sentence for f in report.findings if "Receipt" in f.sentence}
    assert report.verdict == PROVED
    assert "nothing here says that it was published" in words[pending]
    assert "never published" in words[abandoned]


def test_what_became_of_the_grant_is_told_at_making_and_now(
    stage: Stage, clock: FixedClock
) -> None:
    grant = stage.grant()
    first = publish(stage)
    stage.say("suspension", grant.id)
    clock.advance(timedelta(seconds=1))
    stage.say("reinstatement", grant.id)
    second = publish(stage)
    stage.say("revocation", grant.id)
    bundle = make_bundle(stage.registry, [first, second])
    assert [o["openings"][0]["status"] for o in bundle["outputs"]] == ["active", "active"]
    assert bundle["grants"][0]["status"] == "revoked"
    assert len(bundle["grants"][0]["history"]) == 3
    assert checked(stage, bundle).problems == []


def test_a_superseded_grant_carries_its_successors_entry(stage: Stage) -> None:
    old = stage.grant()
    output_id = publish(stage)
    stage.grant(supersedes=old.id)
    bundle = make_bundle(stage.registry, [output_id, publish(stage)])
    assert [grant["status"] for grant in bundle["grants"]] == ["superseded", "active"]
    assert checked(stage, bundle).problems == []


def test_a_grant_signed_by_an_agent_carries_the_mandate(stage: Stage) -> None:
    agent = stage.registry.create_party("person", "agent", "An Agent")
    body = {
        "kind": "agent",
        "representative": agent.id,
        "representative_did": agent.did,
        "scope": ["grant"],
        "valid_from": "2026-11-01T00:00:00Z",
        "valid_until": None,
        "proof": "",
    }
    key = stage.registry.signing_key(stage.anna.id)
    assert key is not None
    waiting = draft_statement(
        "mandate", issuer_did=stage.anna.did, subject=stage.anna.id, body=body, now=stage.now()
    )
    mandate = stage.registry.add_statement(waiting.sign(key))
    stage.grant(signer=agent, basis=Basis(kind="agent", mandate=mandate.id))
    for redacted in (False, True):
        bundle = make_bundle(stage.registry, [publish(stage)], redacted=redacted)
        assert bundle["grants"][0]["mandate"] is not None
        report = checked(stage, bundle)
        assert report.problems == []
        assert any("representative (agent)" in f.sentence for f in report.findings)
        stolen = put(bundle, ("grants", 0, "mandate"), None)
        assert checked(stage, resigned(stage, stolen)).verdict == CONTRADICTED


def test_a_grant_signed_with_a_key_that_came_later_carries_the_keys_history(stage: Stage) -> None:
    registry = stage.registry
    registry.rotate_key(stage.anna.id)
    stage.anna = registry.party(stage.anna.id)
    registry.replace_key(stage.anna.id, since=stage.now(), reason="lost on a train")
    stage.anna = registry.party(stage.anna.id)
    stage.grant()
    bundle = make_bundle(registry, [publish(stage)])
    kinds = [json.loads(entry["leaf"]).get("type") for entry in bundle["grants"][0]["keys"]]
    assert kinds == ["compromise", "rotation"]
    assert checked(stage, bundle).problems == []


def test_a_key_that_is_found_to_be_stolen_is_told(stage: Stage) -> None:
    stage.grant()
    output_id = publish(stage)
    stage.registry.replace_key(
        stage.anna.id, since=stage.now() - timedelta(days=1), reason="stolen yesterday"
    )
    bundle = make_bundle(stage.registry, [output_id])
    assert bundle["grants"][0]["status"] == "key-not-valid"
    assert checked(stage, bundle).problems == []


def test_a_grant_ended_by_the_rights_holders_own_status_list_carries_that_entry(
    stage: Stage, clock: FixedClock
) -> None:
    listed = StatusEntry("https://anna.example/status", 5)
    grant = stage.grant(status=listed, status_interval_s=86_400)
    hear(stage, listed.list_id, ())
    output_id = publish(stage)
    clock.advance(timedelta(minutes=1))
    hear(stage, listed.list_id, (listed.index,))
    assert stage.registry.grant(grant.id).status == "revoked"
    for redacted in (False, True):
        bundle = make_bundle(stage.registry, [output_id], redacted=redacted)
        (change,) = bundle["grants"][0]["history"]
        assert json.loads(change["entry"]["leaf"])["kind"] == "status-list"
        assert checked(stage, bundle).problems == []


def hear(stage: Stage, list_id: str, revoked: tuple[int, ...]) -> None:
    """Let Anna's own status lists come in, these places revoked and nothing suspended."""
    key = stage.registry.signing_key(stage.anna.id)
    assert key is not None
    for name, places in ((list_id, revoked), (suspension_list_id(list_id), ())):
        bits = StatusList()
        for place in places:
            bits.set(place)
        now = stage.now()
        waiting = bits.to_credential(stage.anna.did, name, now, now + timedelta(days=1))
        stage.registry.import_status_list(waiting.sign(key))


def test_after_an_erasure_only_the_redacted_form_can_be_made_and_still_holds(stage: Stage) -> None:
    stage.grant()
    output_id = publish(stage)
    stage.registry.erase_party(stage.anna.id, "the operator", "consent-withdrawn")
    with pytest.raises(RefusedError, match="is not there: erased"):
        make_bundle(stage.registry, [output_id])
    bundle = make_bundle(stage.registry, [output_id], redacted=True)
    assert bundle["grants"][0]["status"] == "revoked"
    assert checked(stage, bundle).problems == []


def test_the_redacted_form_names_nobody_and_no_terms(stage: Stage) -> None:
    grant = stage.grant(credit="Anna the Great")
    output_id = publish(stage)
    stage.say("revocation", grant.id, reason="a quarrel")
    text = write_json(make_bundle(stage.registry, [output_id], redacted=True)).decode()
    for secret in (ANNA, stage.anna.id, stage.studio.id, stage.anna.did, stage.studio.did,
                   "Anna", "Chickens", "Chapter 1", "quarrel", "eyJ"):  # fmt: skip
        assert secret not in text, secret


def test_an_output_that_is_not_on_record_is_refused(stage: Stage) -> None:
    with pytest.raises(RefusedError, match="no receipt"):
        make_bundle(stage.registry, ["0" * 12])
    with pytest.raises(InputError, match="no output"):
        make_bundle(stage.registry, [])


# -- Files, witnesses, copies of the log ----------------------------------------------------


def test_a_file_is_recognized_by_its_bytes(stage: Stage, tmp_path: Path) -> None:
    stage.grant()
    registry = stage.registry
    file = tmp_path / "book.m4b"
    file.write_bytes(b"the sound")
    authorization = registry.authorize(stage.request())
    with registry.lease(authorization.id):
        draft = stage.draft(authorization.id)
        registry.issue_receipt(draft)
        digest = hashlib.sha256(b"the sound").hexdigest()
        registry.mark_sealed(draft.output_id, sha256=digest, size=9, published_as="book.m4b")
    bundle = make_bundle(registry, [draft.output_id])
    report = checked(stage, bundle, file=file)
    assert report.problems == []
    assert any(f.basis == "file" and draft.output_id in f.sentence for f in report.findings)
    file.write_bytes(b"the sounD")
    assert "none of the outputs" in checked(stage, bundle, file=file).problems[0]
    with pytest.raises(StorageError):
        checked(stage, bundle, file=tmp_path / "missing.m4b")


def test_a_witness_that_is_asked_for_must_have_cosigned(
    stage: Stage, home: Home, clock: FixedClock
) -> None:
    stage.grant()
    output_id = publish(stage)
    witness = WitnessSigner("witness.example/w", Ed25519PrivateKey.generate())
    stranger = WitnessSigner("stranger.example/w", Ed25519PrivateKey.generate())
    save_policy(home, WitnessPolicy().adding(witness.verifier.vkey))
    with Registry.open(home, clock=clock) as registry:
        checkpoint = registry.log.checkpoint()
        note = registry.log.checkpoint_note() + witness.cosign(checkpoint.text, clock.now())
        registry.log.attach(note)
        registry.create_party("person", "later", "Somebody Later")  # the log goes on
        bundle = make_bundle(registry, [output_id])
        vkey = registry.log.vkey
    asked = Trust(log_key=vkey, witnesses=(witness.verifier.vkey,))
    report = verify_bundle(bundle, asked)
    assert (report.problems, report.witnesses) == ([], ["witness.example/w"])
    assert not any("only one such log" in sentence for sentence in report.not_covered)
    asked = Trust(log_key=vkey, witnesses=(stranger.verifier.vkey,))
    assert "not cosigned" in verify_bundle(bundle, asked).problems[0]


def test_a_copy_of_the_log_shows_what_a_bundle_leaves_out(stage: Stage, home: Home) -> None:
    grant = stage.grant()
    output_id = publish(stage)
    stage.say("revocation", grant.id)
    bundle = make_bundle(stage.registry, [output_id])
    report = checked(stage, bundle, log=home.log)
    assert report.problems == []
    assert not any("nothing else ended" in sentence for sentence in report.not_covered)
    # An operator who wants to hide the revocation signs a bundle without it.
    hiding = put(put(bundle, ("grants", 0, "history"), []), ("grants", 0, "status"), "active")
    hiding = resigned(stage, hiding)
    report = checked(stage, hiding)
    assert report.verdict == PROVED
    assert any("nothing else ended" in sentence for sentence in report.not_covered)
    assert "leaves out" in checked(stage, hiding, log=home.log).problems[0]


def test_a_copy_of_the_log_tells_what_happened_since(stage: Stage, home: Home) -> None:
    grant = stage.grant()
    bundle = make_bundle(stage.registry, [publish(stage)])
    stage.say("revocation", grant.id)
    report = checked(stage, bundle, log=home.log)
    assert report.problems == []
    assert any("Since then: revocation" in f.sentence for f in report.findings)


def test_a_copy_of_another_log_or_a_cut_one_is_a_problem(
    stage: Stage, home: Home, tmp_path: Path
) -> None:
    stage.grant()
    copy_of = tmp_path / "copy"
    shutil.copytree(home.log, copy_of)
    bundle = make_bundle(stage.registry, [publish(stage)])
    assert (
        "rolled back" in checked(stage, bundle, log=copy_of).problems[0]
        or checked(stage, bundle, log=copy_of).problems
    )
    assert checked(stage, bundle, log=tmp_path / "nothing").problems


# -- Attacks --------------------------------------------------------------------------------


def resigned(stage: Stage, document: dict[str, Any]) -> dict[str, Any]:
    """The document as the registry's own operator could sign it."""
    body = {name: value for name, value in document.items() if name != "signature"}
    return sign_document(body, stage.registry._core.key)


@dataclass(repr=False)
class Rich:
    stage: Stage
    bundle: dict[str, Any]


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rich]:
    """A bundle that holds a bit of everything."""
    from consent_kit import NOON

    home = another_home(tmp_path_factory.mktemp("rich") / "home")
    clock = FixedClock(NOON)
    with Registry.open(home, clock=clock) as registry:
        stage = Stage(registry)
        grant = stage.grant()
        output_ids = [publish(stage), publish_duet(stage), begin(stage)]
        stage.say("suspension", grant.id)
        clock.advance(timedelta(seconds=1))
        stage.say("reinstatement", grant.id)
        output_ids.append(publish(stage))
        stage.say("revocation", grant.id, reason="enough")
        certificates = ["-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"]
        bundle = make_bundle(registry, output_ids, certificates=certificates)
        assert checked(stage, bundle).problems == []
        yield Rich(stage, bundle)


def mutations(document: dict[str, Any]) -> st.SearchStrategy[tuple[tuple[str | int, ...], Any]]:
    """A place in the document, and what to put there instead."""
    everywhere = paths(document)
    elsewhere = [get(document, path) for path in everywhere]

    @st.composite
    def one(draw: st.DrawFn) -> tuple[tuple[str | int, ...], Any]:
        path = draw(st.sampled_from(everywhere))
        old = get(document, path)
        kind = type(old)
        swapped = [value for value in elsewhere if type(value) is kind and value != old]
        choices: list[st.SearchStrategy[Any]] = [
            st.sampled_from([None, "", "x", 0, [], {}, True, "active", "revoked"])
        ]
        if swapped:
            choices.append(st.sampled_from(swapped))
        if isinstance(old, str) and old:
            place = draw(st.integers(0, len(old) - 1))
            letters = st.sampled_from("0a1bA+/=\n ")
            choices.append(letters.map(lambda c: old[:place] + c + old[place + 1 :]))
            choices.append(st.just(old[:place]))
        if isinstance(old, list) and old:
            choices.append(st.just(old[1:]))
            choices.append(st.just([*old, old[0]]))
        if isinstance(old, dict) and old:
            gone = draw(st.sampled_from(sorted(old)))
            choices.append(st.just({k: v for k, v in old.items() if k != gone}))
            choices.append(st.just({**old, "more": 1}))
        return path, draw(st.one_of(*choices))

    return one()


EVERYTHING = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@EVERYTHING
@given(data=st.data())
def test_whatever_a_stranger_changes_is_noticed(rich: Rich, data: st.DataObject) -> None:
    stage, bundle = rich.stage, rich.bundle
    path, new = data.draw(mutations(bundle))
    changed = put(bundle, path, new)
    if same(changed, bundle):
        return
    assert checked(stage, changed).verdict == CONTRADICTED, path
    assert verify_bundle(changed).verdict == CONTRADICTED, path


def said_without_proof(path: tuple[str | int, ...]) -> bool:
    text = ".".join(str(step) for step in path)
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in UNPROVED)


def leaves_out(path: tuple[str | int, ...], old: Any, new: Any) -> bool:
    """Whether the change only leaves out outputs, outcomes, or words on a grant."""
    if path[-1] == "outcome" and new is None:
        return True
    return isinstance(old, list) and isinstance(new, list) and path[-1] in ("outputs", "history")


@EVERYTHING
@given(data=st.data())
def test_whatever_the_operator_changes_and_signs_is_noticed_or_said_to_be_unproved(
    rich: Rich, data: st.DataObject
) -> None:
    stage, bundle = rich.stage, rich.bundle
    path, new = data.draw(mutations(bundle))
    if path[0] == "signature" or same(changed := put(bundle, path, new), bundle):
        return
    report = checked(stage, resigned(stage, changed)) if "format" in changed else None
    if report is None or report.verdict == CONTRADICTED:
        return
    assert said_without_proof(path) or leaves_out(path, get(bundle, path), new), path
    assert report.not_covered


def test_a_bundle_made_up_from_end_to_end_is_no_more_than_consistent(
    stage: Stage, tmp_path: Path, clock: FixedClock
) -> None:
    with Registry.open(another_home(tmp_path / "forger"), clock=clock) as forger:
        forged = Stage(forger)
        forged.grant()
        bundle = make_bundle(forger, [publish(forged)])
    assert verify_bundle(bundle).verdict == CONSISTENT
    assert checked(stage, bundle).verdict == CONTRADICTED
    ours = Trust(registry_key=stage.registry.did)
    assert verify_bundle(bundle, ours).verdict == CONTRADICTED


def test_entries_of_another_log_cannot_be_slipped_in(
    stage: Stage, tmp_path: Path, clock: FixedClock
) -> None:
    stage.grant()
    bundle = make_bundle(stage.registry, [publish(stage)])
    with Registry.open(another_home(tmp_path / "other"), clock=clock) as other:
        foreign = Stage(other)
        foreign.grant()
        theirs = make_bundle(other, [publish(foreign)])
    for place in ("outputs", "grants", "registry", "log"):
        mixed = resigned(stage, {**bundle, place: theirs[place]})
        assert checked(stage, mixed).verdict == CONTRADICTED, place


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"format": "vivavoce-evidence/2"}', '{"a": 1, "a": 2}',
     '{"a": NaN}', '{"a": 1e400}', "[" * 100_000, '{"a": "\\ud800"}', '{"format": 1}'],
)  # fmt: skip
def test_what_is_no_bundle_is_refused_in_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bundle.json"
    file.write_text(text)
    try:
        report = verify_bundle(read_bundle(file))
    except VerificationError as error:
        assert "bundle" in error.message
    else:
        assert report.verdict == CONTRADICTED


def test_a_bundle_beyond_reason_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    with file.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(StorageError, match="too large"):
        read_bundle(file)


def test_checking_changes_nothing_in_the_document(stage: Stage) -> None:
    stage.grant()
    bundle = make_bundle(stage.registry, [publish(stage)])
    before = copy.deepcopy(bundle)
    checked(stage, bundle)
    assert bundle == before
