"""The vault: recordings and personal data, each person's under a key of their own."""

from consent.vault.envelope import Vault

__all__ = ["Vault"]
