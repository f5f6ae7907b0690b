"""The door: the one place where sound becomes a file that a person may keep.

In this order: (1) mark; (2) encode into a file without a name; (3) read mark and sound back;
(4) receipt in the registry, which appends it to the log; (5) embed the proof, sign, and verify
the finished bytes; (6) put them on record as sealed; (7) publish by rename. Whatever fails on
the way, nothing playable is left: docs/provenance.md says what a crash leaves at each step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from consent.errors import InputError, RefusedError, VerificationError
from consent.files import storage_error
from consent.home import Home
from consent.log.proof import verify_proof
from provenance.audio.containers import Container, checked_bitrate
from provenance.audio.containers import container as container_named
from provenance.audio.encode import ChapterSpan, Encoding, check_size, encode
from provenance.audio.pcm import FloatArray
from provenance.audio.tags import DISCLOSURE, Tags, checked_cover
from provenance.destination import check_destination
from provenance.manifest import build, certificates, read, trust
from provenance.manifest.signer import sign
from provenance.recovery import Journal, recover
from provenance.request import ChapterAudio, SealedOutput, SealRequest
from provenance.scratch import Draft, ScratchFile, publish, unnamed
from provenance.soundcheck import Level, check_mark, check_sound
from provenance.watermark import WatermarkModel, active

if TYPE_CHECKING:
    from consent.registry import Receipt, Registry

__all__ = [
    "ChapterAudio",
    "SealRequest",
    "SealedOutput",
    "Tags",
    "check_destination",
    "recover",
    "seal",
]

Progress = Callable[[str, float], None]

NO_WATERMARK = "the file carries no watermark: no model is set to make one"
# What a file needs on disk beside its sound: manifest, cover twice, tags.
_MARGIN = 8 << 20


def seal(
    request: SealRequest,
    *,
    registry: Registry,
    home: Home,
    progress: Progress | None = None,
) -> SealedOutput:
    """Mark, encode, sign and publish one file, or leave nothing behind.

    Parameters
    ----------
    registry
        Holds the authorization, whose lease must be open.
    progress
        Called with the step (``"encode"``, ``"check"``, ``"sign"``, ``"publish"``) and how much of
        it is done, 0 to 1.

    Raises
    ------
    RefusedError
        The authorization does not exist, has ended or does not cover this; or a watermark is
        required and there is no model.
    InputError
        The request cannot be carried out: container, bit rate, cover, lengths; or the destination
        exists.
    StorageError
        The disk is full, or the folder is missing or read-only.
    VerificationError
        The finished bytes did not verify. They were not published.
    """
    door = _Door(request, registry, home, progress or (lambda step, done: None))
    return door.pass_through()


class _Door:
    """One file on its way out."""

    def __init__(
        self, request: SealRequest, registry: Registry, home: Home, tell: Progress
    ) -> None:
        self.request = request
        self.registry = registry
        self.home = home
        self.tell = tell
        self.kind = container_named(request.container)
        self.destination = check_destination(
            request.destination,
            self.kind.name,
            overwrite=request.overwrite,
            needed=estimated_bytes(request, self.kind),
        )
        self.mark = self._prepare()
        self.output_id = registry.new_output_id()

    @property
    def mark_name(self) -> str:
        """Id of the watermark model, ``"none"`` without one."""
        return "none" if self.mark is None else self.mark.name

    @property
    def disclosure(self) -> str:
        """The sentence that says the voice is synthetic."""
        return self.request.disclosure or self.home.setting("seal", "disclosure") or DISCLOSURE

    def _prepare(self) -> WatermarkModel | None:
        """Refuse early what would be refused late."""
        request, kind = self.request, self.kind
        if not request.chapters:
            raise InputError("there is no chapter to write")
        if not 8000 <= request.sample_rate <= 192_000:
            raise InputError(f"sample rate {request.sample_rate} Hz is out of range")
        samples = sum(chapter.samples for chapter in request.chapters)
        check_size(kind, samples)
        checked_bitrate(kind, kind.output_rate(request.sample_rate), request.bitrate)
        checked_cover(request.tags)
        mark = active(self.home)
        required = request.require_watermark or self.home.setting("seal", "require_watermark")
        if mark is None and required:
            raise RefusedError(
                "a watermark is required, and no model is set to make one",
                hint="Leave the requirement out: manifest and receipt are made all the same.",
            )
        # The receipt decides; asking now saves the work of encoding what would be refused.
        left = self.registry.minutes_left(request.authorization_id)
        minutes = samples / request.sample_rate / 60
        if minutes > left:
            raise RefusedError(
                f"the authorization {request.authorization_id} has {left:.2f} minutes left, this "
                f"file has {minutes:.2f}",
                hint="Ask for a new authorization with the minutes the work really needs.",
            )
        return mark

    def pass_through(self) -> SealedOutput:
        """Do the seven steps."""
        try:
            with unnamed(self.destination.parent) as sound:
                encoding, level = self._encode(sound)
                check_sound(
                    sound, encoding.duration_s, level, lambda done: self.tell("check", done)
                )
                if self.mark is not None:
                    check_mark(sound, self.mark, self.output_id)
                with Journal.open(
                    self.home, self.output_id, self.destination, self.request.overwrite
                ) as journal:
                    return self._publish(encoding, sound, journal)
        except OSError as exc:
            raise storage_error(exc, self.destination) from exc

    def _encode(self, sound: ScratchFile) -> tuple[Encoding, Level]:
        """Do steps 1 and 2: put the mark in, and write the encoded file."""
        request, level = self.request, Level()
        blocks = _chapters(request)
        if self.mark is not None:
            blocks = self.mark.embed(blocks, request.sample_rate, self.output_id)
        spans = [ChapterSpan(chapter.title, chapter.samples) for chapter in request.chapters]
        try:
            encoding = encode(
                level.through(blocks),
                sound,
                kind=self.kind,
                sample_rate=request.sample_rate,
                chapters=spans,
                tags=request.tags,
                bitrate=request.bitrate,
                disclosure=self.disclosure,
                progress=lambda done: self.tell("encode", done),
            )
        except Exception as exc:
            if sound.failure is not None and sound.failure is not exc:
                raise sound.failure from exc
            raise
        return encoding, level

    def _publish(self, encoding: Encoding, sound: ScratchFile, journal: Journal) -> SealedOutput:
        """Do steps 4 to 7: from the receipt on, a failure is put on record."""
        self.tell("sign", 0.0)
        receipt = self._receipt(encoding)
        draft: Draft | None = None
        try:
            draft = Draft(journal.hidden)
            reading = self._sign(encoding, sound, draft.file, receipt)
            self.tell("sign", 1.0)
            self.tell("publish", 0.0)
            sha256, size = _sha256(draft.file), draft.file.size
            draft.stage(mode=0o644)
            journal.staged(sha256)
            self.registry.mark_sealed(
                self.output_id, sha256=sha256, size=size, published_as=self.destination.name
            )
            publish(journal.hidden, self.destination, overwrite=self.request.overwrite)
        except BaseException as exc:
            if draft is None or not draft.published:
                self._give_up(exc, draft)
            if draft is not None and draft.file.failure is not None:
                raise storage_error(draft.file.failure, self.destination) from exc
            raise
        draft.file.close()
        self.tell("publish", 1.0)
        unmarked = (NO_WATERMARK,) if self.mark is None else ()
        return SealedOutput(
            path=self.destination,
            output_id=self.output_id,
            sha256=sha256,
            duration_s=encoding.duration_s,
            container=self.kind.name,
            watermark=self.mark_name,
            manifest_label=reading.label,
            warnings=(*encoding.warnings, *unmarked),
        )

    def _receipt(self, encoding: Encoding) -> Receipt:
        """Do step 4: put the output on record; from here on it has used its minutes."""
        from consent.registry import ReceiptDraft

        return self.registry.issue_receipt(
            ReceiptDraft(
                authorization_id=self.request.authorization_id,
                output_id=self.output_id,
                container=self.kind.name,
                duration_s=encoding.duration_s,
                text_digest=self.request.text_digest,
                source_pcm_sha256=encoding.pcm_sha256,
                watermark=self.mark_name,
                voices=self.request.voices,
                models=self.request.models,
                title=self.request.tags.title,
            )
        )

    def _sign(
        self, encoding: Encoding, sound: ScratchFile, signed: ScratchFile, receipt: Receipt
    ) -> read.ManifestReading:
        """Do step 5: sign into `signed`, and read the result back as a stranger would."""
        definition, resources = build.definition(self.request.tags, self._claims(encoding, receipt))
        sign(
            sound,
            signed,
            mime=self.kind.mime,
            definition=definition,
            identity=certificates.signing_identity(self.home),
            resources=resources,
            timestamp_url=self.home.setting("seal", "timestamp_url"),
        )
        if signed.failure is not None:
            raise signed.failure
        own = [e for e in trust.trust_list(self.home, own_logs=()) if e.name == trust.OWN]
        reading = read.read_manifest(signed, self.kind.mime, own)
        if reading.status != read.TRUSTED:
            raise VerificationError(
                "the signed file does not verify: "
                f"{reading.status} {', '.join(reading.codes)} {reading.detail}".strip(),
                hint="Nothing was published. See 'vivavoce doctor' for keys and certificates.",
            )
        consent = reading.assertion(build.CONSENT) or {}
        embedded = consent.get("receipt") or {}
        if embedded.get("leaf") != receipt.leaf_json:
            raise VerificationError("the signed file does not hold the receipt it was given")
        verify_proof(str(embedded.get("proof")), receipt.leaf_json, self.registry.log.vkey)
        return reading

    def _claims(self, encoding: Encoding, receipt: Receipt) -> build.Claims:
        leaf: dict[str, Any] = json.loads(receipt.leaf_json)
        openings = {opening.voice: opening.to_json() for opening in receipt.openings}
        mark = None if self.mark is None else {"model": self.mark.name, "output": self.output_id}
        return build.Claims(
            output_id=self.output_id,
            registry_tag=self.registry.registry_tag,
            created_at=receipt.created_at,
            container=self.kind.name,
            duration_s=encoding.duration_s,
            sample_rate=encoding.sample_rate,
            pcm_sha256=encoding.pcm_sha256,
            pcm_format=encoding.pcm_format,
            disclosure=self.disclosure,
            authorization_sha256=str(leaf["authorization"]),
            policies=[str(rule) for rule in leaf["policy"]["rules"]],
            purpose=str(leaf["purpose"]),
            voices=[
                build.VoiceClaim(v.voice, v.basis, v.licence, openings.get(v.voice))
                for v in self.request.voices
            ],
            models=[
                build.ModelClaim(m.model, m.engine, m.engine_version, m.sha256, m.licence)
                for m in self.request.models
            ],
            leaf=receipt.leaf_json,
            tlog_proof=receipt.tlog_proof,
            log_vkey=self.registry.log.vkey,
            watermark=mark,
            publisher=self.home.setting("seal", "publisher") or "",
        )

    def _give_up(self, exc: BaseException, draft: Draft | None) -> None:
        if draft is not None:
            draft.discard()
        reason = getattr(exc, "message", None) or type(exc).__name__
        try:
            self.registry.abandon(self.output_id, f"sealing failed: {reason}")
        except Exception as second:
            # The first error is the one to report; recovery at the next start tries again.
            exc.add_note(f"the receipt {self.output_id} could not be abandoned: {second}")


def estimated_bytes(request: SealRequest, kind: Container) -> int:
    """Return the bytes of disk that sealing needs at its peak: the file, twice.

    AAC is given a quarter more: on noise it overshoots its bit rate.
    """
    samples = sum(chapter.samples for chapter in request.chapters)
    bits = request.bitrate or kind.default_bitrate(kind.output_rate(request.sample_rate))
    size = 2 * samples if bits is None else samples * bits // (8 * request.sample_rate) * 5 // 4
    return 2 * (size + _MARGIN)


def _chapters(request: SealRequest) -> Iterator[FloatArray]:
    """Yield the sound of all chapters, each as long as it was said to be."""
    for number, chapter in enumerate(request.chapters, 1):
        came = 0
        for block in chapter.blocks():
            came += len(block)
            yield block
        if came != chapter.samples:
            raise InputError(
                f"chapter {number} ({chapter.title!r}) was said to have {chapter.samples} samples "
                f"and has {came}"
            )


def _sha256(file: ScratchFile) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
