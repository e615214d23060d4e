"""What texts are found by, and what estimates of prices read. Built beside the work that goes on; begun again where
it was cut short."""

from django.db import migrations

INDEXES = {
    "message_priced": "message (workspace_id, id DESC) WHERE price IS NOT NULL",
    "message_to": "message USING gin (postcall_number_words('#', \"to\"))",
    "message_status": "message (workspace_id, status, id DESC)",
    "message_error": "message (workspace_id, error_code, id DESC) WHERE error_code IS NOT NULL",
}


def index(name: str, what: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        [f"DROP INDEX CONCURRENTLY IF EXISTS {name}", f"CREATE INDEX CONCURRENTLY {name} ON {what}"],
        f"DROP INDEX IF EXISTS {name}",
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("postcall_messages", "0005_own_texts"), ("calls", "0002_words")]

    operations = [index(name, what) for name, what in INDEXES.items()]
