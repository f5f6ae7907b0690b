"""``vivavoce consent grant|amend``: the terms of a yes, shown, signed and taken in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import grant_options as options
from cli.asking import asked
from cli.output import say
from cli.signing import By, ExportToSign, Yes, confirm, settle
from consent.errors import InputError

if TYPE_CHECKING:
    from consent.registry import Party, Registry

GrantId = Annotated[str, typer.Argument(help="Id of the grant, see `consent list`.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    app.command("grant")(grant)
    app.command("amend")(amend)


def grant(
    ctx: typer.Context,
    voice: Annotated[
        str | None, typer.Option("--voice", "-v", help="Registered voice; asked for.")
    ] = None,
    licensee: Annotated[str | None, typer.Option(help="Party who may use it; asked for.")] = None,
    purposes: options.Purposes = None,
    languages: options.Languages = None,
    territories: options.Territories = None,
    valid_until: options.Until = None,
    valid_from: options.From = None,
    minutes: options.Minutes = None,
    commercial: options.Commercial = None,
    works: options.Works = None,
    exclusions: options.Exclusions = None,
    channels: options.Channels = None,
    permissions: options.Permissions = None,
    approval: options.Approval = None,
    audible: options.Audible = None,
    disclosure_text: options.DisclosureText = None,
    rate: options.Rate = None,
    credit: options.Credit = None,
    status_hours: options.StatusHours = None,
    locale: options.Locale = None,
    by: By = None,
    export: ExportToSign = None,
    yes: Yes = False,
) -> None:
    """Let somebody use a voice: who, for what, how long, where. Signed by the rights holder.

    Asks for what is not given. What is not said is not allowed.

    [bold]vivavoce consent grant --voice coqui:narrator --licensee studio --purpose audiobook[/bold]
    [bold]  --language en --territory world --until 2027-12-31 --minutes 600 --commercial[/bold]
    """
    from consent.home import Home
    from consent.proposals import propose_grant
    from consent.registry import Registry

    terms = options.terms_from(ctx.params)
    voice = asked(voice, "--voice", "Voice")
    licensee = asked(licensee, "--licensee", "Licensee")
    terms = options.ask_missing(terms)
    with Registry.open(Home.open()) as registry:
        voice = registered_name(registry, voice)
        terms.setdefault("valid_from", registry.now())
        waiting = propose_grant(registry, voice=voice, licensee=licensee, by=by, **terms)
        signer = by or _owner(registry, voice)
        _sign(registry, waiting, signer, export=export, yes=yes)


def amend(
    ctx: typer.Context,
    grant_id: GrantId,
    purposes: options.Purposes = None,
    languages: options.Languages = None,
    territories: options.Territories = None,
    valid_until: options.Until = None,
    valid_from: options.From = None,
    minutes: options.Minutes = None,
    commercial: options.Commercial = None,
    works: options.Works = None,
    exclusions: options.Exclusions = None,
    channels: options.Channels = None,
    permissions: options.Permissions = None,
    approval: options.Approval = None,
    audible: options.Audible = None,
    disclosure_text: options.DisclosureText = None,
    rate: options.Rate = None,
    credit: options.Credit = None,
    status_hours: options.StatusHours = None,
    locale: options.Locale = None,
    by: By = None,
    export: ExportToSign = None,
    yes: Yes = False,
) -> None:
    """Change or renew a grant: a new one takes its place. What is not given stays as it is.

    Minutes are counted anew from the new grant's own.

    [bold]vivavoce consent amend GRANT --until 2028-12-31 --minutes 900[/bold]
    """
    from consent.home import Home
    from consent.proposals import propose_amendment
    from consent.registry import Registry

    changes = options.terms_from(ctx.params)
    if not changes:
        raise InputError("nothing is to be changed", hint="Give what becomes different.")
    with Registry.open(Home.open()) as registry:
        record = registry.grant(grant_id)
        changes.setdefault("valid_from", registry.now())
        waiting = propose_amendment(registry, record.id, by=by, **changes)
        _sign(registry, waiting, by or record.owner, export=export, yes=yes)


def _sign(registry: Registry, waiting: Any, signer: str, *, export: Path | None, yes: bool) -> None:
    """Show what is to be signed, have it signed, and take it in."""
    from consent.credentials.summary import summary

    subject = waiting.payload["credentialSubject"]
    for line in summary(waiting.payload, names_of(registry, subject["owner"], subject["licensee"])):
        say(line)
    if export is None:
        confirm("This will be signed.", yes=yes)
    record = settle(registry, waiting, signer, export=export)
    if record is not None:
        say(f"The grant {record.id} is signed and on record.")


def _owner(registry: Registry, voice: str) -> str:
    registered = registry.registered_voice(voice)
    assert registered is not None  # the proposal has looked
    return registered.owner


def registered_name(registry: Registry, name: str) -> str:
    """Return the qualified name of a registered voice that was named without its engine."""
    if ":" in name:
        return name
    known = [v.name for v in registry.registered_voices() if v.name.partition(":")[2] == name]
    return known[0] if len(known) == 1 else name


def names_of(registry: Registry, *parties: str) -> dict[str, str]:
    """Return what parties are called, by their ids."""
    return {party.id: party.display_name for party in parties_of(registry, *parties)}


def parties_of(registry: Registry, *ids: str) -> list[Party]:
    """Return parties by their ids, each once."""
    # One by one: reading all there are takes seconds where there are thousands.
    return [registry.party(party_id) for party_id in dict.fromkeys(ids)]
