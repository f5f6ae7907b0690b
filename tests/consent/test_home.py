"""The home folder and its settings."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from consent.errors import InputError, StorageError
from consent.home import Home


def test_a_new_home_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "deep" / "home")
    for folder in (home.root, home.keys, home.models, home.cache, home.trust, home.vault):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    assert stat.S_IMODE(Home.open(tmp_path).keys.stat().st_mode) == 0o700


def test_the_environment_names_home_and_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVAVOCE_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("VIVAVOCE_REGISTRY", "sqlite:////elsewhere/registry.db")
    home = Home.open()
    assert home.root == tmp_path / "mine"
    assert home.registry_url == "sqlite:////elsewhere/registry.db"


@pytest.mark.sqlite_only
def test_settings_are_read_from_the_configuration(tmp_path: Path, home: Home) -> None:
    home.config_file.write_text('[registry]\nurl = "sqlite:////x.db"\n[narration]\nworkers = 2\n')
    opened = Home.open()
    assert opened.registry_url == "sqlite:////x.db"
    assert opened.setting("narration", "workers") == 2
    assert opened.setting("narration", "voice") is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[seal]\nrequire_watermarks = true\n", "seal.require_watermarks"),
        ("[sealing]\nx = 1\n", "[sealing]"),
        ("verbose = true\n", "[verbose]"),
        ('[seal]\nrequire_watermark = "yes"\n', "'yes', expected bool"),
        ("[narration]\nworkers = true\n", "expected int"),
        ("[seal\n", "not valid TOML"),
    ],
)
def test_a_setting_that_is_not_known_is_refused_by_name(home: Home, text: str, named: str) -> None:
    home.config_file.write_text(text)
    with pytest.raises(InputError) as caught:
        Home.open()
    assert named in caught.value.message
    assert str(home.config_file) in caught.value.message


def test_a_configuration_that_cannot_be_read_is_named(home: Home) -> None:
    home.config_file.mkdir()
    with pytest.raises(InputError, match="cannot be read") as caught:
        Home.open()
    assert str(home.config_file) in caught.value.message


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StorageError, match="unusable") as caught:
        Home.open(tmp_path / "home")
    assert "VIVAVOCE_HOME" in (caught.value.hint or "")


@pytest.mark.parametrize("mode", [0o1777, 0o777])
def test_a_folder_shared_with_everybody_is_refused_and_left_alone(
    tmp_path: Path, mode: int
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    with pytest.raises(StorageError, match="shared"):
        Home.open(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_home_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="unusable"):
            Home.open(tmp_path / "home")
    finally:
        tmp_path.chmod(0o700)
