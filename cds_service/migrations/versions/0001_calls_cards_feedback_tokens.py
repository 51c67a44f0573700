"""The first tables: calls, cards, suggestions, feedback, seen tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("request_id", sa.String(32), primary_key=True),
        sa.Column("at", MOMENT, nullable=False, index=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(256)),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("hook", sa.String(64), nullable=False),
        sa.Column("hook_instance", sa.String(36), nullable=False, index=True),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("shown", sa.Boolean, nullable=False),
        sa.Column("duration_ms", sa.Float, nullable=False),
        sa.Column("knowledge", sa.String(64), nullable=False),
        sa.Column("pseudonym", sa.String(64), index=True),
    )
    op.create_table(
        "cards",
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("request_id", sa.String(32), nullable=False, index=True),
        sa.Column("at", MOMENT, nullable=False, index=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("concern", sa.String(64), nullable=False),
        sa.Column("conclusion", sa.String(64), nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
    )
    op.create_table(
        "suggestions",
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("card", sa.String(36), nullable=False, index=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("actions", sa.Integer, nullable=False),
    )
    op.create_table(
        "feedback",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("received", MOMENT, nullable=False, index=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("card", sa.String(200), nullable=False, index=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("suggestions", sa.Text, nullable=False),
        sa.Column("reason_system", sa.String(500)),
        sa.Column("reason_code", sa.String(200)),
        sa.Column("comment", sa.LargeBinary),
    )
    op.create_table(
        "seen_tokens",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("expires", sa.BigInteger, nullable=False, index=True),
    )


def downgrade() -> None:
    for name in ("seen_tokens", "feedback", "suggestions", "cards", "calls"):
        op.drop_table(name)
