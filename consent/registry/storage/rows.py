"""Signed rows: what the registry's key signed, and whether a row still says that.

A row that a database browser edited, swapped with another or made up has no signature that
fits. Rows that change while they live have two: one over what never changes, one over the
state. That a row was deleted, or an older state put back, the log shows (``check``).
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import Session

from consent.canonical import canonical
from consent.clock import rfc3339
from consent.errors import VerificationError
from consent.identity.did import public_from_did
from consent.registry.storage.core import Core
from consent.registry.storage.tables import Table

#: The changing columns of the tables that have any, signed by ``state_signature``.
STATE: dict[str, tuple[str, ...]] = {
    "grants": ("status", "status_since", "status_checked_at", "superseded_by", "used_ms"),
}

_Row = TypeVar("_Row", bound=Table)
_SIGNATURES = ("signature", "state_signature")


def held(session: Session, table: type[_Row], key: Any) -> _Row | None:
    """Return the row of a primary key, asked for once in a session.

    A session forgets rows that nobody holds; those of keys and parties are asked for with
    every document.
    """
    row: _Row | None = session.get(table, key)
    if row is not None:
        session.info.setdefault("held", {})[table, key] = row
    return row


def sign_row(core: Core, row: Table) -> None:
    """Sign what `row` says; of a row with a changing state, the part that never changes."""
    row.signature = core.key.sign(_static(row)).hex()


def sign_state(core: Core, row: Table) -> None:
    """Sign the changing part of `row` anew."""
    row.state_signature = core.key.sign(_state(row)).hex()


def insert(session: Session, row: Table) -> None:
    """Insert a signed row at once, for half of what the session would take over it."""
    values = {name: getattr(row, name) for name in type(row).model_fields}
    session.connection().execute(type(row).__table__.insert(), values)  # type: ignore[attr-defined]


def intact(core: Core, row: Table) -> bool:
    """Whether `row` is, in all its parts, as this registry signed it."""
    values = tuple(getattr(row, name) for name in type(row).model_fields)
    try:
        return _intact(core.did, type(row), values)
    except TypeError:  # a value that no row of ours has
        return False


@lru_cache(maxsize=8192)
def _intact(did: str, table: type[Table], values: tuple[Any, ...]) -> bool:
    """Check the signatures of a row with these values; the same values need it once."""
    row = table(**dict(zip(table.model_fields, values, strict=True)))
    public = Ed25519PublicKey.from_public_bytes(public_from_did(did))
    try:
        signature: str = row.signature  # type: ignore[attr-defined]
        public.verify(bytes.fromhex(signature), _static(row))
        if _table(row) in STATE:
            signature = row.state_signature  # type: ignore[attr-defined]
            public.verify(bytes.fromhex(signature), _state(row))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def verify_row(core: Core, row: Table, what: str) -> None:
    """Refuse a row that somebody else than this registry wrote.

    Parameters
    ----------
    what
        What the row is, for the message: ``"the grant urn:uuid:..."``.

    Raises
    ------
    VerificationError
        Its signature does not fit.
    """
    if not intact(core, row):
        raise VerificationError(
            f"{what} was changed in the registry: its signature does not fit",
            hint="Restore the registry from a backup: vivavoce keys restore FILE",
        )


def _table(row: Table) -> str:
    return str(row.__tablename__)


def _static(row: Table) -> bytes:
    changing = STATE.get(_table(row), ())
    names = [name for name in type(row).model_fields if name not in (*_SIGNATURES, *changing)]
    return _signed(f"{_table(row)}-row", row, names)


def _state(row: Table) -> bytes:
    # The primary key binds the state to its row.
    return _signed(f"{_table(row)}-state", row, ["id", *STATE[_table(row)]])


def _signed(kind: str, row: Table, names: list[str]) -> bytes:
    return canonical(
        {"kind": kind, "version": 1, "row": {name: _value(getattr(row, name)) for name in names}}
    )


def _value(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else value
