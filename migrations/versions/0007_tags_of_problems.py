"""Problems are filed under the words of their benchmark."""

from importlib import import_module

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.contract import create_view, extend_view

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: As store.problem_tags reads the metadata of new problems.
_TAGS_OF_STORED_PROBLEMS = """
UPDATE store.problems AS p SET tags = found.tags
FROM (
    SELECT problem_id, jsonb_agg(word ORDER BY word COLLATE "C") AS tags
    FROM (
        SELECT DISTINCT
            q.problem_id,
            btrim(regexp_replace(
                CASE jsonb_typeof(item) WHEN 'number' THEN field.key || ' ' ELSE '' END || (item #>> '{}'),
                '\\s+', ' ', 'g'
            )) AS word
        FROM store.problems AS q,
            jsonb_each(q.metadata) AS field,
            jsonb_array_elements(
                CASE jsonb_typeof(field.value) WHEN 'array' THEN field.value ELSE jsonb_build_array(field.value) END
            ) AS item
        WHERE
            field.key IN (
                'tags', 'cf_tags', 'categories', 'category', 'subject', 'type', 'topic', 'domain', 'level', 'difficulty',
                'repo', 'platform'
            )
            AND (jsonb_typeof(item) = 'string' OR (jsonb_typeof(item) = 'number' AND (item #>> '{}') ~ '^-?[0-9]+$'))
    ) AS words
    WHERE length(word) BETWEEN 1 AND 64
    GROUP BY problem_id
) AS found
WHERE p.problem_id = found.problem_id
"""


def upgrade() -> None:
    op.add_column(
        "problems",
        sa.Column(
            "tags",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
            comment="words its benchmark files it under: subject, level, repository",
        ),
        schema="store",
    )
    op.execute(sa.text(_TAGS_OF_STORED_PROBLEMS))
    extend_view("problems", [("tags", "tags::text", "words its benchmark files it under, as JSON text")])


def downgrade() -> None:
    # A column of a view cannot be taken away: the view is made anew as it was.
    comment, source, columns = import_module("migrations.versions.0002_analytics_contract").VIEWS["problems"]
    later = import_module("migrations.versions.0004_contract_of_what_they_keep").NEW_COLUMNS["problems"]
    op.execute("DROP VIEW analytics.problems")
    create_view("problems", comment, source, [*columns, *later])
    op.drop_column("problems", "tags", schema="store")
