from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("postcall_messages", "0001_initial"),
    ]

    operations = [
        migrations.RemoveField(model_name="attempt", name="clock_offset_s"),
    ]
