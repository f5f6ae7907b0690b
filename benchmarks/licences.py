"""List the licences of everything the default install brings.

Walks the requirements of the installed ``vivavoce`` distribution and prints one line for every
distribution; ``--unusual`` prints only those that are not plainly permissive, and exits with 1
if one of them is AGPL, or GPL without an L.
"""

from __future__ import annotations

import argparse
import importlib.metadata as metadata
import re
import sys
from dataclasses import dataclass

from packaging.requirements import Requirement

PERMISSIVE = re.compile(r"\b(MIT|BSD|Apache|ISC|PSF|Python Software|CC0|0BSD|Zlib)", re.I)
STRONG = re.compile(r"(\bAGPL|Affero|(?<![L\w])GPL|(?<!Lesser )General Public License)", re.I)
# Distributions whose metadata says nothing; read from their repositories.
STATED_ELSEWHERE = {"cedarpy": "Apache-2.0", "torchcodec": "BSD-3-Clause"}


@dataclass(frozen=True)
class Row:
    name: str
    version: str
    licence: str
    via: str

    @property
    def permissive(self) -> bool:
        return bool(PERMISSIVE.search(self.licence)) and not re.search("GPL|MPL", self.licence)

    @property
    def strong_copyleft(self) -> bool:
        return bool(STRONG.search(self.licence)) and not re.search(
            r"LGPL|Library or Lesser", self.licence
        )


def licence_of(distribution: metadata.Distribution) -> str:
    data = distribution.metadata
    classifiers = [
        line.split("::")[-1].strip()
        for line in data.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    text = (data.get("License") or "").strip().splitlines()
    return (
        data.get("License-Expression")
        or "; ".join(classifiers)
        or (text[0][:60] if text else "")
        or STATED_ELSEWHERE.get(data["Name"], "not stated")
    )


def walk(root: str) -> list[Row]:
    rows: dict[str, Row] = {}
    todo = [(root, "")]
    while todo:
        name, via = todo.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in rows:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        rows[key] = Row(key, distribution.version, licence_of(distribution), via)
        for line in distribution.requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append((requirement.name, key))
    return sorted(rows.values(), key=lambda row: row.name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unusual", action="store_true")
    arguments = parser.parse_args()
    rows = walk("vivavoce")
    for row in rows:
        if not arguments.unusual or not row.permissive:
            print(f"{row.name:32} {row.version:16} {row.licence:60} via {row.via}")
    bad = [row.name for row in rows if row.strong_copyleft]
    print(f"{len(rows)} distributions, {sum(r.permissive for r in rows)} plainly permissive")
    if bad:
        print("GPL or AGPL:", ", ".join(bad), file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
