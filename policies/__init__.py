"""Cedar policies shipped with the package: the schema and the packs that are always on."""

from __future__ import annotations

from importlib.resources import files

#: Names of the shipped packs, in the order in which they are listed.
PACKS = ("base", "licences")


def schema() -> str:
    """Return the Cedar schema that every policy is checked against."""
    return files(__name__).joinpath("schema.cedarschema").read_text("utf-8")


def packs() -> dict[str, str]:
    """Return the shipped packs: file name -> Cedar text."""
    return {
        f"{name}.cedar": files(__name__).joinpath(f"{name}.cedar").read_text("utf-8")
        for name in PACKS
    }
