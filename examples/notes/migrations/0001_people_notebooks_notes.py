"""People, notebooks, notes

- new table people (id, name)
- new table notebooks (id, title, keeper_id, created_at, updated_at)
- new table memberships (id, writes, notebook_id, person_id)
- new table notes (id, text, notebook_id, author_id, created_at, updated_at, version)
- notebooks gets an index on keeper_id
- memberships gets an index on notebook_id
- memberships gets an index on person_id
- notes gets an index on author_id
- notes gets an index on notebook_id
- notes gets full-text search in text
"""

import sqlalchemy as sa
from alembic import op

from carboy.data.migrations import kinds, ops

revision = "0001_people_notebooks_notes"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("id", kinds.integer()),
        sa.Column("name", kinds.text(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("name", name="uq_people_name"),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(name) <= 80", name="ck_people_name_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(name) >= 1", mariadb="char_length(name) >= 1"),
            name="ck_people_name_min_length",
        ),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "notebooks",
        sa.Column("id", kinds.integer()),
        sa.Column("title", kinds.text(80), nullable=False),
        sa.Column("keeper_id", kinds.integer(), nullable=False),
        sa.Column("created_at", kinds.datetime(), nullable=False),
        sa.Column("updated_at", kinds.datetime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notebooks"),
        sa.ForeignKeyConstraint(
            ["keeper_id"],
            ["people.id"],
            name="fk_notebooks_keeper_id",
            ondelete="RESTRICT",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(title) <= 80", name="ck_notebooks_title_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(title) >= 1", mariadb="char_length(title) >= 1"),
            name="ck_notebooks_title_min_length",
        ),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "memberships",
        sa.Column("id", kinds.integer()),
        sa.Column("writes", kinds.boolean(), nullable=False),
        sa.Column("notebook_id", kinds.integer(), nullable=False),
        sa.Column("person_id", kinds.integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_memberships"),
        sa.ForeignKeyConstraint(
            ["notebook_id"],
            ["notebooks.id"],
            name="fk_memberships_notebook_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["people.id"],
            name="fk_memberships_person_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "notebook_id",
            "person_id",
            name="uq_memberships_notebook_id_person_id",
        ),
        **kinds.options(autoincrement=True),
    )
    op.create_table(
        "notes",
        sa.Column("id", kinds.integer()),
        sa.Column("text", kinds.text(2000), nullable=False),
        sa.Column("notebook_id", kinds.integer(), nullable=False),
        sa.Column("author_id", kinds.integer(), nullable=False),
        sa.Column("created_at", kinds.datetime(), nullable=False),
        sa.Column("updated_at", kinds.datetime(), nullable=False),
        sa.Column("version", kinds.integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["people.id"],
            name="fk_notes_author_id",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["notebook_id"],
            ["notebooks.id"],
            name="fk_notes_notebook_id",
            ondelete="CASCADE",
        ),
        kinds.only(
            "sqlite",
            sa.CheckConstraint("length(text) <= 2000", name="ck_notes_text_max_length"),
        ),
        sa.CheckConstraint(
            kinds.sql("length(text) >= 1", mariadb="char_length(text) >= 1"),
            name="ck_notes_text_min_length",
        ),
        **kinds.options(autoincrement=True),
    )
    op.create_index("ix_notebooks_keeper_id", "notebooks", ["keeper_id"])
    op.create_index("ix_memberships_notebook_id", "memberships", ["notebook_id"])
    op.create_index("ix_memberships_person_id", "memberships", ["person_id"])
    op.create_index("ix_notes_author_id", "notes", ["author_id"])
    op.create_index("ix_notes_notebook_id", "notes", ["notebook_id"])
    ops.create_search("notes", ["text"])


def downgrade() -> None:
    ops.drop_search("notes", ["text"])
    op.drop_table("notes")
    op.drop_table("memberships")
    op.drop_table("notebooks")
    op.drop_table("people")
