"""Authorizing, receipts, leases and imports with 100,000 grants in the registry.

Run: ``python benchmarks/registry.py [--grants 100000] [--signed 1000] [--url URL] [--json FILE]``

Everything goes through the public interface. ``--signed`` grants are drafted, signed and imported
one by one as they would be; the rest are rows of other voices that nobody asks for, and give
tables and indexes their real size. ``--url`` names a PostgreSQL server (a SQLAlchemy URL) to
measure as well, in a schema of its own.

Times are wall-clock, beside them the processor's own: on a machine with other work to do, the
first say how busy it is, the second what a call costs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from consent.credentials.grant import Basis, Disclosure, GrantTerms, draft_grant
from consent.home import Home
from consent.registry import (
    Authorization,
    AuthorizationRequest,
    Denied,
    ModelUse,
    ReceiptDraft,
    Registry,
    VoiceUse,
)
from consent.registry.party.records import Party
from consent.registry.storage.tables import GrantRow

HEART = VoiceUse("kokoro:af_heart", "stock", "Apache-2.0", commercial=True, minutes=10.0)
KOKORO = ModelUse("kokoro-82m", "kokoro", "1.0", "a" * 64, "Apache-2.0", "yes")
VOICES = 100  # of the signed grants
CHUNK = 10_000


@dataclasses.dataclass
class Times:
    """What repeated calls took, in milliseconds."""

    wall: list[float]
    cpu: list[float]

    def row(self) -> str:
        return (
            f"{statistics.median(self.wall):.2f} | {_high(self.wall):.2f} | "
            f"{statistics.median(self.cpu):.2f} | {_high(self.cpu):.2f}"
        )


def _high(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def timed(action: Callable[[], Any], repeats: int) -> Times:
    times = Times([], [])
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        times.wall.append((time.perf_counter() - wall) * 1000)
        times.cpu.append((time.process_time() - cpu) * 1000)
    return times


class Stage:
    """An owner, a licensee, and the owner's voices, each with grants to the licensee."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.owner: Party = registry.create_party("person", "owner", "An Owner")
        self.licensee: Party = registry.create_party("organisation", "studio", "A Studio")
        self.voices = [f"clone:voice-{number}" for number in range(VOICES)]
        for voice in self.voices:
            registry.register_voice(voice, self.owner.id)

    def tokens(self, count: int) -> list[tuple[str, str]]:
        """Return (voice, signed grant) of `count` grants."""
        key = self.registry.signing_key(self.owner.id)
        assert key is not None
        now = datetime.now(UTC)
        made = []
        for number, entry in enumerate(self.registry.new_status_entries(count)):
            voice = self.voices[number % VOICES]
            terms = GrantTerms(
                voice=voice,
                owner=self.owner.id,
                licensee=self.licensee.id,
                licensee_did=self.licensee.did,
                registry_did=self.registry.did,
                purposes=("audiobook",),
                languages=("en",),
                territories=("world",),
                minutes=100_000,
                commercial=False,
                permissions=("synthesis",),
                performer_approval=False,
                disclosure=Disclosure(audible=False),
                basis=Basis(kind="self"),
                status_interval_s=86_400,
                valid_from=now - timedelta(days=1),
                valid_until=now + timedelta(days=365),
            )
            waiting = draft_grant(terms, issuer_did=self.owner.did, status=entry, now=now)
            made.append((voice, waiting.sign(key)))
        return made

    def request(self, voice: str, grant: str = "", **changes: Any) -> AuthorizationRequest:
        use = VoiceUse(voice, "grant", "grant", commercial=True, minutes=1.0, grant=grant)
        return dataclasses.replace(stock_request(), voices=(use,), licensee=self.licensee.id,
                                   minutes=1.0, **changes)  # fmt: skip

    def draft(self, given: Authorization) -> ReceiptDraft:
        (voice,) = given.request.voices
        return ReceiptDraft(
            authorization_id=given.id,
            output_id=self.registry.new_output_id(),
            container="m4b",
            duration_s=0.6,
            text_digest="c" * 64,
            source_pcm_sha256="d" * 64,
            watermark="none",
            voices=(dataclasses.replace(voice, minutes=0.01),),
            models=(KOKORO,),
            title="Chapter 1",
        )


def stock_request() -> AuthorizationRequest:
    return AuthorizationRequest(
        work_title="Love Among the Chickens",
        work_author="P. G. Wodehouse",
        work_identifier="urn:x-benchmark:chickens",
        purpose="audiobook",
        job_digest=secrets.token_hex(32),
        languages=("en-GB",),
        territory="world",
        channel="private",
        commercial=False,
        minutes=10.0,
        voices=(HEART,),
        models=(KOKORO,),
        requester="a reader",
        content=("none",),
    )


def fill(home: Home, count: int) -> None:
    """Put `count` rows of other voices beside the signed grants."""
    engine = create_engine(home.registry_url)
    table = GrantRow.__table__  # type: ignore[attr-defined]
    with engine.begin() as connection:
        pattern = dict(connection.execute(table.select().limit(1)).one()._mapping)
        for start in range(0, count, CHUNK):
            numbers = range(start, min(start + CHUNK, count))
            connection.execute(table.insert(), [_padding(pattern, n) for n in numbers])
        connection.execute(text("ANALYZE"))
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:  # or the next writer would pay for all these rows
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


def _padding(pattern: dict[str, Any], number: int) -> dict[str, Any]:
    name = f"{number:012x}"
    return pattern | {
        "id": f"urn:uuid:00000000-0000-4000-8000-{name}",
        "ref": name.rjust(64, "0"),
        "digest": name.rjust(64, "0"),
        "voice": f"clone:other-{number % 5000}",
        "status_index": 1_000_000 + number,
        "leaf_index": 1_000_000 + number,
    }


def measure(home: Home, grants: int, signed: int, repeats: int) -> dict[str, str]:
    rng = random.Random(1)
    rows: dict[str, str] = {}
    with Registry.open(home) as registry:
        stage = Stage(registry)
        tokens = stage.tokens(signed)
        wall, cpu = time.perf_counter(), time.process_time()
        records = registry.import_grants([token for _, token in tokens])
        taken, worked = time.perf_counter() - wall, time.process_time() - cpu
        rows[f"import {signed:,} grants at once, each"] = (
            f"{taken / signed * 1000:.2f} | | {worked / signed * 1000:.2f} |"
        )
        fill(home, grants - signed)
        rng.shuffle(records)
        asked = [stage.request(record.voice, record.id) for record in records]
        for request in asked[:20]:
            registry.authorize(request)

        first = iter(asked[20:])
        rows["authorize, a grant not seen before"] = timed(
            lambda: registry.authorize(next(first)), min(repeats, signed - 20)
        ).row()
        again = [stage.request(voice) for voice in stage.voices]
        for request in again:
            registry.authorize(request)
        rows["authorize, the newest of a voice's grants"] = timed(
            lambda: registry.authorize(rng.choice(again)), repeats
        ).row()
        rows["authorize, a stock voice"] = timed(
            lambda: registry.authorize(stock_request()), repeats
        ).row()
        speech = stage.request(records[0].voice, records[0].id, purpose="speech")
        rows["deny, with its reasons"] = timed(lambda: _denied(registry, speech), repeats).row()

        given = registry.authorize(dataclasses.replace(again[0]))
        with registry.lease(given.id) as lease:

            def look() -> None:
                lease._checked -= 2  # a second later
                lease.check()

            rows["lease check, asking the registry"] = timed(look, repeats).row()
            count = min(100, repeats)
            drafts = iter([stage.draft(given) for _ in range(count)])
            outputs: list[str] = []

            def issue() -> None:
                outputs.append(registry.issue_receipt(next(drafts)).output_id)

            def seal() -> None:
                registry.mark_sealed(
                    outputs.pop(), sha256="e" * 64, size=1, published_as="chapter.m4b"
                )

            rows["receipt, logged durably, with its proof"] = timed(issue, count).row()
            rows["mark sealed"] = timed(seal, count).row()
        rows["status"] = timed(registry.status, 10).row()
    return rows


def _denied(registry: Registry, request: AuthorizationRequest) -> None:
    try:
        registry.authorize(request)
    except Denied:
        return
    raise AssertionError("it was allowed")


@contextmanager
def place(url: str) -> Iterator[str]:
    """Yield the URL of a schema of its own on a server; it is dropped afterwards."""
    name = f"benchmark_{secrets.token_hex(6)}"
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        own = make_url(url).update_query_dict({"options": f"-csearch_path={name}"})
        yield own.render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        server.dispose()


def fsync_ms(folder: Path) -> float:
    path = folder / "fsync"
    with path.open("wb") as stream:

        def once() -> None:
            stream.write(bytes(4096))
            stream.flush()
            os.fsync(stream.fileno())

        taken = timed(once, 30).wall
    path.unlink()
    return statistics.median(taken)


def machine(folder: Path) -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return (
        f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"fsync {fsync_ms(folder):.2f} ms, Python {platform.python_version()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--grants", type=int, default=100_000)
    parser.add_argument("--signed", type=int, default=1000, help="of them, signed and imported")
    parser.add_argument("--repeats", type=int, default=500)
    parser.add_argument("--url", help="of a PostgreSQL server, to be measured as well")
    parser.add_argument("--folder", type=Path, help="where the registry lies (default: temporary)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.pop("VIVAVOCE_REGISTRY", None)
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        folder = Path(scratch)
        named = machine(folder)
        found = {"SQLite": _run(folder / "sqlite", "", options)}
        if options.url:
            with place(options.url) as url:
                found["PostgreSQL"] = _run(folder / "postgresql", url, options)
    print(f"{options.grants:,} grants; milliseconds. {named}\n")
    for database, rows in found.items():
        print(f"| {database} | median | 99 % | CPU | CPU, 99 % |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for name, row in rows.items():
            print(f"| {name} | {row} |")
        print()
    if options.json:
        options.json.write_text(json.dumps({"machine": named, "rows": found}, indent=1) + "\n")


def _run(root: Path, url: str, options: argparse.Namespace) -> dict[str, str]:
    home = Home.open(root)
    if url:
        home = dataclasses.replace(home, registry_url=url)
    return measure(home, options.grants, options.signed, options.repeats)


if __name__ == "__main__":
    main()
