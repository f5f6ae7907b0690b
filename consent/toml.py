"""TOML that a hand or a stranger has written."""

from __future__ import annotations

import tomllib
from typing import Any

from consent.errors import InputError


def parse(data: bytes | str, where: str, *, hint: str | None = None) -> dict[str, Any]:
    """Return the tables of a TOML text; bytes are UTF-8, with or without a byte order mark.

    Parameters
    ----------
    where
        What to call it in errors.
    hint
        What to do about it, if there is more to say than where the fault is.

    Raises
    ------
    InputError
        It is not UTF-8 or not TOML, or nested or numbered beyond reason.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    except UnicodeDecodeError as exc:
        raise InputError(
            f"{where}: not valid TOML: not UTF-8 text: {exc.reason} at byte {exc.start}",
            hint=hint or "Save the file as UTF-8.",
        ) from exc
    try:
        return tomllib.loads(text)
    except ValueError as exc:  # TOMLDecodeError, and what int() makes of thousands of digits
        raise InputError(f"{where}: not valid TOML: {exc}", hint=hint) from exc
    except RecursionError as exc:
        raise InputError(f"{where}: not valid TOML: nested too deeply", hint=hint) from exc
