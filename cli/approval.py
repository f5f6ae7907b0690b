"""``vivavoce consent approve|retake|status``: the performer's word, and the word on grants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import say
from cli.signing import By, ExportToSign, Yes, confirm, settle
from consent.errors import InputError

if TYPE_CHECKING:
    from consent.home import Home

status_app = typer.Typer(
    help="Status lists: what programs elsewhere ask about grants.", no_args_is_help=True
)

Drafts = Annotated[
    list[str], typer.Argument(help="The drafts that were heard: files, or their output ids.")
]
Note = Annotated[str, typer.Option(help="A remark; it is part of what is signed.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    app.command("approve")(approve)
    app.command("retake")(retake)
    app.add_typer(status_app, name="status")


def approve(
    drafts: Drafts,
    note: Note = "",
    by: By = None,
    export: ExportToSign = None,
    yes: Yes = False,
) -> None:
    """Approve a work after hearing its drafts: where the grant asks for it, nothing is out before.

    Drafts are made with `narrate --channel review`; they spend no granted minutes.

    [bold]vivavoce consent approve draft.m4b[/bold]
    """
    from consent.home import Home
    from consent.proposals import propose_approval
    from consent.registry import Registry

    home = Home.open()
    with Registry.open(home) as registry:
        outputs = [_output_id(home, draft) for draft in drafts]
        waiting = propose_approval(registry, outputs, by=by, note=note)
        owner = registry.grant(waiting.payload["body"]["grant"]).owner
        if export is None:
            confirm(f"You approve the work of {len(outputs)} drafts for publication.", yes=yes)
        if settle(registry, waiting, by or owner, export=export):
            say("Approved. The same work can now be made for any channel the grant allows.")


def retake(
    drafts: Drafts,
    segments: Annotated[
        list[str],
        typer.Option("--segment", help='Place to speak again: "3.12", or "3.12: what is wrong".'),
    ],
    note: Note = "",
    by: By = None,
    export: ExportToSign = None,
) -> None:
    """Ask for places to be spoken again.

    [bold]vivavoce consent retake draft.m4b --segment "3.12: the name is Ukridge"[/bold]
    """
    from consent.home import Home
    from consent.proposals import propose_retake
    from consent.registry import Registry

    home = Home.open()
    places = {}
    for text in segments:
        place, _, why = text.partition(":")
        places[place.strip()] = why.strip()
    with Registry.open(home) as registry:
        outputs = [_output_id(home, draft) for draft in drafts]
        waiting = propose_retake(registry, outputs, places, by=by, note=note)
        owner = registry.grant(waiting.payload["body"]["grant"]).owner
        if settle(registry, waiting, by or owner, export=export):
            again = " ".join(f"--rerender {place}" for place in places)
            say(f"On record. The producer speaks them again with: narrate ... {again}")


@status_app.command("export")
def export_status(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it (.jwt).")],
    list_id: Annotated[
        str | None, typer.Option("--list", help="Id of the list, as grants name it.")
    ] = None,
    grant: Annotated[
        str | None, typer.Option(help="The list that tells of this grant, instead of --list.")
    ] = None,
    suspension: Annotated[
        bool, typer.Option("--suspension", help="With --grant: the list of suspensions.")
    ] = False,
) -> None:
    """Write a signed, dated status list, for others to follow or to use offline.

    [bold]vivavoce consent status export --grant GRANT -o status.jwt[/bold]
    """
    from consent.credentials.grant import suspension_list_id
    from consent.files import write_atomic
    from consent.home import Home
    from consent.registry import Registry

    if (list_id is None) == (grant is None):
        raise InputError("say which list", hint="Give --list ID or --grant GRANT.")
    with Registry.open(Home.open()) as registry:
        if list_id is None:
            list_id = registry.grant(grant or "").status_list
            list_id = suspension_list_id(list_id) if suspension else list_id
        write_atomic(output, registry.export_status_list(list_id).encode())
    say(f"Wrote {output}: {list_id}.")


@status_app.command("import")
def import_status(
    file: Annotated[Path, typer.Argument(help="A signed status list from a rights holder's side.")],
) -> None:
    """Take in somebody else's status list: their grants are then as fresh as its date.

    [bold]vivavoce consent status import status.jwt[/bold]
    """
    from consent.files import read_limited
    from consent.home import Home
    from consent.registry import Registry

    try:
        token = read_limited(file).decode("ascii").strip()
    except OSError as exc:
        raise InputError(f"cannot read {file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{file} is not a signed status list") from exc
    with Registry.open(Home.open()) as registry:
        change = registry.import_status_list(token)
    say(
        f"Taken in: the list {change.list_id} of {change.listed_at:%Y-%m-%d %H:%M} UTC speaks of "
        f"{change.grants} grants here; {change.changed} stand differently now."
    )


def _output_id(home: Home, draft: str) -> str:
    """Return the output id of a draft, given as a file or as the id itself."""
    from provenance.verify import verify

    if not Path(draft).is_file():
        return draft
    report = verify(Path(draft), home=home)
    consent = report.details.get("consent") or {}
    output = consent.get("output")
    if report.status != "trusted" or not isinstance(output, str):
        raise InputError(
            f"{draft} is not an unchanged file of this studio: {report.headline}",
            hint="Approve what you heard: the draft as it was made.",
        )
    return output
