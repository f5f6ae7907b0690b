"""The two keys a registry cannot do without: made once, never made again."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent import keys
from consent.errors import StorageError
from consent.home import Home
from consent.registry.storage.database import Database
from consent.registry.storage.tables import MetaRow

_LOST = {
    "log": "a new one would begin a second log, and every proof given so far would be void",
    "registry": "a new one would sign for a stranger: nothing on record would be believed",
}


def own_keys(home: Home, database: Database) -> tuple[Ed25519PrivateKey, Ed25519PrivateKey]:
    """Return the keys of log and registry, made on first use alone.

    Raises
    ------
    StorageError
        A key is lost although there is a log or a registry, or is open to others.
    VerificationError
        A key file is damaged, or its passphrase is wrong.
    InputError
        Its passphrase is needed, and there is nobody to ask.
    """
    # Asked in this order: whoever begins makes the keys before log and registry.
    begun = _begun(home, database)
    for name, why in _LOST.items():
        if begun and not keys.has_key(home, name):
            raise StorageError(
                f"the key {keys.key_path(home, name)} is lost, but {begun}: {why}",
                hint="Bring it back from a backup: vivavoce keys restore FILE --force",
            )
    log_key = keys.load_or_create(home, "log", "ed25519")
    return log_key, keys.load_or_create(home, "registry", "ed25519")


def _begun(home: Home, database: Database) -> str:
    if (home.log / "checkpoint").exists() or (home.log / "tile").exists():
        return f"there is a log in {home.log}"
    with database.read() as session:
        if session.get(MetaRow, "registry_key") is not None:
            return f"the registry {database.engine.url.render_as_string()} is in use"
    return ""
