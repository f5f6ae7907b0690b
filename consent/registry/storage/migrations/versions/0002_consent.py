"""Parties, keys, mandates, voices, grants, statements, status lists, and the vault's index."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; say under which grant a voice was used."""
    _parties()
    _voices_and_grants()
    _statements()
    _status_lists()
    _reservations()
    _vault()
    with op.batch_alter_table("voice_uses") as table:
        table.add_column(sa.Column("grant_id", sa.String(64), nullable=True))
        table.add_column(
            sa.Column("review", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        table.create_index("ix_voice_uses_grant_id", ["grant_id"])


def downgrade() -> None:
    """Drop the tables."""
    with op.batch_alter_table("voice_uses") as table:
        table.drop_index("ix_voice_uses_grant_id")
        table.drop_column("review")
        table.drop_column("grant_id")
    for table_name in (
        "vault_objects",
        "person_keys",
        "reservations",
        "status_entries",
        "status_lists",
        "statements",
        "grants",
        "voices",
        "mandates",
        "party_keys",
        "parties",
    ):
        op.drop_table(table_name)


def _parties() -> None:
    op.create_table(
        "parties",
        _text("id", 32),
        _text("ref", 64),
        _text("kind", 16),
        _text("state", 16),
        _text("handle_index", 80),
        _text("profile"),
        _time("created_at"),
        _number("leaf_index"),
        _text("signature", 128),
        *_keys("parties", "id", unique=("ref", "handle_index", "leaf_index")),
    )
    op.create_table(
        "party_keys",
        _text("did", 100),
        _text("ref", 64),
        _text("party_id", 32),
        _text("held", 16),
        _text("key_name", 64),
        _text("state", 16),
        _time("valid_from"),
        _time("valid_until", nullable=True),
        _time("compromised_since", nullable=True),
        _number("ended_leaf", nullable=True),
        _number("leaf_index"),
        _text("signature", 128),
        *_keys("party_keys", "did", unique=("ref", "leaf_index"), party=("party_id",)),
    )
    _index("party_keys", "party_id")
    op.create_table(
        "mandates",
        _text("id", 64),
        _text("ref", 64),
        _text("principal", 32),
        _text("representative", 32),
        _text("kind", 16),
        _text("scope", 200),
        _time("valid_from"),
        _time("valid_until", nullable=True),
        _time("revoked_at", nullable=True),
        _text("document"),
        _number("leaf_index"),
        _text("signature", 128),
        *_keys(
            "mandates", "id", unique=("ref", "leaf_index"), party=("principal", "representative")
        ),
    )
    _index("mandates", "principal", "representative")


def _voices_and_grants() -> None:
    op.create_table(
        "voices",
        _text("name", 200),
        _text("ref", 64),
        _text("owner", 32),
        _text("state", 16),
        _text("details"),
        _time("created_at"),
        _number("leaf_index"),
        _text("signature", 128),
        *_keys("voices", "name", unique=("ref", "leaf_index"), party=("owner",)),
    )
    _index("voices", "owner")
    op.create_table(
        "grants",
        _text("id", 64),
        _text("ref", 64),
        _text("digest", 64),
        _text("voice", 200),
        _text("owner", 32),
        _text("licensee", 32),
        _text("document"),
        _time("valid_from"),
        _time("valid_until"),
        _number("granted_ms", nullable=True),
        sa.Column("review", sa.Boolean(), nullable=False),
        _text("status_list", 400),
        _number("status_index"),
        _time("created_at"),
        _number("leaf_index"),
        _text("signature", 128),
        _text("status", 16),
        _time("status_since"),
        _time("status_checked_at", nullable=True),
        _text("superseded_by", 64, nullable=True),
        _number("used_ms"),
        _text("state_signature", 128),
        *_keys("grants", "id", unique=("ref", "digest", "leaf_index"), party=("owner", "licensee")),
        sa.UniqueConstraint(
            "status_list", "status_index", name="uq_grants_status_list_status_index"
        ),
    )
    _index("grants", "owner", "licensee", "status")
    op.create_index("ix_grants_voice_licensee", "grants", ["voice", "licensee"])


def _statements() -> None:
    op.create_table(
        "statements",
        _text("id", 64),
        _text("ref", 64),
        _text("kind", 16),
        _text("subject", 200),
        _text("grant_id", 64, nullable=True),
        _text("issuer_party", 32),
        _text("sealed_for", 32),
        _text("document"),
        _time("received_at"),
        _number("leaf_index"),
        _text("signature", 128),
        *_keys("statements", "id", unique=("ref", "leaf_index"), party=("sealed_for",)),
    )
    _index("statements", "kind", "subject", "grant_id", "issuer_party", "sealed_for")


def _status_lists() -> None:
    op.create_table(
        "status_lists",
        _text("list_id", 400),
        _text("origin", 16),
        _text("issuer_did", 100),
        _time("listed_at", nullable=True),
        _text("document"),
        _number("leaf_index"),
        _text("signature", 128),
        *_keys("status_lists", "list_id", unique=("leaf_index",)),
    )
    op.create_table(
        "status_entries",
        _text("list_id", 400),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        _time("created_at"),
        *_keys("status_entries", "list_id", "position"),
        _foreign("status_entries", "list_id", "status_lists", "list_id"),
    )


def _reservations() -> None:
    op.create_table(
        "reservations",
        _text("authorization_id", 32),
        _text("grant_id", 64),
        _text("voice", 200),
        _number("reserved_ms"),
        _number("used_ms"),
        sa.Column("released", sa.Boolean(), nullable=False),
        _text("signature", 128),
        *_keys("reservations", "authorization_id", "grant_id"),
        _foreign("reservations", "authorization_id", "authorizations", "id"),
        _foreign("reservations", "grant_id", "grants", "id"),
    )
    op.create_index("ix_reservations_grant_id_released", "reservations", ["grant_id", "released"])


def _vault() -> None:
    op.create_table(
        "person_keys",
        _text("party_id", 32),
        _text("wrapped"),
        _time("created_at"),
        _time("destroyed_at", nullable=True),
        *_keys("person_keys", "party_id", party=("party_id",)),
    )
    op.create_table(
        "vault_objects",
        _text("id", 32),
        _text("party_id", 32),
        _text("kind", 32),
        _text("media_type", 100),
        _number("size"),
        _text("sha256_commitment", 64),
        _time("created_at"),
        _time("erased_at", nullable=True),
        _text("details"),
        *_keys("vault_objects", "id", party=("party_id",)),
    )
    _index("vault_objects", "party_id")


def _text(name: str, length: int | None = None, *, nullable: bool = False) -> sa.Column[Any]:
    kind: Any = sa.Text() if length is None else sa.String(length)
    return sa.Column(name, kind, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(), nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _keys(
    table: str, *primary: str, unique: tuple[str, ...] = (), party: tuple[str, ...] = ()
) -> list[sa.Constraint]:
    """Return the primary key, the unique columns and those that name a party."""
    return [
        sa.PrimaryKeyConstraint(*primary, name=f"pk_{table}"),
        *(sa.UniqueConstraint(column, name=f"uq_{table}_{column}") for column in unique),
        *(_foreign(table, column, "parties", "id") for column in party),
    ]


def _foreign(table: str, column: str, target: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.{key}"], name=f"fk_{table}_{column}_{target}"
    )


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])
