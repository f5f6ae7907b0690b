"""Asking a person for a passphrase: the one thing the library cannot do itself."""

from __future__ import annotations

from collections.abc import Callable

#: Gets the question, returns the answer. May raise InputError where there is nobody.
Ask = Callable[[str], str]

_ask: Ask | None = None


def ask_with(function: Ask | None) -> None:
    """Set the function that asks; the command line does, a server sets the environment."""
    global _ask
    _ask = function


def asker() -> Ask | None:
    """Return the function that asks, None where there is none."""
    return _ask
