"""What happened is noted by the database itself, in the transaction in which it happens: whatever part of Postcall
changes a follow-up or a text, nothing is forgotten, and nothing is told of what was rolled back.

A workspace without an endpoint that wants the event pays one look into an index.
"""

from django.db import migrations

_ID = """
CREATE FUNCTION postcall_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    -- A UUID of version 7: milliseconds first, so that ids sort by the moment they were made.
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
"""

_WANTED = """
CREATE FUNCTION postcall_is_told(of_workspace uuid, what text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM webhook_endpoint
                   WHERE workspace_id = of_workspace AND disabled_at IS NULL AND what = ANY(events))
$$;
"""

_TELL = """
CREATE FUNCTION postcall_tell(of_workspace uuid, what text, told jsonb, of_follow_up uuid, known_as text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    event_id uuid := postcall_new_id();
    -- One reading for all: whose delivery was made after the event is not from before it.
    moment timestamptz := clock_timestamp();
BEGIN
    IF NOT EXISTS (SELECT FROM webhook_endpoint
                   WHERE workspace_id = of_workspace AND disabled_at IS NULL AND what = ANY(events) AND with_text)
    THEN
        told := told - 'body';
    END IF;
    INSERT INTO webhook_event (id, at, workspace_id, type, data, follow_up_id, once)
    VALUES (event_id, moment, of_workspace, what, told, of_follow_up, known_as)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO webhook_delivery (id, workspace_id, endpoint_id, event_id, due_at, round_at,
                                  generation, starts, tries, tried, given_up_why)
    SELECT postcall_new_id(), of_workspace, e.id, event_id, moment, moment, 0, 0, 0, 0, ''
    FROM (SELECT id FROM webhook_endpoint
          WHERE workspace_id = of_workspace AND disabled_at IS NULL AND what = ANY(events)
          -- One that is being deleted is passed over, instead of refusing what happened.
          FOR KEY SHARE) e;
END $$;
"""

_FOLLOW_UP = """
CREATE FUNCTION postcall_follow_up_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT postcall_is_told(NEW.workspace_id, 'follow_up.decided') THEN
        RETURN NULL;
    END IF;
    PERFORM postcall_tell(NEW.workspace_id, 'follow_up.decided', jsonb_build_object(
        'id', NEW.id,
        'outcome', NEW.outcome,
        'reason', nullif(NEW.reason, ''),
        'verdict', CASE WHEN NEW.result = '' THEN NULL
                        ELSE jsonb_build_object('result', NEW.result, 'confidence', NEW.confidence) END,
        'review', nullif(NEW.review, '')
    ) || postcall_surroundings(NEW.call_id, NEW.action_id, NEW.revision_id), NEW.id, '');
    RETURN NULL;
END $$;

CREATE FUNCTION postcall_surroundings(of_call uuid, of_action uuid, of_revision uuid)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'call', jsonb_build_object('id', c.id, 'external_id', c.external_id, 'source', c.source_kind),
        'agent', CASE WHEN a.id IS NULL THEN NULL ELSE jsonb_build_object('id', a.id, 'name', a.name) END,
        'action', jsonb_build_object('id', act.id, 'name', act.name, 'revision', r.number))
    FROM call c
    LEFT JOIN agent a ON a.id = c.agent_id
    JOIN action act ON act.id = of_action
    JOIN action_revision r ON r.id = of_revision
    WHERE c.id = of_call
$$;

CREATE TRIGGER follow_up_made_told AFTER INSERT ON follow_up
FOR EACH ROW WHEN (NEW.outcome <> 'pending') EXECUTE FUNCTION postcall_follow_up_told();

-- Of a text that is on its way the message says how it does.
CREATE TRIGGER follow_up_changed_told AFTER UPDATE OF outcome, reason ON follow_up
FOR EACH ROW WHEN (NEW.outcome <> 'pending' AND (
    NEW.outcome <> OLD.outcome OR (NEW.reason <> OLD.reason AND NEW.outcome <> 'message')))
EXECUTE FUNCTION postcall_follow_up_told();
"""

_MESSAGE = """
CREATE FUNCTION postcall_message_told() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what text;
    told jsonb;
BEGIN
    FOREACH what IN ARRAY CASE
        WHEN NEW.status = 'sent' THEN ARRAY['message.sent']
        -- Not every carrier's receipt comes after a word that it was sent.
        WHEN NEW.status = 'delivered' AND OLD.status NOT IN ('sent', 'undelivered', 'failed')
            THEN ARRAY['message.sent', 'message.delivered']
        WHEN NEW.status = 'delivered' THEN ARRAY['message.delivered']
        ELSE ARRAY['message.failed'] END
    LOOP
        CONTINUE WHEN NOT postcall_is_told(NEW.workspace_id, what);
        told := coalesce(told, (
            SELECT jsonb_build_object(
                'id', NEW.id,
                'follow_up_id', NEW.follow_up_id,
                'attempt', NEW.attempts_made,
                'to', NEW."to",
                'from', nullif(NEW.from_number, ''),
                'messaging_service_sid', nullif(NEW.messaging_service_sid, ''),
                'sid', nullif(NEW.sid, ''),
                'segments', NEW.segments,
                'encoding', NEW.encoding,
                'price', CASE WHEN NEW.price IS NULL THEN NULL ELSE jsonb_build_object(
                    'amount', abs(NEW.price)::text, 'currency', coalesce(nullif(upper(NEW.price_unit), ''), 'USD')) END,
                'error', CASE WHEN NEW.status NOT IN ('failed', 'undelivered') THEN NULL
                    ELSE jsonb_build_object('code', NEW.error_code, 'said', NEW.error_message) END,
                'body', NEW.body
            ) || postcall_surroundings(f.call_id, f.action_id, f.revision_id)
            FROM follow_up f WHERE f.id = NEW.follow_up_id));
        PERFORM postcall_tell(NEW.workspace_id, what, told || jsonb_build_object(
            'status', CASE WHEN what = 'message.sent' THEN 'sent' ELSE NEW.status END), NEW.follow_up_id, '');
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER message_told AFTER UPDATE OF status ON message
FOR EACH ROW WHEN (NEW.status <> OLD.status AND NEW.status IN ('sent', 'delivered', 'undelivered', 'failed'))
EXECUTE FUNCTION postcall_message_told();
"""

_BACK = """
DROP TRIGGER message_told ON message;
DROP TRIGGER follow_up_changed_told ON follow_up;
DROP TRIGGER follow_up_made_told ON follow_up;
DROP FUNCTION postcall_message_told();
DROP FUNCTION postcall_follow_up_told();
DROP FUNCTION postcall_surroundings(uuid, uuid, uuid);
DROP FUNCTION postcall_tell(uuid, text, jsonb, uuid, text);
DROP FUNCTION postcall_is_told(uuid, text);
DROP FUNCTION postcall_new_id();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0001_initial"),
        ("calls", "0004_numbers"),
        ("followups", "0006_counted"),
        ("postcall_messages", "0008_counted"),
    ]

    operations = [migrations.RunSQL([_ID, _WANTED, _TELL, _FOLLOW_UP, _MESSAGE], _BACK)]
