"""The home folder: where keys, registry, log, models and settings live."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consent import toml
from consent.errors import InputError, StorageError
from consent.files import read_limited, storage_error

#: Every setting of ``config.toml``: section, then key and type. Anything else is refused, so
#: that a misspelt setting never silently means "off".
SETTINGS: Mapping[str, Mapping[str, type]] = {
    "registry": {"url": str},
    "log": {"origin": str},
    "narration": {"voice": str, "workers": int, "commercial": bool, "licensee": str},
    "seal": {"timestamp_url": str, "require_watermark": bool, "publisher": str, "disclosure": str},
    "watermark": {"model": str},
    "policy": {"packs": list},
}

_FOLDERS = ("keys", "models", "cache", "trust", "vault", "policies", "leases", "outbox")


@dataclass(frozen=True, slots=True)
class Home:
    """An opened home folder.

    Attributes
    ----------
    root
        The folder itself, readable by its owner alone, as are all below.
    registry_url
        SQLAlchemy URL of the registry: ``VIVAVOCE_REGISTRY``, else ``registry.url`` of the
        configuration, else ``registry.db`` in the home.
    config
        Contents of ``config.toml``, checked against :data:`SETTINGS`.
    """

    root: Path
    registry_url: str
    config: dict[str, Any]

    @property
    def keys(self) -> Path:
        """Private keys, one file each."""
        return self.root / "keys"

    @property
    def models(self) -> Path:
        """Weights that were joined, converted or fetched."""
        return self.root / "models"

    @property
    def cache(self) -> Path:
        """Encrypted segments; may be deleted at any time."""
        return self.root / "cache"

    @property
    def trust(self) -> Path:
        """Anchors and log keys of others that this home trusts."""
        return self.root / "trust"

    @property
    def vault(self) -> Path:
        """Encrypted recordings and personal data."""
        return self.root / "vault"

    @property
    def policies(self) -> Path:
        """The user's own policy packs (``*.cedar``)."""
        return self.root / "policies"

    @property
    def leases(self) -> Path:
        """Lock files of running jobs."""
        return self.root / "leases"

    @property
    def outbox(self) -> Path:
        """Encrypted: what is on its way into log and database at this moment."""
        return self.root / "outbox"

    @property
    def log(self) -> Path:
        """The transparency log, as plain files."""
        return self.root / "log"

    @property
    def config_file(self) -> Path:
        """The settings file, which need not exist."""
        return self.root / "config.toml"

    def setting(self, section: str, key: str) -> Any:
        """Return a setting of ``config.toml``, or None where it is not set."""
        assert key in SETTINGS[section]
        return self.config.get(section, {}).get(key)

    @classmethod
    def open(cls, path: Path | None = None) -> Home:
        """Open the home at `path`, else ``VIVAVOCE_HOME``, else the platform's data folder.

        Missing folders are created, readable by their owner alone.

        Raises
        ------
        StorageError
            The folder cannot be created, written to, or belongs to somebody else.
        InputError
            ``config.toml`` is not TOML or has an unknown or ill-typed setting.
        """
        root = _locate(path)
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            _own(root)
            for name in _FOLDERS:
                folder = root / name
                folder.mkdir(exist_ok=True, mode=0o700)
                _own(folder)
        except OSError as exc:
            reason = storage_error(exc, root).message
            raise StorageError(
                f"the home folder is unusable: {reason}",
                hint="Set VIVAVOCE_HOME to a folder you own and can write to.",
            ) from exc
        config = _read_config(root / "config.toml")
        url = (
            os.environ.get("VIVAVOCE_REGISTRY")
            or config.get("registry", {}).get("url")
            or f"sqlite:///{root / 'registry.db'}"
        )
        return cls(root=root, registry_url=url, config=config)


def _locate(path: Path | None) -> Path:
    chosen = path or os.environ.get("VIVAVOCE_HOME") or None
    if chosen is None:
        from platformdirs import user_data_path

        return user_data_path("vivavoce", appauthor=False)
    return Path(chosen).expanduser().absolute()


def _own(folder: Path) -> None:
    """Make `folder` ours alone, and make sure that it can be written to."""
    status = folder.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(20, "not a folder", str(folder))
    if status.st_uid != os.geteuid():
        raise StorageError(
            f"the home folder {folder} belongs to user {status.st_uid}, not to you",
            hint="Set VIVAVOCE_HOME to a folder of your own.",
        )
    if stat.S_IMODE(status.st_mode) & 0o1002:
        raise StorageError(
            f"the home folder {folder} is shared: anyone may write to it",
            hint="Set VIVAVOCE_HOME to a folder of your own, for instance one inside it.",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        folder.chmod(stat.S_IMODE(status.st_mode) & 0o700)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(13, "permission denied", str(folder))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        data = read_limited(path)
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    config = toml.parse(data, str(path))
    for section, values in config.items():
        known = SETTINGS.get(section)
        if known is None or not isinstance(values, dict):
            raise InputError(
                f"{path}: unknown section [{section}]",
                hint=f"Known sections: {', '.join(sorted(SETTINGS))}.",
            )
        for key, value in values.items():
            if key not in known:
                raise InputError(
                    f"{path}: unknown setting {section}.{key}",
                    hint=f"Settings of [{section}]: {', '.join(sorted(known))}.",
                )
            if type(value) is not known[key]:
                raise InputError(
                    f"{path}: {section}.{key} is {value!r}, expected {known[key].__name__}"
                )
    return config
