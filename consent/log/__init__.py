"""The append-only transparency log."""
