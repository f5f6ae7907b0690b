"""``vivavoce doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import emit_json, shown, stdout


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command("doctor")(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Look at this installation: home, keys, log, engines, weights, speed; say what to mend.

    Exit code 0 if everything needed works, 6 if something is broken.
    """
    from consent.home import Home
    from voice.doctor import examine

    findings = examine(Home.open())
    if as_json:
        emit_json([finding.to_json() for finding in findings])
    else:
        marks = {"ok": "[green]ok  [/green]", "note": "[cyan]note[/cyan]", "bad": "[red]BAD [/red]"}
        for finding in findings:
            stdout.print(f"{marks[finding.level]} {shown(finding.what)}: {shown(finding.detail)}")
            if finding.hint:
                stdout.print(f"     {shown(finding.hint)}")
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(6)
