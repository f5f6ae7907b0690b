"""The part of the registry that is about people: parties, voices, grants and statements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.registry.grant import grant_rows, grants, statements, status
from consent.registry.grant.status import StatusChange
from consent.registry.party import mandates, minors, operating, parties, voices
from consent.registry.party.records import (
    GrantRecord,
    Mandate,
    Party,
    RegisteredVoice,
    StatementRecord,
)
from consent.registry.storage.core import Core

if TYPE_CHECKING:
    from consent.credentials.grant import StatusEntry
    from consent.credentials.statement import Statement


class Consents:
    """Methods of :class:`consent.registry.Registry`; not used by itself."""

    _core: Core

    def now(self) -> datetime:
        """Return the time by the registry's clock, in UTC."""
        return self._core.now()

    # -- Parties and voices -------------------------------------------------------------

    def create_party(
        self,
        kind: str,
        handle: str,
        display_name: str,
        *,
        legal_name: str = "",
        contact: str = "",
        country: str = "",
        birth_date: date | None = None,
        did: str | None = None,
        with_key: bool = True,
    ) -> Party:
        """Put a person or an organisation on record.

        Everything that says who it is lies sealed under a key of its own; the log learns only
        that there is somebody.

        Parameters
        ----------
        kind
            ``"person"`` or ``"organisation"``.
        handle
            Short name to type: lower-case letters, digits, hyphens.
        country
            ISO 3166-1 alpha-2.
        birth_date
            Of a person; needed for a minor, whose yes a guardian gives.
        did
            The party's ``did:key``, held elsewhere. None: a key is made here.
        with_key
            False for somebody who signs nothing (a child, a dead person), if `did` is None.

        Raises
        ------
        RefusedError
            The handle or the key is taken.
        InputError
            A name, country, date or key cannot be used.
        """
        return parties.create(
            self._core,
            kind,
            handle,
            display_name,
            legal_name=legal_name,
            contact=contact,
            country=country,
            birth_date=birth_date,
            did=did,
            with_key=with_key,
        )

    def party(self, id_or_handle: str) -> Party:
        """Return a party.

        Raises
        ------
        RefusedError
            There is none.
        VerificationError
            It was changed in the registry.
        """
        return parties.get(self._core, id_or_handle)

    def parties(self) -> list[Party]:
        """Return all parties, oldest first."""
        return parties.every(self._core)

    def signing_key(self, party: str) -> Ed25519PrivateKey | None:
        """Return the key that a party signs with now, None where it is held elsewhere."""
        return parties.signing_key(self._core, party)

    def register_voice(self, name: str, owner: str, *, alias: str = "") -> RegisteredVoice:
        """Put on record whose voice it is. From then on it speaks by a grant or not at all.

        Parameters
        ----------
        name
            Qualified name, ``engine:name``.
        owner
            Id or handle of the rights holder.
        alias
            What the owner calls it.

        Raises
        ------
        RefusedError
            It is somebody's already, or there is no such party.
        InputError
            It is not the name of a voice.
        """
        return voices.register(self._core, name, owner, alias=alias)

    def registered_voice(self, name: str) -> RegisteredVoice | None:
        """Return whose voice it is, None for one that is nobody's.

        Raises
        ------
        VerificationError
            Its row was changed or deleted.
        """
        return voices.get(self._core, name)

    def registered_voices(self) -> list[RegisteredVoice]:
        """Return all registered voices, oldest first."""
        return voices.every(self._core)

    # -- Keys and mandates --------------------------------------------------------------

    def prepare_key(self, party: str) -> str:
        """Make the party's next key in this home and return its did.

        It counts from the statement on that names it (a rotation, for instance).
        """
        return operating.prepare_key(self._core, party)

    def rotate_key(self, party: str, *, did: str | None = None) -> Statement:
        """Let a key that is held here hand over to another.

        Parameters
        ----------
        did
            The new key, held elsewhere. None: one is made here.

        Raises
        ------
        RefusedError
            The old key is not held here, or the new one is somebody's.
        """
        return operating.rotate_key(self._core, party, did)

    def replace_key(
        self, party: str, reason: str, *, did: str | None = None, since: datetime | None = None
    ) -> Party:
        """Give a party a new key on the operator's word, the old one being lost or stolen.

        The log says that the registry did it. Documents that came in before `since` stay good.

        Parameters
        ----------
        reason
            How it is known, and by whom; kept in the signed statement.
        did
            The new key, held elsewhere. None: one is made here.
        since
            From when somebody else may have had the old key. None: from now.

        Raises
        ------
        RefusedError
            The party is erased, or the new key is somebody's.
        """
        return operating.replace_key(self._core, party, reason, did=did, since=since)

    def record_mandate(
        self,
        kind: str,
        principal: str,
        representative: str,
        *,
        scope: tuple[str, ...] = ("grant", "revoke", "approve"),
        valid_until: datetime | None = None,
        proof: str = "",
    ) -> Statement:
        """Record a guardian or an estate whose proof the operator has seen.

        Parameters
        ----------
        kind
            ``"guardian"`` or ``"estate"``; an agent's mandate is signed by the principal.
        principal, representative
            Ids or handles: for whom, and who acts.
        proof
            Commitment to the document, hex (:func:`consent.canonical.commitment`).

        Raises
        ------
        RefusedError
            A guardian for an adult or beyond the 18th birthday, or an agent.
        InputError
            The proof is missing.
        """
        return operating.record_mandate(
            self._core,
            kind,
            principal,
            representative,
            scope=scope,
            valid_until=valid_until,
            proof=proof,
        )

    def mandates(self, principal: str) -> list[Mandate]:
        """Return every mandate to act for a party (its id), oldest first.

        Raises
        ------
        VerificationError
            One of them was changed in the registry.
        """
        return mandates.listed(self._core, principal)

    def coming_of_age(self, party: str) -> date | None:
        """Return the 18th birthday of a party known to be a minor; None for anybody else."""
        found = parties.get(self._core, party)
        if found.birth_date is None or not minors.is_minor(found, self._core.now()):
            return None
        return minors.adult_on(found.birth_date)

    # -- Grants and statements ----------------------------------------------------------

    def new_status_entry(self) -> StatusEntry:
        """Return a place in a status list of this registry, for a grant about to be drafted."""
        return status.new_entries(self._core, 1)[0]

    def new_status_entries(self, count: int) -> list[StatusEntry]:
        """Return `count` places at once; see :meth:`new_status_entry`."""
        return status.new_entries(self._core, count)

    def import_grant(self, token: str) -> GrantRecord:
        """Take a signed grant in.

        Raises
        ------
        VerificationError
            It is not a grant, its signature does not hold, or what it is compared with in the
            registry was changed.
        RefusedError
            It is for another registry, or already on record; the voice is not registered or
            somebody else's; who signed is neither the rights holder nor mandated, or with a key
            that is not good; it ended, or was signed in the future; it breaks a rule.
        """
        return grants.import_all(self._core, [token])[0]

    def import_grants(self, tokens: Sequence[str]) -> list[GrantRecord]:
        """Take many grants in, all of them or none; errors as for :meth:`import_grant`."""
        return grants.import_all(self._core, tokens)

    def grant(self, grant_id: str) -> GrantRecord:
        """Return a grant, its row compared with its signed document.

        Raises
        ------
        RefusedError
            There is none on record, or the rights holder was erased.
        VerificationError
            It was changed, swapped or put back, or its document was lost.
        """
        return grant_rows.get(self._core, grant_id)

    def grants(
        self,
        *,
        voice: str | None = None,
        owner: str | None = None,
        licensee: str | None = None,
        status: str | None = None,
    ) -> list[GrantRecord]:
        """Return grants, newest first; those that cannot be used say why (``problem``).

        Parameters
        ----------
        owner, licensee
            Party ids.
        status
            As signed for (``"active"``, ``"suspended"``, ``"revoked"``, ``"superseded"``) or as
            :meth:`GrantRecord.standing` has it now.
        """
        return grant_rows.listed(
            self._core, voice=voice, owner=owner, licensee=licensee, status=status
        )

    def add_statement(self, token: str) -> Statement:
        """Take a signed statement in; it takes effect at once. Twice is harmless.

        A revocation or suspension of a grant that is not on record waits for it.

        Raises
        ------
        VerificationError
            It is not a statement, or its signature does not hold.
        RefusedError
            Who signed may not say it, or the key was not good; or it would change nothing.
        """
        return statements.add(self._core, token)

    def statements(
        self, *, kind: str | None = None, subject: str | None = None, grant: str | None = None
    ) -> list[StatementRecord]:
        """Return the statements received, oldest first; mandates are not among them."""
        return statements.listed(self._core, kind=kind, subject=subject, grant=grant)

    def export_status_list(self, list_id: str) -> str:
        """Return a status list of this registry, signed, as any VC library reads it.

        Parameters
        ----------
        list_id
            As the grants name it: the list of revocations, or the one of suspensions.

        Raises
        ------
        RefusedError
            It is not a list of this registry.
        """
        return status.export(self._core, list_id)

    def import_status_list(self, token: str) -> StatusChange:
        """Take in somebody else's status list; their grants are as fresh as its date.

        Raises
        ------
        VerificationError
            It is not a status list, or its signature does not hold.
        RefusedError
            It is out of date, older than what is known, or its issuer may not speak for any
            grant in it.
        """
        return status.import_list(self._core, token)
