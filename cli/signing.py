"""Getting documents signed: here, or on the machine where the key is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import note, say
from consent.errors import InputError, RefusedError

if TYPE_CHECKING:
    from consent.credentials.jws import ToSign
    from consent.credentials.statement import Statement
    from consent.registry import GrantRecord, Registry

By = Annotated[
    str | None,
    typer.Option(help="Party that signs, if it is somebody with a mandate."),
]
ExportToSign = Annotated[
    Path | None,
    typer.Option(
        "--export-to-sign",
        help="Write the document here, to be signed where the key is, instead of signing it now.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]


def settle(
    registry: Registry, waiting: ToSign, party: str, *, export: Path | None
) -> GrantRecord | Statement | None:
    """Sign `waiting` here and take it in, or write it to `export`; None if it was written."""
    from consent.proposals import accept, sign_here

    if export is not None:
        if export.exists():
            raise InputError(f"{export} exists", hint="Choose another name.")
        waiting.to_file(export)
        say(f"Wrote {export}. Sign it where the key of {party} is:")
        say(f"  vivavoce keys sign {export} -o {export.stem}.signature")
        say("and bring the signature back:")
        say(f"  vivavoce consent import {export} --signature {export.stem}.signature")
        return None
    return accept(registry, sign_here(registry, waiting, party))


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person to confirm; without a terminal, `yes` must be given.

    Raises
    ------
    InputError
        There is nobody to ask.
    RefusedError
        The answer is no.
    """
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(
            "this needs a person's yes, and there is no terminal to ask at",
            hint="Look at it, then add --yes.",
        )
    note(question)
    if not typer.confirm("Go on?", default=False, err=True):
        raise RefusedError("not confirmed; nothing was changed")
