from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("postcall_messages", "0006_found")]

    operations = [
        migrations.AddField(
            "attempt",
            "price",
            models.DecimalField(decimal_places=5, help_text="Each attempt is billed.", max_digits=10, null=True),
        ),
        migrations.AddField(
            "attempt", "price_unit", models.CharField(blank=True, db_default="", default="", max_length=3)
        ),
    ]
