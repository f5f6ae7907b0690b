"""Cedar policies shipped with the package: the schema, the packs, and their tests as tables."""

from __future__ import annotations

from importlib.resources import files

#: Shipped packs that always hold.
ALWAYS = ("base", "audiobook", "licences", "content")
#: Shipped packs that hold where ``policy.packs`` names them.
ON_REQUEST = ("eu", "california")
#: Names of all shipped packs, in the order in which they are listed.
PACKS = (*ALWAYS, *ON_REQUEST)
#: Their file names.
FILES = tuple(f"{name}.cedar" for name in PACKS)


def schema() -> str:
    """Return the Cedar schema that every policy is checked against."""
    return files(__name__).joinpath("schema.cedarschema").read_text("utf-8")


def packs(*switched_on: str) -> dict[str, str]:
    """Return the packs that always hold and those named: file name -> Cedar text."""
    return {
        f"{name}.cedar": files(__name__).joinpath(f"{name}.cedar").read_text("utf-8")
        for name in PACKS
        if name in ALWAYS or name in switched_on
    }


def tables() -> dict[str, str]:
    """Return the shipped table tests: file name -> TOML text."""
    folder = files(__name__).joinpath("tests")
    found = (entry for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {entry.name: entry.read_text("utf-8") for entry in sorted(found, key=lambda e: e.name)}
