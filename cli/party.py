"""``vivavoce party``: who is who, their keys, and who may act for whom."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.asking import asked
from cli.output import emit_json, say, table
from cli.signing import By, ExportToSign, Yes, confirm, settle
from consent.errors import InputError, RefusedError

if TYPE_CHECKING:
    from consent.registry import Party, Registry

app = typer.Typer(
    help="People and organisations: their keys, and who may act for whom.", no_args_is_help=True
)


class Kind(StrEnum):
    """What a party is."""

    PERSON = "person"
    ORGANISATION = "organisation"


class MandateKind(StrEnum):
    """Why somebody may act for somebody else."""

    AGENT = "agent"
    GUARDIAN = "guardian"
    ESTATE = "estate"


Who = Annotated[str, typer.Argument(help="Handle or id, see `party list`.")]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command()
def add(
    handle: Annotated[str, typer.Argument(help="Short name to type: lower-case letters, digits.")],
    name: Annotated[
        str | None, typer.Option(help="Name as it is shown to people; asked for if not given.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="person or organisation.")] = Kind.PERSON,
    did: Annotated[
        str | None,
        typer.Option(help="The party's did:key, if the key is kept elsewhere; else one is made."),
    ] = None,
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Somebody who signs nothing: a child, a dead person.")
    ] = False,
    legal_name: Annotated[str, typer.Option(help="Name in contracts.")] = "",
    contact: Annotated[str, typer.Option(help="How to reach them.")] = "",
    country: Annotated[str, typer.Option(help="ISO 3166 code, e.g. DE.")] = "",
    birth_date: Annotated[str | None, typer.Option(help="YYYY-MM-DD; needed for a minor.")] = None,
    as_json: Json = False,
) -> None:
    """Put a person or an organisation on record.

    Who they are is kept encrypted under a key of their own, and can be erased.

    [bold]vivavoce party add alice --name "Alice Example"[/bold]
    [bold]vivavoce party add studio --name "Studio Ltd" --kind organisation[/bold]
    """
    from consent.home import Home
    from consent.registry import Registry

    if did is not None and no_key:
        raise InputError("--did names a key and --no-key says there is none", hint="Give one.")
    name = asked(name, "--name", "Name")
    with Registry.open(Home.open()) as registry:
        party = registry.create_party(
            kind.value,
            handle,
            name,
            legal_name=legal_name,
            contact=contact,
            country=country,
            birth_date=day(birth_date) if birth_date else None,
            did=did,
            with_key=not no_key,
        )
    if as_json:
        emit_json(_facts(party))
        return
    say(f"{party.handle} is {party.id}.")
    if party.did:
        where = "here; back it up: vivavoce keys backup FILE" if did is None else "elsewhere"
        say(f"Key {party.did}, kept {where}.")


@app.command("list")
def list_parties(as_json: Json = False) -> None:
    """Show who is on record here."""
    from consent.home import Home
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        found = registry.parties()
    if as_json:
        emit_json([_facts(party) for party in found])
        return
    table(
        ("handle", "name", "kind", "state", "id"),
        ((p.handle or "-", p.display_name or "-", p.kind, p.state, p.id) for p in found),
    )


@app.command()
def show(party: Who, as_json: Json = False) -> None:
    """Show a party: its keys and their history, mandates, voices and grants."""
    from consent.home import Home
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        found = registry.party(party)
        mandates = registry.mandates(found.id)
        voices = [v.name for v in registry.registered_voices() if v.owner == found.id]
        given = registry.grants(owner=found.id)
        held = registry.grants(licensee=found.id)
    if as_json:
        emit_json(
            _facts(found)
            | {"mandates": [m.id for m in mandates], "voices": voices}
            | {"grants_given": [g.id for g in given], "grants_held": [g.id for g in held]}
        )
        return
    say(f"{found.handle}: {found.display_name} ({found.kind}, {found.state}), {found.id}")
    for title, value in (
        ("legal name", found.legal_name),
        ("contact", found.contact),
        ("country", found.country),
        ("born", found.birth_date),
    ):
        if value:
            say(f"{title}: {value}")
    table(
        ("key", "state", "held", "since", "until"),
        (
            (k.did, k.state, k.held, f"{k.valid_from:%Y-%m-%d}", _day(k.valid_until))
            for k in found.keys
        ),
    )
    for mandate in mandates:
        say(
            f"mandate {mandate.id}: {mandate.representative} acts as {mandate.kind} "
            f"({', '.join(mandate.scope)}), until {_day(mandate.valid_until) or 'it is ended'}"
        )
    if voices:
        say(f"voices: {', '.join(voices)}")
    say(f"grants given: {len(given)}, held: {len(held)}; see `consent list`")


@app.command()
def rotate(
    party: Who,
    did: Annotated[
        str | None, typer.Option(help="The new did:key, if it is kept elsewhere; else one is made.")
    ] = None,
    export: ExportToSign = None,
) -> None:
    """Change a party's key; the old one signs that. What it signed before stays good.

    [bold]vivavoce party rotate alice[/bold]
    """
    from consent.home import Home
    from consent.proposals import propose_statement
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        found = registry.party(party)
        if export is None:
            if did is None:
                _not_taken_over(found)
            registry.rotate_key(found.id, did=did)
            say(f"The key of {found.handle} is now {registry.party(found.id).did}.")
            return
        if did is None:
            _not_taken_over(found)
        body = {"old_did": found.did, "new_did": did or registry.prepare_key(found.id)}
        waiting = propose_statement(registry, "rotation", by=found.id, subject=found.id, body=body)
        settle(registry, waiting, found.id, export=export)


def _not_taken_over(party: Party) -> None:
    """Refuse to make the new key here where the party keeps its key in its own hands."""
    if any(key.did == party.did and key.held == "elsewhere" for key in party.keys):
        raise RefusedError(
            f"the key of {party.handle} is kept elsewhere; a new one made here would let this "
            "registry sign for them",
            hint="Have one made where the old one is (vivavoce keys new NAME), and give its "
            "did:key with --did, and --export-to-sign FILE.",
        )


@app.command("replace-key")
def replace_key(
    party: Who,
    reason: Annotated[str, typer.Option(help="How the key was lost; it goes on record.")],
    did: Annotated[
        str | None, typer.Option(help="The new did:key, if it is kept elsewhere; else one is made.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Since when the old one may be in other hands; now.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Give a party a new key on your word, because the old one is lost and cannot sign.

    Make sure that it is they who ask: the log will say that you decided it.

    [bold]vivavoce party replace-key alice --reason "laptop stolen" --since 2026-11-20[/bold]
    """
    from consent.home import Home
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        found = registry.party(party)
        confirm(f"{found.handle} gets a new key on your word; the old one will not count.", yes=yes)
        changed = registry.replace_key(
            found.id, reason, did=did, since=moment(since) if since else None
        )
    say(f"The key of {changed.handle} is now {changed.did}.")


@app.command()
def compromised(
    party: Who,
    since: Annotated[str, typer.Option(help="When the key got lost: YYYY-MM-DD or a time.")],
    key: Annotated[
        str | None, typer.Option(help="The did:key; the party's newest if not given.")
    ] = None,
    new: Annotated[
        str | None, typer.Option(help="The did:key that takes its place, if there is one.")
    ] = None,
    by: By = None,
    export: ExportToSign = None,
    yes: Yes = False,
) -> None:
    """Say that a key is in the wrong hands. What came in before stays good, nothing after.

    [bold]vivavoce party compromised alice --since 2026-11-20[/bold]
    """
    from consent.home import Home
    from consent.proposals import propose_statement
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        found = registry.party(party)
        lost = key or found.did
        body: dict[str, Any] = {"since": moment(since)}
        if new:
            body["new_did"] = new
        confirm(f"From {since} on, nothing signed with {lost} will count.", yes=yes)
        signer = by or found.id
        waiting = propose_statement(registry, "compromise", by=signer, subject=lost, body=body)
        if settle(registry, waiting, signer, export=export):
            say(f"{lost} does not count from {since} on.")


@app.command()
def mandate(
    principal: Annotated[str, typer.Argument(help="For whom somebody acts.")],
    representative: Annotated[str, typer.Argument(help="Who acts for them.")],
    kind: Annotated[MandateKind, typer.Option(help="agent, guardian or estate.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="grant, revoke, approve; all three if not given.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Until when: YYYY-MM-DD.")] = None,
    proof: Annotated[
        Path | None,
        typer.Option(help="Document it rests on: kept encrypted, its commitment is signed."),
    ] = None,
    export: ExportToSign = None,
) -> None:
    """Let somebody act for somebody else: an agent, a guardian, an estate.

    An agent is named by whom they act for. A guardian or an estate is recorded by you, who have
    seen the document that proves it.

    [bold]vivavoce party mandate alice agency --kind agent --until 2027-12-31[/bold]
    [bold]vivavoce party mandate kim parent --kind guardian --proof order.pdf[/bold]
    """
    from consent.home import Home
    from consent.proposals import propose_statement
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        whom, who = registry.party(principal), registry.party(representative)
        scopes = tuple(scope or ("grant", "revoke", "approve"))
        end = moment(until) if until else None
        if kind is not MandateKind.AGENT:
            if proof is None:
                raise InputError(
                    f"a mandate of the kind {kind.value} rests on a document",
                    hint="Give it with --proof FILE: court order, certificate, will.",
                )
            registry.record_mandate(
                kind.value,
                whom.id,
                who.id,
                scope=scopes,
                valid_until=end,
                proof=_kept(registry, whom, proof),
            )
        else:
            body: dict[str, Any] = {
                "kind": kind.value,
                "representative": who.id,
                "representative_did": who.did,
                "scope": scopes,
                "valid_from": registry.now(),
                "valid_until": end,
                "proof": "" if proof is None else _kept(registry, whom, proof),
            }
            waiting = propose_statement(registry, "mandate", by=whom.id, subject=whom.id, body=body)
            if settle(registry, waiting, whom.id, export=export) is None:
                return
        say(f"{who.handle} may act for {whom.handle} as {kind.value}: {', '.join(scopes)}.")


@app.command("mandate-end")
def mandate_end(
    mandate_id: Annotated[str, typer.Argument(help="Id of the mandate, see `party show`.")],
    by: Annotated[str, typer.Option(help="Party that ends it: either side.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    export: ExportToSign = None,
) -> None:
    """End a mandate."""
    from consent.home import Home
    from consent.proposals import propose_statement
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        waiting = propose_statement(
            registry, "revocation", by=by, subject=mandate_id, body={"reason": reason}
        )
        if settle(registry, waiting, by, export=export):
            say(f"The mandate {mandate_id} has ended.")


@app.command()
def erase(
    party: Who,
    by: Annotated[str, typer.Option(help="Who orders it: the person, or your data officer.")],
    reason: Annotated[
        str,
        typer.Option(
            help="no-longer-needed, consent-withdrawn, objection, unlawful, legal-obligation or "
            "collected-from-a-child (GDPR Art. 17(1))."
        ),
    ],
    yes: Yes = False,
) -> None:
    """Erase a person: their key is destroyed, and with it all that was sealed under it.

    Their grants end. The log and every proof in it stay valid; they never held a name.

    [bold]vivavoce party erase alice --by alice --reason consent-withdrawn[/bold]
    """
    from consent.home import Home
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        found = registry.party(party)
        confirm(
            f"{found.handle} ({found.display_name}) will be erased for ever: profile, recordings, "
            "grants. This cannot be undone.",
            yes=yes,
        )
        registry.erase_party(found.id, by=by, reason=reason)
    say(f"{found.id} is erased. Backups made earlier hold it until they are destroyed.")


@app.command()
def export(
    party: Who,
    output: Annotated[Path, typer.Option("--output", "-o", help="ZIP file to write.")],
) -> None:
    """Write everything held about a person into one file (GDPR Art. 15 and 20).

    [bold]vivavoce party export alice -o alice.zip[/bold]
    """
    from consent.home import Home
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        registry.export_party(party, output)
    say(f"Wrote {output}. It is not encrypted: hand it to the person and to nobody else.")


def _kept(registry: Registry, whom: Party, document: Path) -> str:
    """Keep a document in the vault, and return the commitment to it."""
    try:
        with document.open("rb") as stream:
            kept = registry.store_object(
                whom.id,
                stream,
                kind="proof",
                media_type="application/octet-stream",
                name=document.name,
            )
    except OSError as exc:
        raise InputError(f"cannot read {document}: {exc.strerror}") from exc
    return kept.commitment


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def day(text: str) -> date:
    """Read a date.

    Raises
    ------
    InputError
        It is none.
    """
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # the 30th of February
    raise InputError(f"{text[:40]!r} is not a date", hint="Write YYYY-MM-DD.")


def moment(text: str) -> datetime:
    """Read a date (its first moment in UTC) or a time; a time without zone is UTC.

    Raises
    ------
    InputError
        It is neither.
    """
    try:
        # Python reads weeks as well: 2027-W01 is a slip of the finger, not the 4th of January.
        found = datetime.fromisoformat(text) if _DAY.match(text) else None
    except ValueError:
        found = None
    if found is None:
        raise InputError(
            f"{text[:40]!r} is neither a date nor a time",
            hint="Write 2027-12-31 or 2027-12-31T18:00:00+01:00.",
        )
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _day(value: datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d}"


def _facts(party: Party) -> dict[str, Any]:
    return {
        "id": party.id,
        "kind": party.kind,
        "state": party.state,
        "handle": party.handle,
        "name": party.display_name,
        "legal_name": party.legal_name,
        "contact": party.contact,
        "country": party.country,
        "birth_date": None if party.birth_date is None else party.birth_date.isoformat(),
        "did": party.did,
        "keys": [
            {"did": key.did, "state": key.state, "held": key.held, "since": key.valid_from}
            for key in party.keys
        ],
    }
