"""Sealing what is a party's under that party's own key."""

from __future__ import annotations

from sqlmodel import Session

from consent.errors import VerificationError
from consent.registry.storage import rows
from consent.registry.storage.core import Core
from consent.registry.storage.tables import PersonKeyRow


def seal(core: Core, session: Session, party_id: str, data: bytes, context: str) -> str:
    """Encrypt `data` for a party; `context` says what it is, and must be given to open it.

    Raises
    ------
    RefusedError
        The party was erased.
    """
    return core.vault.seal(_wrapped(session, party_id), data, context=context)


def unseal(core: Core, session: Session, party_id: str, sealed: str, context: str) -> bytes:
    """Return what :func:`seal` encrypted.

    Raises
    ------
    RefusedError
        The party was erased.
    VerificationError
        It was changed, or is another party's or another row's.
    """
    return core.vault.open_(_wrapped(session, party_id), sealed, context=context)


def _wrapped(session: Session, party_id: str) -> str:
    row = rows.held(session, PersonKeyRow, party_id)
    if row is None:
        raise VerificationError(
            f"the key of the party {party_id} is gone from the registry",
            hint="Restore the registry from a backup: vivavoce keys restore FILE",
        )
    return row.wrapped
