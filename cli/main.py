"""The ``vivavoce`` command: every verb is a few lines over a library function."""

from __future__ import annotations

import importlib.metadata
import io
import os
import signal
import sys
from typing import Annotated

import typer

from cli import (
    audit,
    consent,
    doctor,
    keys,
    models,
    narrate,
    party,
    policy,
    trust,
    verify,
    voices,
    watermark,
)
from cli.asking import ask
from cli.output import fail, note, shown, stderr
from consent.errors import VivavoceError
from consent.passphrase import ask_with

STOPPED = 130
GO_ON = "stopped; run the same command again to go on where it ended"

app = typer.Typer(
    name="vivavoce",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes and all options: docs/cli.md",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"vivavoce {importlib.metadata.version('vivavoce')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Synthetic speech that can answer for itself.

    Narrates books with licensed voices and signs every file it makes.

      [bold]vivavoce narrate book.epub --voice af_heart -o book.m4b[/bold]
      [bold]vivavoce verify book.m4b[/bold]
    """
    ask_with(ask)


narrate.register(app)
verify.register(app)
doctor.register(app)
app.add_typer(voices.app, name="voices")
app.add_typer(party.app, name="party")
app.add_typer(consent.app, name="consent")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(trust.app, name="trust")
app.add_typer(audit.app, name="audit")
app.add_typer(policy.app, name="policy")
app.add_typer(watermark.app, name="watermark")


def main() -> None:
    """Run the command line and end with a documented exit code, never with a traceback."""
    as_json = "--json" in sys.argv[1:]
    signal.signal(signal.SIGTERM, _on_terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8
    try:
        code = app(standalone_mode=False)
        if code == STOPPED:  # what Typer makes of a KeyboardInterrupt
            note(f"\n{GO_ON}")
        sys.exit(code if isinstance(code, int) else 0)
    except VivavoceError as error:
        fail(error, as_json=as_json)
        sys.exit(error.exit_code)
    except typer.Abort:
        note(GO_ON)
        sys.exit(STOPPED)
    except typer.TyperException as error:
        show = getattr(error, "show", None)
        show() if show is not None else note(str(error))
        sys.exit(getattr(error, "exit_code", 2))
    except KeyboardInterrupt:
        note(f"\n{GO_ON}")
        sys.exit(STOPPED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("VIVAVOCE_DEBUG"):
            raise
        what = f"{type(error).__name__}: {error}"
        stderr.print(f"[bold red]internal error:[/bold red] {shown(what)}")
        note("  A fault of vivavoce: please report what it says with VIVAVOCE_DEBUG=1 set.")
        sys.exit(1)


def _on_terminate(_signum: int, _frame: object) -> None:
    # Same way out as Ctrl-C: workers end, the lease and the cache stay for the next run.
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
