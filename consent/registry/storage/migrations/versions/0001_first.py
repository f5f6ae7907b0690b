"""The first schema: authorizations, leases, receipts, voices' use, log index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "meta",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    op.create_table(
        "authorizations",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("job_digest", sa.String(64), nullable=False),
        sa.Column("issued_at", sa.DateTime(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("renewed_at", sa.DateTime(), nullable=True),
        sa.Column("closed_at", sa.DateTime(), nullable=True),
        sa.Column("receipts", sa.Integer(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.Column("state_signature", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_authorizations"),
        sa.UniqueConstraint("digest", name="uq_authorizations_digest"),
    )
    for column in ("job_digest", "issued_at", "state"):
        op.create_index(f"ix_authorizations_{column}", "authorizations", [column])
    op.create_table(
        "leases",
        sa.Column("authorization_id", sa.String(32), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=False),
        sa.Column("released_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("authorization_id", name="pk_leases"),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["authorizations.id"],
            name="fk_leases_authorization_id_authorizations",
        ),
    )
    op.create_table(
        "receipts",
        sa.Column("output_id", sa.String(12), nullable=False),
        sa.Column("authorization_id", sa.String(32), nullable=True),
        sa.Column("leaf_index", sa.BigInteger(), nullable=False),
        sa.Column("leaf_json", sa.Text(), nullable=False),
        sa.Column("tlog_proof", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("container", sa.String(8), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("published_as", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("output_id", name="pk_receipts"),
        sa.UniqueConstraint("leaf_index", name="uq_receipts_leaf_index"),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["authorizations.id"],
            name="fk_receipts_authorization_id_authorizations",
        ),
    )
    for column in ("authorization_id", "state", "sha256"):
        op.create_index(f"ix_receipts_{column}", "receipts", [column])
    op.create_table(
        "voice_uses",
        sa.Column("output_id", sa.String(12), nullable=False),
        sa.Column("voice", sa.String(200), nullable=False),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("licence", sa.String(200), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("output_id", "voice", name="pk_voice_uses"),
        sa.ForeignKeyConstraint(
            ["output_id"], ["receipts.output_id"], name="fk_voice_uses_output_id_receipts"
        ),
    )
    op.create_index("ix_voice_uses_voice", "voice_uses", ["voice"])
    op.create_table(
        "log_index",
        sa.Column("leaf_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("leaf_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index", name="pk_log_index"),
    )
    for column in ("kind", "subject"):
        op.create_index(f"ix_log_index_{column}", "log_index", [column])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("log_index", "voice_uses", "receipts", "leases", "authorizations", "meta"):
        op.drop_table(table)
