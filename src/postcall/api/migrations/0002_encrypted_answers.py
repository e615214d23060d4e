from django.db import migrations

import postcall.workspaces.encryption


class Migration(migrations.Migration):

    dependencies = [
        ("api", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE idempotent_request ALTER COLUMN body TYPE text USING convert_from(body, 'UTF8')",
            "ALTER TABLE idempotent_request ALTER COLUMN body TYPE bytea USING convert_to(body, 'UTF8')",
            state_operations=[
                migrations.AlterField(
                    model_name="idempotentrequest",
                    name="body",
                    field=postcall.workspaces.encryption.EncryptedField(
                        blank=True, help_text="It may hold a secret that is shown this once."
                    ),
                ),
            ],
        ),
    ]
