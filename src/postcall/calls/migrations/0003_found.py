"""Fills in what earlier calls are found by, some at a time, and builds the indexes beside the work that goes on.

Begun again where it was cut short: what is filled stays so, and an unfinished index is built anew.
"""

from typing import Any

from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

BATCH = 500


def fill(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    connection = schema_editor.connection
    last: Any = "00000000-0000-0000-0000-000000000000"
    while last is not None:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(
                """
                WITH batch AS (SELECT id FROM call WHERE id > %s ORDER BY id LIMIT %s),
                     filled AS (UPDATE call SET words = '' FROM batch WHERE call.id = batch.id AND call.words IS NULL)
                SELECT max(id::text) FROM batch
                """,
                [last, BATCH],
            )
            last = cursor.fetchone()[0]


def index(name: str, what: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        [f"DROP INDEX CONCURRENTLY IF EXISTS {name}", f"CREATE INDEX CONCURRENTLY {name} ON {what}"],
        f"DROP INDEX IF EXISTS {name}",
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("calls", "0002_words")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        index("call_words", "call USING gin (words)"),
        index("call_agent_ref", "call (workspace_id, agent_ref, id DESC) WHERE agent_ref <> ''"),
        index("call_unassigned", "call (workspace_id, id DESC) WHERE status = 'unassigned'"),
    ]
