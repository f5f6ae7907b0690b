"""``vivavoce consent``: whose voice it is, who may use it, and taking that back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import approval, granting
from cli.granting import GrantId, names_of, parties_of, registered_name
from cli.output import emit_json, say, table, warn
from cli.signing import By, ExportToSign, Yes, confirm, settle
from consent.errors import InputError

if TYPE_CHECKING:
    from consent.registry import GrantRecord, Registry

app = typer.Typer(
    help="Whose voice it is, who may use it for what, and taking that back.", no_args_is_help=True
)

granting.register(app)
approval.register(app)

Reason = Annotated[str, typer.Option(help="Why; it is part of what is signed.")]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command()
def voice(
    name: Annotated[str, typer.Argument(help="Voice, see `voices list`.")],
    owner: Annotated[str, typer.Option(help="Handle or id of the rights holder.")],
    alias: Annotated[str, typer.Option(help="What the owner calls it.")] = "",
) -> None:
    """Say whose voice it is. From then on it speaks by their grant or not at all.

    [bold]vivavoce consent voice coqui:narrator --owner alice[/bold]
    """
    from consent.home import Home
    from consent.registry import Registry
    from voice.engines import find_voice

    _, found = find_voice(name)
    with Registry.open(Home.open()) as registry:
        registered = registry.register_voice(found.qualified, owner, alias=alias)
    say(f"{registered.name} is the voice of {owner}. It needs a grant from now on.")


@app.command("import")
def import_document(
    file: Annotated[Path, typer.Argument(help="A signed grant or statement, or one to be signed.")],
    signature: Annotated[
        Path | None,
        typer.Option(help="Signature made elsewhere, for a document of --export-to-sign."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in a document signed elsewhere: a grant, a revocation, an approval, a new key.

    [bold]vivavoce consent import grant.jwt[/bold]
    [bold]vivavoce consent import grant.tosign --signature grant.signature[/bold]
    """
    from consent.credentials.jws import ToSign
    from consent.files import read_limited
    from consent.home import Home
    from consent.proposals import accept
    from consent.registry import GrantRecord, Registry

    try:
        if signature is not None:
            token = ToSign.from_file(file).attach(read_limited(signature))
        else:
            token = read_limited(file).decode("ascii").strip()
    except OSError as exc:
        raise InputError(f"cannot read {exc.filename or file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(
            f"{file} is not a signed document", hint="Give the file as it was exported."
        ) from exc
    with Registry.open(Home.open()) as registry:
        found = accept(registry, token)
        if isinstance(found, GrantRecord):
            if as_json:
                emit_json(_facts(registry, found))
            else:
                say(f"The grant {found.id} is on record.")
        elif as_json:
            emit_json({"id": found.id, "kind": found.kind, "subject": found.subject})
        else:
            say(f"The {found.kind} {found.id} is on record and counts.")


@app.command("list")
def list_grants(
    voice: Annotated[str | None, typer.Option("--voice", "-v", help="Of this voice.")] = None,
    owner: Annotated[str | None, typer.Option(help="Given by this party.")] = None,
    licensee: Annotated[str | None, typer.Option(help="Held by this party.")] = None,
    as_json: Json = False,
) -> None:
    """Show the grants on record, and how each stands now."""
    from consent.home import Home
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        found = registry.grants(
            voice=registered_name(registry, voice) if voice else None,
            owner=registry.party(owner).id if owner else None,
            licensee=registry.party(licensee).id if licensee else None,
        )
        if as_json:
            emit_json([_facts(registry, record) for record in found])
            return
        known = parties_of(registry, *(who for r in found for who in (r.owner, r.licensee)))
        names = {party.id: party.handle or party.id for party in known}
        table(
            ("grant", "voice", "from", "to", "until", "minutes left>", "now"),
            (
                (
                    record.id,
                    record.voice,
                    names.get(record.owner, record.owner),
                    names.get(record.licensee, record.licensee),
                    f"{record.valid_until:%Y-%m-%d}",
                    _left(record),
                    record.standing(registry.now()),
                )
                for record in found
            ),
        )


@app.command()
def show(
    grant_id: GrantId,
    token: Annotated[
        bool, typer.Option("--token", help="Print the signed credential itself (vc+jwt).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a grant: its terms, how it stands, what was used."""
    from consent.home import Home
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        record = registry.grant(grant_id)
        if token:
            say(_document(record).token)
            return
        if as_json:
            emit_json(_facts(registry, record))
            return
        say(f"{record.id}: {record.standing(registry.now())}")
        if record.grant is None:
            say(f"Its terms cannot be read: {record.problem}.")
            return
        for line in _words(registry, record):
            say(line)


@app.command()
def receipt(
    grant_id: GrantId,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")],
    locale: Annotated[
        str | None, typer.Option(help="Language; that of the grant if not given.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write the consent receipt: what was agreed, in plain words, for the person to keep.

    [bold]vivavoce consent receipt GRANT -o receipt.html[/bold]
    """
    from consent.credentials.receipt import consent_receipt_html
    from consent.files import write_atomic
    from consent.home import Home
    from consent.registry import Registry

    if output.exists() and not overwrite:
        raise InputError(f"{output} exists", hint="Choose another name or add --overwrite.")
    with Registry.open(Home.open()) as registry:
        record = registry.grant(grant_id)
        document = _document(record)
        names = {
            party.id: party.display_name
            for party in (registry.party(record.owner), registry.party(record.licensee))
        }
        html = consent_receipt_html(
            document,
            status=record.standing(registry.now()),
            parties=names,
            locale=locale,
            made_at=registry.now(),
            status_since=record.status_since,
            superseded_by=record.superseded_by,
            used_ms=record.used_ms,
            contact=registry.home.setting("seal", "publisher") or "",
            leaf_index=record.leaf_index,
        )
    write_atomic(output, html.encode())
    say(f"Wrote {output}. Open it in a browser, or print it to PDF.")


@app.command()
def revoke(
    grant_id: GrantId,
    reason: Reason = "",
    by: By = None,
    export: ExportToSign = None,
    yes: Yes = False,
) -> None:
    """Take a grant back, at once and for good. Running work stops within a second.

    [bold]vivavoce consent revoke GRANT --reason "changed my mind"[/bold]
    """
    _say_about("revocation", grant_id, {"reason": reason}, by, export=export, yes=yes)


@app.command()
def suspend(
    grant_id: GrantId,
    reason: Reason = "",
    by: By = None,
    export: ExportToSign = None,
    yes: Yes = False,
) -> None:
    """Let a grant rest until it is reinstated."""
    _say_about("suspension", grant_id, {"reason": reason}, by, export=export, yes=yes)


@app.command()
def reinstate(
    grant_id: GrantId,
    reason: Reason = "",
    by: By = None,
    export: ExportToSign = None,
    yes: Yes = False,
) -> None:
    """Let a suspended grant hold again."""
    _say_about("reinstatement", grant_id, {"reason": reason}, by, export=export, yes=yes)


def _say_about(
    kind: str,
    grant_id: str,
    body: dict[str, Any],
    by: str | None,
    *,
    export: Path | None,
    yes: bool,
) -> None:
    from consent.home import Home
    from consent.proposals import propose_statement
    from consent.registry import Registry

    with Registry.open(Home.open()) as registry:
        record = registry.grant(grant_id)
        signer = by or record.owner
        waiting = propose_statement(registry, kind, by=signer, subject=record.id, body=body)
        if export is None:
            confirm(f"{kind} of the grant {record.id} for the voice {record.voice}", yes=yes)
        if settle(registry, waiting, signer, export=export):
            now = registry.grant(record.id)
            say(f"The grant {record.id} is {now.standing(registry.now())}.")
            heir = _heir(registry, now)
            if heir is not None:
                warn(
                    f"The grant {heir.id}, which took its place, is not touched by this: it is "
                    f"{heir.standing(registry.now())}. To say it of that one too, name it."
                )


def _heir(registry: Registry, record: GrantRecord) -> GrantRecord | None:
    """Return the last of the grants that took this one's place, one after the other."""
    heir = None
    seen = {record.id}
    while record.superseded_by and record.superseded_by not in seen:
        heir = record = registry.grant(record.superseded_by)
        seen.add(record.id)
    return heir


def _document(record: GrantRecord) -> Any:
    if record.grant is None:
        raise InputError(
            f"the grant {record.id} cannot be read: {record.problem}",
            hint="Restore a backup, or import the document again.",
        )
    return record.grant


def _left(record: GrantRecord) -> str:
    return "no limit" if record.left_ms is None else f"{record.left_ms / 60_000:,.1f}"


def _words(registry: Registry, record: GrantRecord) -> list[str]:
    from consent.credentials.receipt import plain_sentences

    terms = _document(record).terms
    used = f"Used: {record.used_ms / 60_000:,.1f} minutes; left: {_left(record)}."
    names = names_of(registry, record.owner, record.licensee)
    return [*plain_sentences(terms, names), used]


def _facts(registry: Registry, record: GrantRecord) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": record.id,
        "digest": record.digest,
        "voice": record.voice,
        "owner": record.owner,
        "licensee": record.licensee,
        "standing": record.standing(registry.now()),
        "status": record.status,
        "status_since": record.status_since,
        "superseded_by": record.superseded_by or None,
        "used_minutes": record.used_ms / 60_000,
        "left_minutes": None if record.left_ms is None else record.left_ms / 60_000,
        "problem": record.problem,
    }
    if record.grant is not None:
        facts["terms"] = record.grant.terms.to_json()
    return facts
