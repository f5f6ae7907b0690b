"""What the parts of the registry share: database, log, key and clock."""

from __future__ import annotations

import hashlib
import hmac
import platform
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent import keys
from consent.canonical import commitment
from consent.clock import Clock
from consent.home import Home
from consent.identity.did import did_from_public
from consent.keys import key_id, raw_public
from consent.log import Log
from consent.policy import PolicyEngine
from consent.registry.storage.database import Database
from consent.vault.envelope import Vault


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

    @cached_property
    def did(self) -> str:
        """The registry as grants name it: the ``did:key`` of its key."""
        return did_from_public(raw_public(self.key))

    @cached_property
    def vault(self) -> Vault:
        """What personal data are sealed with; opened when first needed."""
        return Vault.open(self.home)

    @cached_property
    def _salts(self) -> bytes:
        return keys.secret(self.home, "salts")

    def salt(self, label: str, *ids: str) -> bytes:
        """Return the salt of one commitment, 16 bytes: derived, so that it is found again."""
        message = "\0".join((label, *ids)).encode()
        return hmac.new(self._salts, message, hashlib.sha256).digest()[:16]

    def ref(self, label: str, name: str) -> str:
        """Return what the log calls `name` by: always the same, and telling nobody anything."""
        return commitment(name.encode(), self.salt(label, name))
