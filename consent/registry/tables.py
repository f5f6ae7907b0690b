"""Tables of the registry. The schema's history is in ``migrations``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, MetaData, Text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

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


class LogIndexRow(Table, table=True):
    """Where to find an entry in the log, by what it is about."""

    __tablename__ = "log_index"

    leaf_index: int = Field(primary_key=True, sa_type=BigInteger)
    kind: str = Field(max_length=16, index=True)
    subject: str = Field(max_length=64, index=True)
    leaf_hash: str = Field(max_length=64)
