"""Settings of the C2PA library, built in one place and checked for typing mistakes.

The library accepts unknown settings in silence, so that a misspelt one would switch a check off
unseen. Every key used here must be in :data:`KNOWN`; the tests prove for each of them that it has
an effect in the version installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

KNOWN: Mapping[str, frozenset[str]] = {
    "trust": frozenset({"anchors"}),
    "verify": frozenset(
        {
            "verify_trust",
            "verify_timestamp_trust",
            "remote_manifest_fetch",
            "ocsp_fetch",
            "verify_after_sign",
            "verify_after_sign_hash",
        }
    ),
    "core": frozenset(
        {"allowed_network_hosts", "allow_redirects", "backing_store_memory_threshold_in_mb"}
    ),
    "builder": frozenset({"thumbnail"}),
}


def checked(settings: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return `settings` if every key is known.

    Raises
    ------
    KeyError
        A section or key is unknown: a mistake in this program.
    """
    for section, values in settings.items():
        unknown = set(values) - KNOWN.get(section, frozenset())
        if section not in KNOWN or unknown:
            raise KeyError(f"unknown C2PA setting {section}: {', '.join(sorted(unknown))}")
    return settings


def signing_settings() -> dict[str, dict[str, Any]]:
    """Return the settings to sign with: no network, and the finished file is hashed again."""
    return checked(
        {
            "verify": {
                "remote_manifest_fetch": False,
                "ocsp_fetch": False,
                "verify_after_sign": True,
                "verify_after_sign_hash": True,
            },
            # Where it spools, the library uses files without a name, not memory.
            "core": {
                "allowed_network_hosts": [],
                "allow_redirects": False,
                "backing_store_memory_threshold_in_mb": 16,
            },
            "builder": {"thumbnail": {"enabled": False}},
        }
    )


def reading_settings(
    anchors: Sequence[tuple[str, str]], tsa_anchors: Sequence[tuple[str, str]] = ()
) -> dict[str, dict[str, Any]]:
    """Return the settings to read with: no network, and nothing trusted but what is given.

    Parameters
    ----------
    anchors, tsa_anchors
        Pairs of (trust URI, PEM) for manifest signers and for time stamp authorities.
    """
    entries = [
        {"trust_anchors": pem, "trust_kind": kind, "trust_uri": uri}
        for kind, pairs in (("manifest", anchors), ("tsa", tsa_anchors))
        for uri, pem in pairs
    ]
    return checked(
        {
            "trust": {"anchors": entries},
            "verify": {
                "verify_trust": True,
                "verify_timestamp_trust": True,
                "remote_manifest_fetch": False,
                "ocsp_fetch": False,
            },
            "core": {
                "allowed_network_hosts": [],
                "allow_redirects": False,
                "backing_store_memory_threshold_in_mb": 16,
            },
        }
    )
