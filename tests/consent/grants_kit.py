"""Anna, whose voice it is, the studio that may use it, and what they sign."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from consent_kit import KOKORO, NOON, a_draft, a_request

from consent.credentials.grant import Basis, Disclosure, GrantTerms, StatusEntry, draft_grant
from consent.credentials.statement import Statement, draft_statement
from consent.registry import AuthorizationRequest, ReceiptDraft, Registry, VoiceUse
from consent.registry.party.records import GrantRecord, Party

ANNA = "clone:anna"


def anna_speaks(minutes: float = 10.0, grant: str = "") -> VoiceUse:
    """Anna's voice in a request or a draft."""
    return VoiceUse(ANNA, "grant", "grant", commercial=True, minutes=minutes, grant=grant)


class Stage:
    """A registry with Anna, her voice, and a studio; her yes is asked for call by call."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.anna: Party = registry.create_party("person", "anna", "Anna Example")
        self.studio: Party = registry.create_party("organisation", "studio", "The Studio")
        registry.register_voice(ANNA, self.anna.id)

    def terms(self, **changes: Any) -> GrantTerms:
        """A year of audiobooks, 60 minutes, with `changes`."""
        usual: dict[str, Any] = {
            "voice": ANNA,
            "owner": self.anna.id,
            "licensee": self.studio.id,
            "licensee_did": self.studio.did,
            "registry_did": self.registry.did,
            "purposes": ("audiobook",),
            "languages": ("en",),
            "territories": ("world",),
            "minutes": 60,
            "commercial": False,
            "permissions": ("synthesis",),
            "performer_approval": False,
            "disclosure": Disclosure(audible=False),
            "basis": Basis(kind="self"),
            "status_interval_s": 86_400,
            "valid_from": NOON - timedelta(days=30),
            "valid_until": NOON + timedelta(days=335),
        }
        return GrantTerms(**(usual | changes))

    def token(
        self,
        *,
        signer: Party | None = None,
        status: StatusEntry | None = None,
        now: datetime | None = None,
        **changes: Any,
    ) -> str:
        """A grant as Anna signs it, with `changes` to its terms."""
        who = signer or self.anna
        key = self.registry.signing_key(who.id)
        assert key is not None
        waiting = draft_grant(
            self.terms(**changes),
            issuer_did=who.did,
            status=status or self.registry.new_status_entry(),
            now=now or self.now(),
        )
        return waiting.sign(key)

    def grant(self, **changes: Any) -> GrantRecord:
        """A grant of Anna's on record."""
        return self.registry.import_grant(self.token(**changes))

    def say(
        self, kind: str, subject: str, /, *, signer: Party | None = None, **body: Any
    ) -> Statement:
        """What Anna says later, signed and on record."""
        who = signer or self.anna
        key = self.registry.signing_key(who.id)
        assert key is not None
        waiting = draft_statement(
            kind, issuer_did=who.did, subject=subject, body=body, now=self.now()
        )
        return self.registry.add_statement(waiting.sign(key))

    def now(self) -> datetime:
        """The registry's time."""
        return self.registry._core.now()

    def request(
        self, *, minutes: float = 10.0, grant: str = "", **changes: Any
    ) -> AuthorizationRequest:
        """An audiobook in Anna's voice for the studio, with `changes`."""
        usual: dict[str, Any] = {
            "voices": (anna_speaks(minutes, grant),),
            "minutes": minutes,
            "licensee": self.studio.id,
            "content": ("none",),
        }
        return a_request(**(usual | changes))

    def draft(self, authorization_id: str, *, minutes: float = 2.0, **changes: Any) -> ReceiptDraft:
        """A file of `minutes` in Anna's voice."""
        usual: dict[str, Any] = {"voices": (anna_speaks(minutes),), "models": (KOKORO,)}
        return a_draft(self.registry, authorization_id, minutes=minutes, **(usual | changes))

    def seal(self, authorization_id: str, *, minutes: float = 2.0) -> str:
        """Publish a file of `minutes`; return its output id."""
        draft = self.draft(authorization_id, minutes=minutes)
        self.registry.issue_receipt(draft)
        self.registry.mark_sealed(draft.output_id, sha256="e" * 64, size=9, published_as="a.m4b")
        return draft.output_id

    def used_minutes(self, grant_id: str) -> float:
        """What the registry says is used of a grant."""
        return self.registry.grant(grant_id).used_ms / 60_000
