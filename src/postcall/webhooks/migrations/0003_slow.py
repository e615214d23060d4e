from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0002_events")]

    operations = [
        migrations.AddField(
            model_name="webhookendpoint",
            name="slow",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
