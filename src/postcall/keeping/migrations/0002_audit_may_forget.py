"""An audit entry is never changed or deleted, save that an erased person's number is taken out of it."""

from django.db import migrations

MAY_FORGET = """
CREATE OR REPLACE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('postcall.erasing', true) = 'on'
       AND to_jsonb(NEW) - ARRAY['actor_name', 'object_name', 'changes']
         = to_jsonb(OLD) - ARRAY['actor_name', 'object_name', 'changes'] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an audit entry is never changed or deleted';
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ("keeping", "0001_initial"),
        ("workspaces", "0002_audit"),
    ]

    operations = [migrations.RunSQL(MAY_FORGET, migrations.RunSQL.noop)]
