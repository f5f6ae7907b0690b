"""``vivavoce verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import emit_json, say


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command("verify")(verify)


def verify(
    files: Annotated[list[Path], typer.Argument(help="Audio files to read.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Say what a file's manifest and receipt prove, and what they do not.

    The exit code is that of the worst file: 0 trusted, 10 untrusted signer, 11 altered,
    12 no manifest, 13 invalid manifest.

      [bold]vivavoce verify book.m4b[/bold]
    """
    from consent.home import Home
    from provenance.verify import verify as verify_file

    home = Home.open()
    reports = [verify_file(path, home=home) for path in files]
    if as_json:
        data = [report.to_json() for report in reports]
        emit_json(data[0] if len(data) == 1 else data)
    else:
        for path, report in zip(files, reports, strict=True):
            say(f"{path}: {report.status}", style="bold")
            for sentence in report.sentences:
                say(f"  {sentence}")
    raise typer.Exit(max(report.exit_code for report in reports))
