"""Parties, their keys and mandates, their voices, and what the vault keeps of them."""
