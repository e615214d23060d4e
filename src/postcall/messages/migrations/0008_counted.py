"""What sums of texts read, so that they need not read the texts themselves. Built beside the work that goes on; begun
again where it was cut short."""

from django.db import migrations

NAME = "message_counted"
WHAT = (
    "message (workspace_id, id)"
    ' INCLUDE (created_at, status, price, price_unit, segments, "to", follow_up_id)'
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("postcall_messages", "0007_attempt_prices")]

    operations = [
        migrations.RunSQL(
            [f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}", f"CREATE INDEX CONCURRENTLY {NAME} ON {WHAT}"],
            f"DROP INDEX IF EXISTS {NAME}",
        )
    ]
