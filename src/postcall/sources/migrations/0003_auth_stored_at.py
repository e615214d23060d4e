from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sources", "0002_refused_deliveries")]

    operations = [
        migrations.AddField(
            model_name="source",
            name="auth_stored_at",
            field=models.DateTimeField(help_text="Null: with the source itself.", null=True),
        ),
    ]
