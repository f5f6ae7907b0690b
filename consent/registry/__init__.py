"""The registry: authorizations, leases and receipts, in a database and a transparency log.

The plain values are imported at once; :class:`Registry` and :class:`Lease`, which need a
database, on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consent.policy import Denied, Reason
from consent.registry.job.records import (
    Authorization,
    AuthorizationRequest,
    GrantUse,
    ModelUse,
    Opening,
    Receipt,
    ReceiptDraft,
    VoiceUse,
)
from consent.registry.party.records import (
    GrantRecord,
    Mandate,
    Party,
    PartyKey,
    RegisteredVoice,
    StatementRecord,
)

if TYPE_CHECKING:
    from consent.registry.audit import CheckReport, RegistryStatus
    from consent.registry.job.leases import Lease
    from consent.registry.registry import Registry

__all__ = [
    "Authorization",
    "AuthorizationRequest",
    "CheckReport",
    "Denied",
    "GrantRecord",
    "GrantUse",
    "Lease",
    "Mandate",
    "ModelUse",
    "Opening",
    "Party",
    "PartyKey",
    "Reason",
    "Receipt",
    "ReceiptDraft",
    "RegisteredVoice",
    "Registry",
    "RegistryStatus",
    "StatementRecord",
    "VoiceUse",
]

_LAZY = {
    "CheckReport": "consent.registry.audit",
    "Lease": "consent.registry.job.leases",
    "Registry": "consent.registry.registry",
    "RegistryStatus": "consent.registry.audit",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
