"""``vivavoce verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import emit_json, fail, say
from consent.errors import InputError

if TYPE_CHECKING:
    from provenance.verify import Report


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command("verify")(verify)


def verify(
    files: Annotated[list[Path], typer.Argument(help="Audio files to read.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Say what a file's manifest and receipt prove, and what they do not.

    The exit code is that of the worst file: 0 trusted, 3 not readable, 10 untrusted signer,
    11 altered, 12 no manifest, 13 invalid manifest.

      [bold]vivavoce verify book.m4b[/bold]
    """
    from consent.home import Home
    from provenance.verify import verify as verify_file

    home = Home.open()
    if len(files) == 1:
        report = verify_file(files[0], home=home)
        if as_json:
            emit_json(report.to_json())
        else:
            _tell(report)
        raise typer.Exit(report.exit_code)
    codes: list[int] = []
    data: list[dict[str, Any]] = []
    for path in files:
        try:
            report = verify_file(path, home=home)
        except InputError as error:  # no reason to keep quiet about the others
            codes.append(error.exit_code)
            data.append(_unreadable(path, error))
            if not as_json:
                fail(error, as_json=False)
            continue
        codes.append(report.exit_code)
        data.append(report.to_json())
        if not as_json:
            _tell(report)
    if as_json:
        emit_json(data)
    raise typer.Exit(max(codes))


def _unreadable(path: Path, error: InputError) -> dict[str, Any]:
    return {
        "path": str(path),
        "status": "unreadable",
        "exit_code": error.exit_code,
        "headline": error.message,
    }


def _tell(report: Report) -> None:
    say(f"{report.path}: {report.status}", style="bold")
    for sentence in report.sentences:
        say(f"  {sentence}")
