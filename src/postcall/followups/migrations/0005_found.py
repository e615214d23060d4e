"""By the words of their texts follow-ups are found. Built beside the work that goes on; begun again where it was
cut short."""

from django.db import migrations

NAME = "follow_up_words"


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("followups", "0004_held"), ("calls", "0002_words")]

    operations = [
        migrations.RunSQL(
            [
                f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}",
                f"CREATE INDEX CONCURRENTLY {NAME} ON follow_up USING gin (postcall_words(body)) WHERE body <> ''",
            ],
            f"DROP INDEX IF EXISTS {NAME}",
        )
    ]
