from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('postcall_messages', '0003_refused_senders'),
    ]

    operations = [
        # Who a text comes from is found when it is sent.
        migrations.RemoveField(
            model_name='message',
            name='sends_as_account',
        ),
    ]
