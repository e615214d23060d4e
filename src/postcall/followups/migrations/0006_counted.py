"""What lists and sums of follow-ups read, so that they need not read the follow-ups themselves: by call for the log,
and by time for counts. Built beside the work that goes on; begun again where it was cut short."""

from django.db import migrations

INDEXES = {
    "follow_up_counted": (
        "follow_up (workspace_id, id)"
        " INCLUDE (created_at, action_id, attachment_id, revision_id, call_id, outcome, result)"
    ),
}


def index(name: str, what: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        [f"DROP INDEX CONCURRENTLY IF EXISTS {name}", f"CREATE INDEX CONCURRENTLY {name} ON {what}"],
        f"DROP INDEX IF EXISTS {name}",
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("followups", "0005_found")]

    operations = [index(name, what) for name, what in INDEXES.items()]
