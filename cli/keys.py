"""``vivavoce keys``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.output import emit_json, say, table
from consent.errors import InputError
from consent.files import read_limited

app = typer.Typer(help="The registry's own keys: list, back up, restore.", no_args_is_help=True)

PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="Read the passphrase from the first line of this file instead of asking."),
]


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    if file is not None:
        try:
            lines = read_limited(file).decode("utf-8").splitlines()
        except OSError as exc:
            raise InputError(f"cannot read the passphrase file {file}: {exc.strerror}") from exc
        except UnicodeDecodeError as exc:
            raise InputError(f"the passphrase file {file} is not UTF-8 text") from exc
        text = lines[0] if lines else ""
    elif "VIVAVOCE_PASSPHRASE" in os.environ:
        text = os.environ["VIVAVOCE_PASSPHRASE"]
    else:
        text = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm)
    if not text:
        raise InputError("the passphrase is empty", hint="Give one of at least a few words.")
    return text


@app.command("list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show the keys of this home: names, kinds and public parts. Private parts are never shown."""
    from consent.home import Home
    from consent.keys import list_keys as keys_of

    rows = keys_of(Home.open())
    if as_json:
        emit_json([row.to_json() for row in rows])
        return
    table(("key", "kind", "public"), ((row.name, row.kind, row.public) for row in rows))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the encrypted backup.")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Write keys, log, registry and trust into one encrypted file.

    [bold]vivavoce keys backup vivavoce-keys.backup[/bold]
    """
    from consent.backup import backup as write_backup
    from consent.home import Home

    report = write_backup(Home.open(), file, _passphrase(passphrase_file, confirm=True))
    say(f"Wrote {len(report.files)} files into {file}.")
    say("Without its passphrase it is of no use to anyone, you included.")
    if not report.registry:
        say("The registry is on a database server and is not in it: back that up there.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup made by `keys backup`.")],
    passphrase_file: PassphraseFile = None,
    force: Annotated[bool, typer.Option(help="Put aside what is there now.")] = False,
) -> None:
    """Bring back a lost home, or move it to a new machine.

    [bold]vivavoce keys restore vivavoce-keys.backup[/bold]
    """
    from consent.backup import restore as read_backup
    from consent.home import Home

    home = Home.open()
    report = read_backup(home, file, _passphrase(passphrase_file, confirm=False), force=force)
    say(f"Restored {len(report.files)} files into {home.root}.")
    if report.replaced is not None:
        say(f"What was there before is in {report.replaced}.")
