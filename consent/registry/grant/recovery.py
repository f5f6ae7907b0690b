"""Signed documents that an interrupted process was taking in: taken in when next opened."""

from __future__ import annotations

from contextlib import suppress

from consent.credentials import grant
from consent.credentials.jws import stated_type
from consent.errors import RefusedError, VerificationError
from consent.registry.grant import grants, statements
from consent.registry.storage import outbox
from consent.registry.storage.core import Core


def take_in(core: Core) -> None:
    """Take in what is left in the outbox; what was refused then is refused now, silently."""
    for tokens in outbox.documents_kept(core):
        with suppress(RefusedError, VerificationError):
            if stated_type(tokens[0]) == grant.TYP:
                grants.import_all(core, tokens)
            else:
                statements.add(core, tokens[0])
