"""The errors of the whole program: one small tree, each with an exit code.

Every message says what was wrong, with the value, and what to do next. ``hint`` is the
"what to do next"; the command line prints it on a line of its own.

The codes are part of the interface (docs/cli.md): scripts may rely on them.
"""

from __future__ import annotations


class VivavoceError(Exception):
    """Base of every error this project raises on purpose.

    Parameters
    ----------
    message
        What was wrong, naming the file, place and value.
    hint
        What the reader can do about it, as an imperative sentence.
    """

    exit_code: int = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def diagnostics(self) -> str:
        """Return message and hint as the command line shows them."""
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


class InputError(VivavoceError):
    """The book, text, plan, lexicon or option given cannot be used."""

    exit_code = 3


class RefusedError(VivavoceError):
    """The request is understood and is not allowed: licence, consent, policy, missing mark."""

    exit_code = 4


class VerificationError(VivavoceError):
    """A file, manifest, proof or log did not verify."""

    exit_code = 5


class ModelError(VivavoceError):
    """A model or voice is missing, damaged or cannot run here."""

    exit_code = 6


class StorageError(VivavoceError):
    """The disk is full, a folder is read-only or missing, or the home folder is unusable."""

    exit_code = 7


class IncompleteError(VivavoceError):
    """The work ended, but not all of it is as it should be (for instance missing sentences)."""

    exit_code = 8
