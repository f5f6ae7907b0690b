"""Who somebody is here: the keys and the names of parties."""

from consent.identity.did import did_from_public, public_from_did
from consent.identity.names import checked_handle, checked_name, checked_voice

__all__ = [
    "checked_handle",
    "checked_name",
    "checked_voice",
    "did_from_public",
    "public_from_did",
]
