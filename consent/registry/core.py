"""What the parts of the registry share: database, log, key and clock."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.clock import Clock
from consent.home import Home
from consent.keys import key_id
from consent.log import Log
from consent.policy import PolicyEngine
from consent.registry.database import Database


@dataclass(frozen=True)
class Core:
    """The open registry's means."""

    home: Home
    clock: Clock
    database: Database
    log: Log
    key: Ed25519PrivateKey
    policy: PolicyEngine

    @property
    def tag(self) -> str:
        """First 16 bits of the digest of the registry's public key, 4 hex digits."""
        return key_id(self.key)[:4]

    @property
    def holder(self) -> str:
        """Names this machine and home among those that share a database."""
        name = f"{platform.node()}\n{self.home.root.resolve()}"
        return hashlib.sha256(name.encode()).hexdigest()

    def now(self) -> datetime:
        """Return the time, to the millisecond: what is signed must read back the same."""
        now = self.clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
