"""Tables of the registry. The schema's history is in ``migrations``.

``ref`` is what the log calls a row by: a commitment to its id, so that the log names nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Index, MetaData, Text, UniqueConstraint
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from consent.errors import VerificationError

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UTCDateTime(TypeDecorator[datetime]):
    """An aware time, stored in UTC; a bare time is refused."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store as UTC without zone, the same in every database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Read what the database has; SQLite keeps whatever somebody wrote there."""
        read = super().result_processor(dialect, coltype)
        if read is None:
            return None

        def checked(value: Any) -> Any:
            try:
                return read(value)
            except (ValueError, TypeError) as exc:
                raise VerificationError(
                    f"the registry has {str(value)[:40]!r} where a time belongs: it was changed",
                    hint="Restore it from a backup: vivavoce keys restore --help",
                ) from exc

        return checked

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware time in UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Table(SQLModel):
    """Base of the tables."""

    metadata = metadata


class MetaRow(Table, table=True):
    """What the registry knows of itself: its key, and the head of the log it has taken in."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True, max_length=64)
    value: str = Field(sa_type=Text)


class AuthorizationRow(Table, table=True):
    """A signed authorization and its signed, changing state."""

    __tablename__ = "authorizations"

    id: str = Field(primary_key=True, max_length=32)
    digest: str = Field(max_length=64, unique=True)
    job_digest: str = Field(max_length=64, index=True)
    issued_at: datetime = Field(sa_type=UTCDateTime, index=True)
    payload: str = Field(sa_type=Text)
    signature: str = Field(max_length=128)
    # What follows changes, and is signed anew with every change.
    state: str = Field(max_length=16, index=True)
    reason: str = Field(default="", sa_type=Text)
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    renewed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    receipts: int = 0
    used_ms: int = Field(default=0, sa_type=BigInteger)
    state_signature: str = Field(max_length=128)


class LeaseRow(Table, table=True):
    """Who is working under an authorization: tells a running job from a dead one."""

    __tablename__ = "leases"

    authorization_id: str = Field(primary_key=True, max_length=32, foreign_key="authorizations.id")
    holder: str = Field(max_length=64)
    pid: int
    opened_at: datetime = Field(sa_type=UTCDateTime)
    heartbeat_at: datetime = Field(sa_type=UTCDateTime)
    released_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class ReceiptRow(Table, table=True):
    """One output: its log entry and proof, and what came of it."""

    __tablename__ = "receipts"

    output_id: str = Field(primary_key=True, max_length=12)
    authorization_id: str | None = Field(
        default=None, max_length=32, index=True, foreign_key="authorizations.id"
    )
    leaf_index: int = Field(sa_type=BigInteger, unique=True)
    leaf_json: str = Field(sa_type=Text)
    tlog_proof: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UTCDateTime)
    duration_ms: int = Field(sa_type=BigInteger)
    container: str = Field(max_length=8)
    title: str = Field(default="", sa_type=Text)
    state: str = Field(max_length=16, index=True)
    reason: str = Field(default="", sa_type=Text)
    sha256: str = Field(default="", max_length=64, index=True)
    size: int = Field(default=0, sa_type=BigInteger)
    published_as: str = Field(default="", sa_type=Text)


class VoiceUseRow(Table, table=True):
    """How long a voice speaks in an output: what statements of use are made from."""

    __tablename__ = "voice_uses"

    output_id: str = Field(primary_key=True, max_length=12, foreign_key="receipts.output_id")
    voice: str = Field(primary_key=True, max_length=200, index=True)
    basis: str = Field(max_length=16)
    licence: str = Field(max_length=200)
    duration_ms: int = Field(sa_type=BigInteger)
    grant_id: str | None = Field(default=None, max_length=64, index=True)
    # A draft for the performer's ears: on record, but no minutes of the grant.
    review: bool = False


class LogIndexRow(Table, table=True):
    """Where to find an entry in the log, by what it is about."""

    __tablename__ = "log_index"

    leaf_index: int = Field(primary_key=True, sa_type=BigInteger)
    kind: str = Field(max_length=16, index=True)
    subject: str = Field(max_length=64, index=True)
    leaf_hash: str = Field(max_length=64)


class PartyRow(Table, table=True):
    """A person or an organisation; who that is, is sealed under the person's key."""

    __tablename__ = "parties"

    id: str = Field(primary_key=True, max_length=32)
    ref: str = Field(max_length=64, unique=True)
    kind: str = Field(max_length=16)
    state: str = Field(max_length=16)
    handle_index: str = Field(max_length=80, unique=True)
    profile: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UTCDateTime)
    leaf_index: int = Field(sa_type=BigInteger, unique=True)
    signature: str = Field(max_length=128)


class PartyKeyRow(Table, table=True):
    """One key in the history of a party's keys."""

    __tablename__ = "party_keys"

    did: str = Field(primary_key=True, max_length=100)
    ref: str = Field(max_length=64, unique=True)
    party_id: str = Field(max_length=32, index=True, foreign_key="parties.id")
    held: str = Field(max_length=16)
    key_name: str = Field(max_length=64)
    state: str = Field(max_length=16)
    valid_from: datetime = Field(sa_type=UTCDateTime)
    valid_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    compromised_since: datetime | None = Field(default=None, sa_type=UTCDateTime)
    # Entry of the log from which on the key is good no longer: order decides, not dates.
    ended_leaf: int | None = Field(default=None, sa_type=BigInteger)
    leaf_index: int = Field(sa_type=BigInteger, unique=True)
    signature: str = Field(max_length=128)


class MandateRow(Table, table=True):
    """Why one party may act for another."""

    __tablename__ = "mandates"

    id: str = Field(primary_key=True, max_length=64)
    ref: str = Field(max_length=64, unique=True)
    principal: str = Field(max_length=32, index=True, foreign_key="parties.id")
    representative: str = Field(max_length=32, index=True, foreign_key="parties.id")
    kind: str = Field(max_length=16)
    scope: str = Field(max_length=200)
    valid_from: datetime = Field(sa_type=UTCDateTime)
    valid_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    document: str = Field(sa_type=Text)
    leaf_index: int = Field(sa_type=BigInteger, unique=True)
    signature: str = Field(max_length=128)


class VoiceRow(Table, table=True):
    """A voice that belongs to a party."""

    __tablename__ = "voices"

    name: str = Field(primary_key=True, max_length=200)
    ref: str = Field(max_length=64, unique=True)
    owner: str = Field(max_length=32, index=True, foreign_key="parties.id")
    state: str = Field(max_length=16)
    details: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UTCDateTime)
    leaf_index: int = Field(sa_type=BigInteger, unique=True)
    signature: str = Field(max_length=128)


class GrantRow(Table, table=True):
    """A grant: what it is found by, the sealed document, and its signed, changing state."""

    __tablename__ = "grants"
    __table_args__ = (
        UniqueConstraint("status_list", "status_index"),
        Index("ix_grants_voice_licensee", "voice", "licensee"),
    )

    id: str = Field(primary_key=True, max_length=64)
    ref: str = Field(max_length=64, unique=True)
    digest: str = Field(max_length=64, unique=True)
    voice: str = Field(max_length=200)
    owner: str = Field(max_length=32, index=True, foreign_key="parties.id")
    licensee: str = Field(max_length=32, index=True, foreign_key="parties.id")
    document: str = Field(sa_type=Text)
    valid_from: datetime = Field(sa_type=UTCDateTime)
    valid_until: datetime = Field(sa_type=UTCDateTime)
    granted_ms: int | None = Field(default=None, sa_type=BigInteger)
    review: bool
    status_list: str = Field(max_length=400)
    status_index: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UTCDateTime)
    leaf_index: int = Field(sa_type=BigInteger, unique=True)
    signature: str = Field(max_length=128)
    # What follows changes, and is signed anew with every change.
    status: str = Field(max_length=16, index=True)
    status_since: datetime = Field(sa_type=UTCDateTime)
    status_checked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    superseded_by: str | None = Field(default=None, max_length=64)
    used_ms: int = Field(default=0, sa_type=BigInteger)
    state_signature: str = Field(max_length=128)


class StatementRow(Table, table=True):
    """A signed statement about a grant, a key, a work or a party."""

    __tablename__ = "statements"

    id: str = Field(primary_key=True, max_length=64)
    ref: str = Field(max_length=64, unique=True)
    kind: str = Field(max_length=16, index=True)
    subject: str = Field(max_length=200, index=True)
    grant_id: str | None = Field(default=None, max_length=64, index=True)
    # Empty where the registry itself speaks.
    issuer_party: str = Field(max_length=32, index=True)
    # Whose key the document is sealed under.
    sealed_for: str = Field(max_length=32, index=True, foreign_key="parties.id")
    document: str = Field(sa_type=Text)
    received_at: datetime = Field(sa_type=UTCDateTime)
    leaf_index: int = Field(sa_type=BigInteger, unique=True)
    signature: str = Field(max_length=128)


class StatusListRow(Table, table=True):
    """A status list: one of this registry, or the newest word of somebody else's."""

    __tablename__ = "status_lists"

    list_id: str = Field(primary_key=True, max_length=400)
    origin: str = Field(max_length=16)
    issuer_did: str = Field(max_length=100)
    # Of the list as imported; None for one of our own.
    listed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    document: str = Field(sa_type=Text)
    leaf_index: int = Field(sa_type=BigInteger, unique=True)
    signature: str = Field(max_length=128)


class StatusEntryRow(Table, table=True):
    """A place in a status list that was given out."""

    __tablename__ = "status_entries"

    list_id: str = Field(primary_key=True, max_length=400, foreign_key="status_lists.list_id")
    position: int = Field(primary_key=True, sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UTCDateTime)


class ReservationRow(Table, table=True):
    """Minutes of a grant that an authorization holds."""

    __tablename__ = "reservations"
    __table_args__ = (Index("ix_reservations_grant_id_released", "grant_id", "released"),)

    authorization_id: str = Field(primary_key=True, max_length=32, foreign_key="authorizations.id")
    grant_id: str = Field(primary_key=True, max_length=64, foreign_key="grants.id")
    voice: str = Field(max_length=200)
    reserved_ms: int = Field(sa_type=BigInteger)
    used_ms: int = Field(default=0, sa_type=BigInteger)
    released: bool = False
    signature: str = Field(max_length=128)


class PersonKeyRow(Table, table=True):
    """The key that a party's data are sealed under, wrapped by the master key."""

    __tablename__ = "person_keys"

    party_id: str = Field(primary_key=True, max_length=32, foreign_key="parties.id")
    wrapped: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UTCDateTime)
    destroyed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class VaultObjectRow(Table, table=True):
    """A sealed file of a party: a recording, a proof."""

    __tablename__ = "vault_objects"

    id: str = Field(primary_key=True, max_length=32)
    party_id: str = Field(max_length=32, index=True, foreign_key="parties.id")
    kind: str = Field(max_length=32)
    media_type: str = Field(max_length=100)
    size: int = Field(sa_type=BigInteger)
    sha256_commitment: str = Field(max_length=64)
    created_at: datetime = Field(sa_type=UTCDateTime)
    erased_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    details: str = Field(default="", sa_type=Text)
