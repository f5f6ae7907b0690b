"""What a receipt says of a person's voice: commitments, and what opens them.

The salts are derived from the output's id, so nothing has to be kept to open an entry again,
and two receipts of one voice or grant have nothing in common for those who see only the log.
"""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, col, select

from consent.canonical import canonical, commitment
from consent.registry.job.records import Authorization, GrantUse, Opening
from consent.registry.storage.core import Core
from consent.registry.storage.tables import GrantRow, VoiceRow, VoiceUseRow


def opening(core: Core, output_id: str, voice: str, grant_id: str, digest: str) -> Opening:
    """Return what opens the commitments of one voice in one output."""
    return Opening(
        voice=voice,
        grant_id=grant_id,
        grant_digest=digest,
        voice_salt=core.salt("receipt-voice", output_id, voice).hex(),
        grant_salt=core.salt("receipt-grant", output_id, voice).hex(),
    )


def voice_commitment(opened: Opening) -> str:
    """Return how the log names the voice."""
    return commitment(opened.voice.encode(), bytes.fromhex(opened.voice_salt))


def grant_commitment(opened: Opening) -> str:
    """Return how the log names the grant."""
    named = canonical({"id": opened.grant_id, "digest": opened.grant_digest})
    return commitment(named, bytes.fromhex(opened.grant_salt))


def fits(opened: Opening, entry: dict[str, Any]) -> bool:
    """Whether `opened` is what the voice `entry` of a receipt commits to."""
    committed = (voice_commitment(opened), grant_commitment(opened))
    return committed == (entry["voice"], entry["grant"])


def of_use(core: Core, output_id: str, use: GrantUse) -> Opening:
    """Return what opens the commitments to a grant that an authorization rests on."""
    return opening(core, output_id, use.voice, use.grant_id, use.grant_digest)


def find(
    core: Core,
    session: Session,
    authorization: Authorization | None,
    output_id: str,
    entry: dict[str, Any],
) -> Opening | None:
    """Return which voice and grant the voice `entry` of a receipt means.

    They are among those of the authorization. Where it is lost, with an older database under a
    newer log, every voice and every grant of it is tried.
    """
    if authorization is not None:
        for use in authorization.grants:
            opened = of_use(core, output_id, use)
            if fits(opened, entry):
                return opened
    for name in session.exec(select(VoiceRow.name)).all():
        if voice_commitment(opening(core, output_id, name, "", "")) != entry["voice"]:
            continue
        for grant_id, digest in session.exec(
            select(GrantRow.id, GrantRow.digest).where(GrantRow.voice == name)
        ).all():
            opened = opening(core, output_id, name, grant_id, digest)
            if grant_commitment(opened) == entry["grant"]:
                return opened
    return None


def of_output(core: Core, session: Session, output_id: str) -> tuple[Opening, ...]:
    """Return what opens the receipt of an output; empty where only stock voices speak."""
    found = session.exec(
        select(VoiceUseRow.voice, GrantRow.id, GrantRow.digest)
        .where(VoiceUseRow.output_id == output_id, GrantRow.id == VoiceUseRow.grant_id)
        .order_by(col(VoiceUseRow.voice))
    ).all()
    return tuple(opening(core, output_id, *row) for row in found)
