"""What a call is found by, in one column that the database keeps true by itself, whoever changes the call.

The column is known to SQL alone (`postcall.calls.finding`): nobody who reads a call needs it. Adding it, and the
trigger that fills it, holds the table for a moment only; the next migration fills it for the calls that are there.
"""

from django.db import migrations

# What separates words; everything else is a part of one, in any language and whatever the database's locale.
_SEPARATORS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¿«»‹›‘’‚“”„‐‑‒–—―…•·\t\n\r\u00a0"
_QUOTED = _SEPARATORS.replace("'", "''")
_SPACES = " " * len(_SEPARATORS)

# A piece of so many characters is far from the longest that PostgreSQL takes for one vector.
_FUNCTIONS = f"""
CREATE FUNCTION postcall_words(said text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    plain text := lower(translate(said, '{_QUOTED}', '{_SPACES}'));
    words tsvector := '';
BEGIN
    FOR piece IN 0 .. length(plain) / 100000 LOOP
        words := words || strip(to_tsvector('pg_catalog.simple', substr(plain, piece * 100000 + 1, 100100)));
    END LOOP;
    RETURN words;
END $$;

CREATE FUNCTION postcall_asked(typed text) RETURNS tsquery LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    word text;
    plain text;
    asked tsquery := '';
BEGIN
    FOREACH word IN ARRAY regexp_split_to_array(typed, '\\s+') LOOP
        plain := btrim(lower(translate(word, '{_QUOTED}', '{_SPACES}')));
        CONTINUE WHEN plain = '';
        asked := asked && replace(
            to_tsquery('pg_catalog.simple', '''' || regexp_replace(plain, ' +', ''' & ''', 'g') || ''':*')::text,
            '<->', '&')::tsquery;
    END LOOP;
    RETURN asked;
END $$;

CREATE FUNCTION postcall_number_words(mark text, number text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_to_tsvector(array_agg(mark || substr(digits, place))), '')
    FROM regexp_replace(number, '\\D', '', 'g') AS digits, generate_series(1, length(digits)) AS place
$$;

CREATE FUNCTION postcall_call_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.words := postcall_words((
            SELECT string_agg(said #>> '{{}}', ' ') FROM (
                SELECT jsonb_path_query(NEW.transcript, 'lax $[*].text')
                UNION ALL SELECT jsonb_path_query(NEW.variables, 'lax $.** ? (@.type() == "string")')
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

_COLUMN = """
ALTER TABLE call ADD COLUMN words tsvector;
CREATE TRIGGER call_words BEFORE INSERT OR UPDATE OF
    transcript, variables, external_id, customer_number, agent_number, words
ON call FOR EACH ROW EXECUTE FUNCTION postcall_call_words();
"""

_BACK = """
DROP TRIGGER call_words ON call;
ALTER TABLE call DROP COLUMN words;
DROP FUNCTION postcall_call_words();
DROP FUNCTION postcall_number_words(text, text);
DROP FUNCTION postcall_asked(text);
DROP FUNCTION postcall_words(text);
"""


class Migration(migrations.Migration):
    dependencies = [("calls", "0001_initial")]

    operations = [migrations.RunSQL([_FUNCTIONS, _COLUMN], _BACK)]
