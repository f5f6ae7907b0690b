"""Making sure that the secret the log's commitments come from is still the same.

With another secret every party, voice and grant would be unknown to its own log: a revoked
grant could come back under a commitment that nobody revoked.
"""

from __future__ import annotations

from sqlmodel import Session

from consent.errors import VerificationError
from consent.registry.storage.core import Core
from consent.registry.storage.tables import MetaRow

_KEY = "salts"


def check(core: Core, session: Session) -> None:
    """Compare the secret with the registry's note of it; make the note on first use.

    The session must be one for writing where there is no note yet.

    Raises
    ------
    VerificationError
        It is another secret.
    """
    if not check_if_noted(core, session):
        session.add(MetaRow(key=_KEY, value=_mark(core)))


def check_if_noted(core: Core, session: Session) -> bool:
    """Do the same, without making a note; return whether there is one."""
    note = session.get(MetaRow, _KEY)
    if note is None:
        return False
    if note.value != _mark(core):
        raise VerificationError(
            "keys/salts.secret is not the secret this registry was begun with",
            hint="Restore the keys from a backup: vivavoce keys restore FILE",
        )
    return True


def _mark(core: Core) -> str:
    return core.ref("registry", core.did)
