"""JSON that can be read in one way only, for documents that are signed.

The standard parser takes the last of two equal names, numbers that are none, and any depth.
Two programs could then read one signed text differently.
"""

from __future__ import annotations

import json
import re
from typing import Any

from consent.errors import InputError

MAX_DEPTH = 16

# A string (one without an end runs to the end of the text, so that no text is read twice)
# or a bracket.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{\]}]', re.DOTALL)


def loads(data: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object in `data`.

    Parameters
    ----------
    data
        UTF-8 text.
    what
        What it is, for the message.

    Raises
    ------
    InputError
        It is not JSON, not an object, nested too deep, names a member twice, or holds NaN,
        infinity or half a surrogate pair.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InputError(f"{what} is not UTF-8 text (byte {exc.start})") from exc
    _check_depth(text, what)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        # An escape may spell half of a surrogate pair, which UTF-8 cannot say.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except _NotStrict as exc:
        raise InputError(f"{what} {exc}") from exc
    except UnicodeEncodeError as exc:
        raise InputError(f"{what} holds half of a surrogate pair") from exc
    except ValueError as exc:
        raise InputError(f"{what} is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise InputError(f"{what} is not a JSON object")
    return value


class _NotStrict(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise _NotStrict(f"names {name[:80]!r} twice")
        members[name] = value
    return members


def _no_constant(name: str) -> Any:
    raise _NotStrict(f"holds {name}, which is no JSON number")


def _check_depth(text: str, what: str) -> None:
    depth = 0
    for match in _BRACKETS.finditer(text):
        token = match.group()
        if token in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise InputError(f"{what} is nested more than {MAX_DEPTH} deep")
        elif token in "]}":
            depth -= 1
