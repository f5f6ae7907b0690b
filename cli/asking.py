"""Asking for passphrases, where there is somebody to ask."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from consent.errors import InputError
from consent.files import read_limited

PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="Read the passphrase from the first line of this file instead of asking."),
]

_VARIABLE = "VIVAVOCE_PASSPHRASE"


def ask(question: str, *, confirm: bool = False) -> str:
    """Ask a person at the terminal for a passphrase, unseen.

    Raises
    ------
    InputError
        There is no terminal.
    """
    if not _terminal():
        raise InputError(
            f"{question}: there is no terminal to ask at",
            hint=f"Set {_VARIABLE}, or give the passphrase in a file (--passphrase-file) "
            "where the command takes one.",
        )
    answer: str = typer.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


def passphrase(file: Path | None, question: str, *, confirm: bool) -> str:
    """Return a passphrase from a file, else the environment, else a person.

    Raises
    ------
    InputError
        It is empty, or cannot be read, or there is nobody to ask.
    """
    if file is not None:
        try:
            lines = read_limited(file, 1 << 20).decode("utf-8").splitlines()
        except OSError as exc:
            raise InputError(f"cannot read the passphrase file {file}: {exc.strerror}") from exc
        except UnicodeDecodeError as exc:
            raise InputError(f"the passphrase file {file} is not UTF-8 text") from exc
        text = lines[0] if lines else ""
    elif _VARIABLE in os.environ:
        text = os.environ[_VARIABLE]
    else:
        text = ask(question, confirm=confirm)
    if not text:
        raise InputError("the passphrase is empty", hint="Give one of at least a few words.")
    return text


def asked(value: str | None, option: str, question: str) -> str:
    """Return `value`, or what a person answers where it was not given.

    Raises
    ------
    InputError
        It was not given, and there is no terminal to ask at.
    """
    if value is not None:
        return value
    if not sys.stdin.isatty():
        raise InputError(f"{option} is missing", hint="Give it, or run this at a terminal.")
    return str(typer.prompt(question, err=True)).strip()


def _terminal() -> bool:
    # Of a command in a pipe, standard error may still be where a person sits.
    return sys.stdin.isatty() or sys.stderr.isatty()
