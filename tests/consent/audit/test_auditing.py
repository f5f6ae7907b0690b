from __future__ import annotations

import json
import shutil
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from consent_kit import sql
from grants_kit import ANNA, Stage
from stage_kit import (
    EURO_A_MINUTE,
    append,
    approve,
    begin,
    publish,
    publish_duet,
    publish_stock,
)

from consent import keys
from consent.audit.checking import check_everything
from consent.audit.collecting import Auditor
from consent.audit.documents import check_document, read_json, write_json
from consent.audit.exporting import export_audit
from consent.audit.listing import Filter
from consent.audit.orphans import CHANGED, ELSEWHERE, KNOWN, NOT_SEALED, SILENT, UNKNOWN, Claim
from consent.audit.rendering import statement_html
from consent.audit.reports import (
    log_listing,
    orphans,
    outputs_under,
    policy_history,
    signed_statement,
    statement_of_use,
)
from consent.audit.statement import FORMAT, LICENSEE, OWNER
from consent.clock import FixedClock
from consent.errors import InputError, RefusedError, VerificationError
from consent.home import Home
from consent.log import Log, LogReader, Verifier
from consent.registry import Registry


@pytest.fixture
def stage(registry: Registry) -> Stage:
    return Stage(registry)


def reference(registry: Registry, label: str, name: str) -> str:
    return registry._core.ref(label, name)


# -- Statements of use ----------------------------------------------------------------------


def test_a_statement_says_what_was_published_and_for_how_much(
    stage: Stage, clock: FixedClock
) -> None:
    stage.grant(compensation=EURO_A_MINUTE)
    first = publish(stage, minutes=2.0)
    clock.advance(timedelta(days=40))
    second = publish_duet(stage)
    registry = stage.registry
    whole = statement_of_use(registry, "anna")
    assert whole.head.role == OWNER
    (account,) = whole.grants
    assert [line.use.output_id for line in account.lines] == [first, second]
    assert [line.use.work for line in account.lines] == ["Love Among the Chickens"] * 2
    assert whole.used_ms == 210_000, "in the duet her voice alone counts"
    assert whole.amounts == {"EUR": Decimal("5.25")}
    cut = clock.now() - timedelta(days=1)
    before = statement_of_use(registry, "anna", until=cut)
    after = statement_of_use(registry, "anna", since=cut)
    assert before.amounts["EUR"] + after.amounts["EUR"] == whole.amounts["EUR"]
    assert whole.problems == []


def test_licensee_and_rights_holder_are_told_the_same(stage: Stage) -> None:
    stage.grant(compensation=EURO_A_MINUTE)
    publish(stage)
    theirs = statement_of_use(stage.registry, "studio")
    assert theirs.head.role == LICENSEE
    assert theirs.amounts == statement_of_use(stage.registry, "anna").amounts
    with pytest.raises(InputError, match="role"):
        statement_of_use(stage.registry, "anna", role="owner")


def test_one_licensee_does_not_see_what_another_does(stage: Stage) -> None:
    stage.grant()
    publish(stage)
    rival = stage.registry.create_party("organisation", "rival", "The Rival")
    stage.grant(licensee=rival.id, licensee_did=rival.did)
    statement = statement_of_use(stage.registry, "rival")
    assert statement.used_ms == 0
    assert statement.problems == []


def test_a_draft_for_the_performer_is_listed_and_free(stage: Stage) -> None:
    grant = stage.grant(compensation=EURO_A_MINUTE, performer_approval=True)
    draft = publish(stage, channel="review")
    approve(stage, grant.id)
    published = publish(stage)
    statement = statement_of_use(stage.registry, "anna")
    (account,) = statement.grants
    assert [line.use.output_id for line in account.drafts] == [draft]
    assert [line.use.output_id for line in account.lines] == [published]
    assert statement.amounts == {"EUR": Decimal("3.00")}


def test_abandoned_and_unfinished_outputs_cost_nothing(stage: Stage) -> None:
    stage.grant(compensation=EURO_A_MINUTE)
    stage.registry.abandon(begin(stage), "a test")
    pending = begin(stage)
    statement = statement_of_use(stage.registry, "anna")
    assert [line.use.output_id for line in statement.grants[0].pending] == [pending]
    assert statement.amounts == {"EUR": Decimal(0)}


def test_deleted_and_edited_rows_hide_no_use(stage: Stage, home: Home) -> None:
    stage.grant(compensation=EURO_A_MINUTE)
    hidden, lengthened = publish(stage), publish(stage)
    sql(home, "DELETE FROM voice_uses WHERE output_id = ?", hidden)
    sql(home, "DELETE FROM receipts WHERE output_id = ?", hidden)
    sql(
        home, "UPDATE voice_uses SET duration_ms = 1, review = true WHERE output_id = ?", lengthened
    )
    statement = statement_of_use(stage.registry, "anna")
    assert statement.amounts == {"EUR": Decimal("6.00")}
    assert not check_everything(stage.registry).ok


def test_a_use_under_a_grant_that_nobody_knows_is_told(stage: Stage, home: Home) -> None:
    grant = stage.grant()
    output_id = publish(stage)
    stage.grant()
    sql(home, "DELETE FROM reservations WHERE grant_id = ?", grant.id)
    sql(home, "DELETE FROM grants WHERE id = ?", grant.id)
    (problem,) = statement_of_use(stage.registry, "anna").problems
    assert output_id in problem
    assert "not on record" in problem


def test_a_use_after_the_revocation_is_shown_whoever_wrote_it(stage: Stage) -> None:
    grant = stage.grant()
    output_id = begin(stage)
    stage.say("revocation", grant.id)
    registry = stage.registry
    with pytest.raises(RefusedError):
        registry.mark_sealed(output_id, sha256="e" * 64, size=1, published_as="x.m4b")
    append(registry, kind="sealed", output_id=output_id, sha256="e" * 64, size=1)
    (problem,) = statement_of_use(registry, "anna").problems
    assert "had been revoked" in problem
    report = check_everything(registry)
    assert report.exit_code == 5
    assert any("had been revoked" in found for found in report.problems)


def test_a_statement_can_be_signed_and_says_which_log_it_is_from(stage: Stage) -> None:
    stage.grant(compensation=EURO_A_MINUTE)
    publish(stage)
    registry = stage.registry
    signed = signed_statement(registry, statement_of_use(registry, "anna"))
    document = read_json(write_json(signed), max_bytes=1 << 20, what="the statement")
    assert check_document(document, (FORMAT,)) == registry.did
    assert document["log"]["checkpoint"] == registry.log.checkpoint_note()
    document["amounts"]["EUR"] = "1.00"
    with pytest.raises(VerificationError, match="does not fit"):
        check_document(document, (FORMAT,))
    with pytest.raises(VerificationError, match="format"):
        check_document(signed, ("vivavoce-evidence/1",))


def test_nothing_is_made_from_a_log_that_was_changed(stage: Stage, home: Home) -> None:
    stage.grant()
    publish(stage)
    size = stage.registry.log.checkpoint().size
    entries = home.log / "tile" / "entries" / "000.p" / str(size)
    data = entries.read_bytes()
    assert b'"duration_ms":120000' in data
    entries.write_bytes(data.replace(b'"duration_ms":120000', b'"duration_ms":020000'))
    with pytest.raises(VerificationError, match="does not fit"):
        statement_of_use(stage.registry, "anna")
    assert check_everything(stage.registry).exit_code == 5


# -- Outputs and orphans --------------------------------------------------------------------


def test_all_outputs_under_a_grant_are_listed_drafts_and_abandoned_ones_too(stage: Stage) -> None:
    grant = stage.grant(performer_approval=True)
    draft = publish(stage, channel="review")
    approve(stage, grant.id)
    sealed, abandoned = publish(stage), begin(stage)
    stage.registry.abandon(abandoned, "a test")
    publish_stock(stage.registry)
    found = {entry.use.output_id: entry for entry in outputs_under(stage.registry, grant.id)}
    assert set(found) == {sealed, abandoned, draft}
    assert found[abandoned].use.state == "abandoned"
    assert found[draft].use.review
    assert not any(entry.problems for entry in found.values())
    with pytest.raises(RefusedError):
        outputs_under(stage.registry, "urn:uuid:none")


def claim(output_id: str, sha256: str = "e" * 64, **more: object) -> Claim:
    return Claim(f"{output_id or 'silent'}.m4b", output_id, sha256, **more)  # type: ignore[arg-type]


def test_files_and_receipts_are_held_against_each_other(stage: Stage) -> None:
    grant = stage.grant()
    registry = stage.registry
    sealed, pending = publish(stage), begin(stage)
    tag = registry.registry_tag
    ghost = f"{tag}ffffffff"
    other = f"{int(tag, 16) ^ 1:04x}00000000"
    report = orphans(
        registry,
        [
            claim(sealed),
            claim(sealed, "0" * 64),
            claim(pending),
            claim(ghost, grants=(grant.digest,)),
            claim(other),
            claim(""),
        ],
    )
    assert [finding.status for finding in report.files] == [
        KNOWN, CHANGED, NOT_SEALED, UNKNOWN, ELSEWHERE, SILENT,
    ]  # fmt: skip
    assert [output.output_id for output in report.pending] == [pending]
    problems = " ".join(report.problems)
    assert pending in problems
    assert ghost in problems
    assert f"claims the grant {grant.id}" in problems
    assert json.dumps(report.to_json())


def test_a_foreign_manifest_that_claims_a_revoked_grant_is_shown(
    stage: Stage, clock: FixedClock
) -> None:
    grant = stage.grant()
    stage.say("revocation", grant.id)
    elsewhere = f"{int(stage.registry.registry_tag, 16) ^ 1:04x}00000000"
    late = claim(elsewhere, grants=(grant.digest,), made_at=clock.now() + timedelta(minutes=1))
    early = claim(elsewhere, grants=(grant.digest,), made_at=clock.now() - timedelta(days=400))
    problems = orphans(stage.registry, [late, early]).problems
    assert any("had been revoked" in problem for problem in problems)
    assert any("was not valid" in problem for problem in problems)


# -- The log in words -----------------------------------------------------------------------


def test_every_kind_of_entry_has_words_and_can_be_looked_for(stage: Stage) -> None:
    grant = stage.grant()
    output_id = publish(stage)
    stage.say("revocation", grant.id)
    registry = stage.registry
    lines = list(log_listing(registry))
    assert [line.index for line in lines] == list(range(registry.log.checkpoint().size))
    kinds = {line.kind for line in lines}
    assert {"registry", "party", "party-key", "voice", "grant", "receipt", "sealed"} <= kinds
    assert all(line.words and "unknown" not in line.words for line in lines)
    about = list(log_listing(registry, Filter(about=output_id)))
    assert [line.kind for line in about] == ["receipt", "sealed"]
    ref = reference(registry, "grant", grant.id)
    about = list(log_listing(registry, Filter(about=ref[:12])))
    assert [line.kind for line in about] == ["grant", "statement"]
    only = list(log_listing(registry, Filter(kinds=("grant",), since=stage.now())))
    assert [line.kind for line in only] == ["grant"]
    assert list(log_listing(registry, Filter(until=stage.now()))) == []
    for wrong in ({"kinds": ("nonsense",)}, {"about": "abc"}):
        with pytest.raises(InputError):
            Filter(**wrong)  # type: ignore[arg-type]


def test_the_log_in_words_names_nobody(stage: Stage) -> None:
    grant = stage.grant()
    publish(stage)
    text = json.dumps([line.to_json() for line in log_listing(stage.registry)])
    for secret in (ANNA, stage.anna.id, stage.anna.did, grant.id, grant.digest, "Anna", "Chickens"):
        assert secret not in text, secret


def test_changes_of_policy_are_told_from_the_log(
    stage: Stage, home: Home, clock: FixedClock
) -> None:
    publish_stock(stage.registry)
    (home.policies / "mine.cedar").write_text(
        '@id("mine/never") @description("Nothing commercial.") @cure("Do not.")\n'
        "forbid (principal, action, resource) when { context.commercial };\n"
    )
    with Registry.open(home, clock=clock) as registry:
        publish_stock(registry)
        changes = policy_history(registry)
    assert len(changes) == 2
    assert len({change.digest for change in changes}) == 2
    assert [change.outputs for change in changes] == [1, 1]
    assert "mine/never" in changes[-1].rules


# -- The check of everything ----------------------------------------------------------------


def test_a_registry_in_order_has_no_problems_and_says_that_nobody_witnessed_it(
    stage: Stage,
) -> None:
    grant = stage.grant(compensation=EURO_A_MINUTE, performer_approval=True)
    publish(stage, channel="review")
    approve(stage, grant.id)
    publish(stage)
    publish_stock(stage.registry)
    stage.say("suspension", grant.id)
    report = check_everything(stage.registry)
    assert report.problems == []
    assert report.exit_code == 0
    witnesses = next(section for section in report.sections if section.name == "witnesses")
    assert "No outside witness" in witnesses.summary
    assert json.dumps(report.to_json())


def test_after_an_erasure_the_check_is_as_it_was(stage: Stage) -> None:
    stage.grant(compensation=EURO_A_MINUTE)
    output_id = publish(stage)
    stage.registry.erase_party(stage.anna.id, "the operator", "consent-withdrawn")
    assert check_everything(stage.registry).problems == []
    (account,) = statement_of_use(stage.registry, "studio").grants
    assert [line.use.output_id for line in account.lines] == [output_id]
    assert account.amount is None, "what was agreed was erased with the grant"


def test_an_edited_counter_is_found(stage: Stage, home: Home) -> None:
    grant = stage.grant()
    publish(stage)
    sql(home, "UPDATE grants SET used_ms = 0 WHERE id = ?", grant.id)
    report = check_everything(stage.registry)
    assert any(grant.id in problem for problem in report.problems)


@pytest.mark.sqlite_only
def test_a_log_that_was_rolled_back_is_found_by_what_is_remembered(
    stage: Stage, home: Home, tmp_path: Path, clock: FixedClock
) -> None:
    shutil.copytree(home.log, tmp_path / "old-log")
    stage.registry.close()
    shutil.copy(home.root / "registry.db", tmp_path / "old.db")
    with Registry.open(home, clock=clock) as registry:
        assert check_everything(registry).ok, "the state of the log is remembered"
        registry.create_party("person", "bert", "Bert")
        assert check_everything(registry).ok
    shutil.rmtree(home.log)
    shutil.copytree(tmp_path / "old-log", home.log)
    for leftover in home.root.glob("registry.db*"):
        leftover.unlink()
    shutil.copy(tmp_path / "old.db", home.root / "registry.db")
    with Registry.open(home, clock=clock) as registry:
        report = check_everything(registry)
    assert any("rolled back" in problem for problem in report.problems)


def test_two_logs_of_one_size_are_a_split_view(
    stage: Stage, home: Home, tmp_path: Path, clock: FixedClock
) -> None:
    shutil.copytree(home.log, tmp_path / "other")
    stage.registry.create_party("person", "bert", "Bert", with_key=False)
    assert check_everything(stage.registry).ok
    registry = stage.registry
    key = keys.load(home, "log", "ed25519")
    other = Log.open(tmp_path / "other", key, registry.log.verifier.name)
    other.append([b'{"kind":"party"}'])
    report = check_everything(registry, readers=[LogReader(other.folder, other.verifier)])
    assert any("split view" in problem or "extend" in problem for problem in report.problems)


# -- For an auditor -------------------------------------------------------------------------


def test_an_export_can_be_checked_without_the_home_and_names_nobody(
    stage: Stage, tmp_path: Path
) -> None:
    stage.grant()
    output_id = publish(stage)
    folder = tmp_path / "for-the-auditor"
    report = export_audit(stage.registry, folder)
    vkey = (folder / "log.vkey").read_text().strip()
    assert LogReader(folder / "log", Verifier.parse(vkey)).verify().size == report.entries
    assert output_id in (folder / "outputs.csv").read_text()
    assert len((folder / "entries.jsonl").read_text().splitlines()) == report.entries
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for secret in (ANNA, stage.anna.id, stage.anna.did, "Anna", "Chickens"):
                assert secret.encode() not in data, (path, secret)
    with pytest.raises(RefusedError, match="already"):
        export_audit(stage.registry, folder)


def test_the_auditor_reads_one_state_of_the_log(stage: Stage) -> None:
    stage.grant()
    auditor = Auditor(stage.registry)
    grants = auditor.grants()
    publish(stage)
    uses, unexplained = auditor.uses(grants)
    assert uses == []
    assert unexplained == []


def test_what_a_grant_paid_is_not_denied_once_its_document_was_erased(stage: Stage) -> None:
    stage.grant(compensation=EURO_A_MINUTE)
    publish(stage)
    stage.registry.erase_party("anna", "Dana Desk", "consent-withdrawn")
    statement = statement_of_use(stage.registry, "studio")
    (account,) = statement.grants
    assert account.amount is None
    assert account.to_json()["readable"] is False
    page = statement_html(statement)
    assert "no payment agreed" not in page
    assert "what it pays cannot be read any more" in page
