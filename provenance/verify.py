"""Reading a file back: what its manifest and receipt prove, and what they do not.

Each layer is a finding with its own basis; the status comes from all of them together. Nothing a
file says is believed before it was checked, and nothing is looked up on a network.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from consent.errors import InputError, VivavoceError
from consent.home import Home
from consent.log.quorum import WitnessPolicy, load_policy
from provenance.audio.decode import AudioInfo, probe
from provenance.grants import check_grants
from provenance.manifest import build, read, trust
from provenance.manifest.read import ManifestReading
from provenance.receipts import check_receipt, check_registry, is_draft, same_sound
from provenance.report import (
    ABSENT,
    CONFIRMED,
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_RUN,
    Finding,
    Report,
    plain,
    plain_data,
)
from provenance.sniff import sniff

if TYPE_CHECKING:
    from consent.registry import Registry

__all__ = ["Finding", "Report", "verify"]

# Reading a manifest takes memory in proportion to the file (1.2 to 2 times); no real audiobook is
# larger than this.
MAX_BYTES = 4 << 30


def verify(path: Path, *, home: Home, max_bytes: int = MAX_BYTES) -> Report:
    """Say what a file's manifest and receipt prove.

    Parameters
    ----------
    path
        The file; it may come from anybody.
    home
        Whose trust list counts.
    max_bytes
        Larger files are refused.

    Raises
    ------
    InputError
        The file is missing, no regular file, empty, too large, or not an audio file.
    VerificationError
        This home's own trust entries are damaged.
    """
    path = Path(path)
    with _opened(path, max_bytes) as stream:
        mime = sniff(stream)
        info = _probe(stream, path, mime)
        with _own_registry(home) as (registry, trouble):
            logs = () if registry is None else (registry.log.vkey,)
            entries = trust.trust_list(home, own_logs=logs)
            if mime is None or mime == "other":
                reading = ManifestReading(read.ABSENT, reason="format")
            else:
                reading = read.read_manifest(stream, mime, entries)
            verdict = _Verdict(path, stream, info, reading, entries, registry, trouble)
            verdict.witnesses = load_policy(home)
            return verdict.report()


class _Verdict:
    """Puts the layers together."""

    def __init__(
        self,
        path: Path,
        stream: IO[bytes],
        info: AudioInfo | None,
        reading: ManifestReading,
        entries: Sequence[trust.TrustEntry],
        registry: Registry | None,
        trouble: str,
    ) -> None:
        self.path = path
        self.stream = stream
        self.info = info
        self.reading = reading
        self.entries = entries
        self.registry = registry
        self.trouble = trouble
        self.consent = reading.assertion(build.CONSENT)
        self.witnesses = WitnessPolicy()
        self.findings: list[Finding] = []

    def report(self) -> Report:
        """Return the finished report."""
        status = self.reading.status
        if status == read.ABSENT:
            self._absent()
        else:
            self._content()
            self._time()
            if self.consent is not None:
                self._receipt(self.consent)
        self.findings.append(
            Finding(
                "watermark", NOT_RUN, "No watermark was looked for: see `vivavoce watermark read`."
            )
        )
        if status == read.TRUSTED and any(f.status == CONTRADICTED for f in self.findings):
            status = read.INVALID
            headline = (
                "The signature is that of a trusted signer, but the file contradicts its own "
                "receipt. Do not rely on it."
            )
        else:
            headline = self._headline()
        return Report(self.path, status, headline, tuple(self.findings), self._details())

    def _headline(self) -> str:
        reading = self.reading
        signer = plain(reading.signer) or "an unnamed signer"
        if reading.trusted_by is not None:
            whose = (
                "by this installation"
                if reading.trusted_by.name == trust.OWN
                else f"by {reading.trusted_by.name}, whom you trust"
            )
            return f"Signed {whose} ({signer}); not a byte that counts has changed since."
        if reading.status == read.UNTRUSTED:
            return (
                f"Unchanged since it was signed, but by {signer!r}, whom nobody here vouches for: "
                "anyone can sign under any name. To trust this signer, get its bundle by a safe "
                "way and add it: vivavoce trust add FILE --name NAME."
            )
        if reading.status == read.ALTERED:
            return "Changed after it was signed, or its manifest was taken from another file."
        if reading.status == read.ABSENT:
            return "No C2PA manifest found."
        reasons = {
            "expired": "The signer's certificate was not valid, and no trusted time stamp shows "
            "that the file was signed while it was.",
            "ingredient": "A part this file was made from does not match its own manifest.",
            "damaged": "The file, or the manifest in it, is damaged or cut short.",
        }
        return reasons.get(reading.reason, "The manifest does not hold together.")

    def _absent(self) -> None:
        told = {
            "format": "Files of this kind cannot carry a manifest that this program reads.",
            "remote": "The file names a manifest on the network; nothing was fetched.",
        }
        self.findings.append(
            Finding(
                "manifest",
                INCONCLUSIVE if self.reading.reason else ABSENT,
                f"{told.get(self.reading.reason, 'There is no manifest in the file.')} That says "
                "nothing about who or what made the sound: copying and converting remove it.",
            )
        )

    def _content(self) -> None:
        """Say what the manifest says, with the weight its signature gives it."""
        reading = self.reading
        trusted = reading.status == read.TRUSTED
        status = {read.TRUSTED: CONFIRMED, read.UNTRUSTED: INCONCLUSIVE}.get(
            reading.status, CONTRADICTED
        )
        by = f" with {plain(reading.generator)}" if reading.generator else ""
        says = "The manifest says" if trusted else "The manifest claims"
        if _synthetic(reading):
            self.findings.append(
                Finding("manifest", status, f"{says} that the sound is synthetic, made{by}.")
            )
        else:
            self.findings.append(Finding("manifest", status, f"{says} that the file was made{by}."))
        for voice in _tables(self.consent, "voices"):
            grant = voice.get("grant")
            sentence = build.basis_sentence(
                plain(voice.get("voice")),
                plain(voice.get("basis")),
                plain(voice.get("licence")),
                plain(grant.get("id")) if isinstance(grant, Mapping) else "",
            )
            self.findings.append(
                Finding("manifest", status, sentence if trusted else f"Claimed: {sentence}")
            )
        if self.consent is not None and self.consent.get("watermark") == "none":
            self.findings.append(
                Finding("manifest", status, f"{says} that the sound carries no watermark.")
            )

    def _time(self) -> None:
        if self.reading.time and self.reading.time_trusted:
            sentence = f"Signed at {plain(self.reading.time)}, by a time stamp server you trust."
            self.findings.append(Finding("time", CONFIRMED, sentence))
        elif self.reading.time:
            sentence = (
                f"A time stamp says {plain(self.reading.time)}; its server is not one you trust."
            )
            self.findings.append(Finding("time", INCONCLUSIVE, sentence))
        else:
            sentence = "No time stamp: when it was signed is the signer's own word."
            self.findings.append(Finding("time", ABSENT, sentence))

    def _receipt(self, consent: Mapping[str, Any]) -> None:
        receipt = check_receipt(self.reading, consent, self.entries, self.info, self.witnesses)
        self.findings.append(receipt)
        if receipt.status == CONFIRMED and is_draft(consent):
            self.findings.append(
                Finding(
                    "receipt",
                    CONFIRMED,
                    "It is a draft for the performer's ears: according to its receipt it was not "
                    "made for publication.",
                )
            )
        own = self.reading.trusted_by is not None and self.reading.trusted_by.name == trust.OWN
        if own and self.registry is not None:
            self.findings.append(check_registry(self.registry, consent, self.stream))
            self.findings += check_grants(self.registry, consent)
        elif own:
            told = self.trouble or "there is no registry in this home"
            self.findings.append(Finding("registry", NOT_RUN, f"Not looked up: {told}."))
        if self.reading.status == read.ALTERED and self.reading.signer_known:
            heard = same_sound(consent, self.stream, self.info)
            if heard is not None:
                self.findings.append(heard)

    def _details(self) -> dict[str, Any]:
        reading = self.reading
        details: dict[str, Any] = {
            "trusted_by": reading.trusted_by.name if reading.trusted_by else None,
            "manifest": reading.label,
            "signer": plain(reading.signer),
            "issuer": plain(reading.issuer),
            "generator": plain(reading.generator),
            "title": plain(reading.title),
            "time": reading.time,
            "time_trusted": reading.time_trusted,
            "codes": [plain(code) for code in reading.codes],
            "reason": reading.reason,
            "detail": plain(reading.detail, 300),
        }
        if self.consent is not None:
            claims = {k: v for k, v in self.consent.items() if k != "receipt"}
            details["consent"] = plain_data(claims)
        if self.info is not None:
            details["audio"] = {
                "format": self.info.format,
                "codec": self.info.codec,
                "sample_rate": self.info.sample_rate,
                "channels": self.info.channels,
                "duration_s": round(self.info.duration_s, 3),
                "chapters": len(self.info.chapters),
            }
        return details


@contextmanager
def _opened(path: Path, max_bytes: int) -> Iterator[IO[bytes]]:
    """Open a regular file; a pipe or device would make us wait or read for ever."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path} is a folder", hint="Name a file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is not a regular file")
        if status.st_size == 0:
            raise InputError(f"{path} is empty")
        if status.st_size > max_bytes:
            raise InputError(
                f"{path} has {status.st_size / 2**30:.1f} GiB; at most {max_bytes / 2**30:.1f} GiB "
                "are read"
            )
        stream = path.open("rb")
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}") from exc
    with stream:
        yield stream


def _probe(stream: IO[bytes], path: Path, mime: str | None) -> AudioInfo | None:
    """Return what the file says of itself; None for damaged audio, an error for no audio."""
    try:
        return probe(stream)
    except InputError as exc:
        if mime is None:
            raise InputError(f"{path} is not an audio file", hint=exc.hint) from exc
        return None


@contextmanager
def _own_registry(home: Home) -> Iterator[tuple[Registry | None, str]]:
    """Open this home's registry if it has one: verifying must not create one."""
    if not (home.log / "checkpoint").exists():
        yield None, ""
        return
    from consent.registry import Registry

    try:
        registry = Registry.open(home)
    except VivavoceError as exc:
        yield None, exc.message
        return
    with registry:
        yield registry, ""


def _synthetic(reading: ManifestReading) -> bool:
    for label in ("c2pa.actions.v2", "c2pa.actions"):
        for action in _tables(reading.assertion(label), "actions"):
            if str(action.get("digitalSourceType", "")).rpartition("/")[2] in (
                "trainedAlgorithmicMedia",
                "compositeWithTrainedAlgorithmicMedia",
                "compositeSynthetic",
            ):
                return True
    return False


def _tables(data: Mapping[str, Any] | None, key: str) -> list[Mapping[str, Any]]:
    rows = data.get(key) if data is not None else None
    return [r for r in rows[:100] if isinstance(r, Mapping)] if isinstance(rows, list) else []
