from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("followups", "0006_counted")]

    operations = [
        migrations.AlterField(
            "followup", "verdict", models.JSONField(help_text="reason, evidence, probability, likelier", null=True)
        ),
        migrations.AddField(
            "followup",
            "judge",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Who decided; empty: not judged.",
                max_length=200,
            ),
        ),
        migrations.AddField(
            "followup",
            "prompt",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="What a language model was told: a version.",
                max_length=40,
            ),
        ),
        migrations.AddField("followup", "judge_requests", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("followup", "judge_input_tokens", models.PositiveBigIntegerField(db_default=0, default=0)),
        migrations.AddField("followup", "judge_output_tokens", models.PositiveBigIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "followup",
            "judge_cost_usd",
            models.DecimalField(
                decimal_places=9,
                help_text="By list prices; null: not judged, or no price known.",
                max_digits=16,
                null=True,
            ),
        ),
        migrations.AddField(
            "followup", "judge_s", models.FloatField(help_text="Seconds that the judge took.", null=True)
        ),
    ]
