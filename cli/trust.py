"""``vivavoce trust``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import emit_json, say, table

app = typer.Typer(help="Whose signatures this machine believes.", no_args_is_help=True)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write the bundle (.toml).")],
) -> None:
    """Write this registry's certificate and log key for others to add.

    [bold]vivavoce trust export our-studio.toml[/bold]
    """
    from consent.home import Home
    from provenance.manifest.trust import trust_export

    trust_export(Home.open(), file)
    say(f"Wrote {file}. It holds public keys only. Send it by a way the other side trusts.")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A bundle from `trust export`, or a PEM file.")],
    name: Annotated[
        str | None, typer.Option(help="What to call it here; the bundle's name if not given.")
    ] = None,
) -> None:
    """Believe what this signer signs.

    [bold]vivavoce trust add our-studio.toml --name our-studio[/bold]
    """
    from consent.home import Home
    from provenance.manifest.trust import trust_add

    entry = trust_add(Home.open(), file, name=name)
    say(f"Added {entry.name}: {entry.subject}, sha256 {entry.fingerprint}")


@app.command("list")
def list_trust(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show the signers this machine believes."""
    from consent.home import Home
    from provenance.manifest.trust import trust_list

    entries = trust_list(Home.open())
    if as_json:
        emit_json([entry.to_json() for entry in entries])
        return
    table(
        ("name", "subject", "valid until", "sha256"),
        ((e.name, e.subject, e.not_after, e.fingerprint) for e in entries),
    )


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Name as shown by `trust list`.")]) -> None:
    """Stop believing a signer."""
    from consent.home import Home
    from provenance.manifest.trust import trust_remove

    trust_remove(Home.open(), name)
    say(f"Removed {name}.")
