"""A call is found by the numbers among its values too: a booking's may come as one. Calls that are here already are
found by them once they are written again."""

from django.db import migrations

_WORDS = """
CREATE OR REPLACE FUNCTION postcall_call_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.words := postcall_words((
            SELECT string_agg(said #>> '{{}}', ' ') FROM (
                SELECT jsonb_path_query(NEW.transcript, 'lax $[*].text')
                UNION ALL SELECT jsonb_path_query(NEW.variables, 'lax $.** ? ({kinds})')
                UNION ALL SELECT to_jsonb(NEW.external_id)
            ) AS all_of_it(said)))
        || postcall_number_words('#', NEW.customer_number)
        || postcall_number_words('@', NEW.agent_number)
        || array_to_tsvector(ARRAY['=' || lower(NEW.external_id)]);
    RETURN NEW;
EXCEPTION WHEN OTHERS THEN
    -- A call that cannot be searched is still a call: it must not be refused.
    RAISE WARNING 'call % has no words to be found by: %', NEW.id, SQLERRM;
    NEW.words := '';
    RETURN NEW;
END $$;
"""
_STRINGS = '@.type() == "string"'
_NUMBERS = f'{_STRINGS} || @.type() == "number"'


class Migration(migrations.Migration):
    dependencies = [("calls", "0003_found")]

    operations = [migrations.RunSQL(_WORDS.format(kinds=_NUMBERS), _WORDS.format(kinds=_STRINGS))]
