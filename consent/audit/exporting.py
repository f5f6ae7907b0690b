"""What an auditor takes along: the log as plain files, its keys, and lists made from it.

Nothing in it is personal: the log holds none, and the lists are made from the log alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consent.audit.logview import LogView
from consent.audit.policies import policy_changes
from consent.audit.tables import to_csv
from consent.errors import RefusedError
from consent.files import storage_error, write_atomic
from consent.log import tiles
from consent.registry import Registry

_README = """\
The transparency log of a vivavoce registry, and lists made from it.

log/            the log: checkpoint and tiles, c2sp.org/tlog-tiles
log.vkey        its key. Compare it with the one you got by another way
registry.json   the registry's key, and the state of the log these files were made at
entries.jsonl   every entry, one on a line, with its place
outputs.csv     every output: what became of it, how long it is, the digest of its file
policies.json   which policies were in force when

docs/formats.md of vivavoce describes the formats. There are no names here: parties, voices and
grants are commitments that only the registry and the parties can open.
"""


@dataclass(frozen=True, slots=True)
class AuditExport:
    """What :func:`export_audit` wrote.

    Attributes
    ----------
    files
        Names below the folder, sorted.
    entries
        Number of entries of the log.
    """

    folder: Path
    files: tuple[str, ...]
    entries: int
    log_vkey: str


def export_audit(registry: Registry, folder: Path) -> AuditExport:
    """Write log, keys and lists into a new or empty folder.

    Raises
    ------
    RefusedError
        There is something in the folder already.
    VerificationError
        The log was changed; nothing is made from it.
    StorageError
        The folder cannot be written to.
    """
    view = LogView.verified(registry.log)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise RefusedError(
                f"there is something in {folder} already", hint="Name a new or empty folder."
            )
        _copy_log(view, folder / "log")
        _write_entries(view, folder / "entries.jsonl")
    except OSError as exc:
        raise storage_error(exc, folder) from exc
    outputs = to_csv(_COLUMNS, _outputs(view))
    write_atomic(folder / "outputs.csv", outputs.encode())
    changes = [change.to_json() for change in policy_changes(view.entries())]
    _write_json(folder / "policies.json", changes)
    _write_json(
        folder / "registry.json",
        {
            "registry": registry.did,
            "tag": registry.registry_tag,
            "log": registry.log.vkey,
            "checkpoint": view.note,
        },
    )
    write_atomic(folder / "log.vkey", f"{registry.log.vkey}\n".encode())
    write_atomic(folder / "README.txt", _README.encode())
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return AuditExport(folder, tuple(files), view.size, registry.log.vkey)


_COLUMNS = (
    "output",
    "receipt",
    "made",
    "state",
    "outcome",
    "container",
    "purpose",
    "commercial",
    "minutes",
    "sha256",
    "bytes",
)


def _copy_log(view: LogView, target: Path) -> None:
    """Copy the tiles that the checkpoint needs, and no others: the log may grow meanwhile."""
    names = [tiles.tile_path(*tile) for tile in tiles.tiles_of(view.size)]
    names += [
        tiles.tile_path("entries", index, width)
        for level, index, width in tiles.tiles_of(view.size)
        if level == 0
    ]
    for name in names:
        source = view.log.folder / name
        if not source.exists():  # completed meanwhile: the whole one begins with the same
            name = name.partition(".p/")[0]
            source = view.log.folder / name
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / name)
    target.mkdir(exist_ok=True)
    write_atomic(target / "checkpoint", view.note.encode())


def _write_entries(view: LogView, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for index, entry in view.entries():
            stream.write(json.dumps({"index": index, "entry": entry}, ensure_ascii=False) + "\n")


def _outputs(view: LogView) -> Iterator[tuple[object, ...]]:
    receipts: dict[str, tuple[int, Mapping[str, Any]]] = {}
    outcomes: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for index, entry in view.entries():
        if entry["kind"] == "receipt":
            receipts[str(entry["output_id"])] = (index, entry)
        elif entry["kind"] in ("sealed", "abandoned"):
            outcomes[str(entry["output_id"])] = (index, entry)
    nothing: tuple[object, Mapping[str, Any]] = ("", {})
    for output_id, (index, said) in receipts.items():
        place, outcome = outcomes.get(output_id, nothing)
        yield (
            output_id,
            index,
            said.get("time", ""),
            outcome.get("kind", "issued"),
            place,
            said.get("container", ""),
            said.get("purpose", ""),
            "yes" if said.get("commercial") else "no",
            f"{int(said.get('duration_ms', 0)) / 60_000:.3f}",
            outcome.get("sha256", ""),
            outcome.get("size", ""),
        )


def _write_json(path: Path, data: Any) -> None:
    write_atomic(path, (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode())
