"""Marking, signing, writing and later reading synthetic speech."""
