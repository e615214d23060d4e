"""What is told although no row of ours changes: that somebody texted back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

LONGEST_REPLY = 1600


@dataclass(frozen=True)
class Reply:
    """A text that came to a number of ours. `keyword` is STOP, START or HELP, or empty."""

    number: str
    to: str
    body: str
    sid: str
    keyword: str


@transaction.atomic
def tell_reply(reply: Reply, account_sid: str, accounts: Collection[UUID]) -> None:
    """Tells the workspace that texted the number last, by one of these accounts and from the number that is
    answered: whom else a shared sender belongs to is not told what was meant for that one. Twice is once."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT postcall_tell(m.workspace_id, 'message.replied', jsonb_build_object(
                'from', %(number)s::text, 'to', %(to)s::text, 'body', %(body)s::text,
                'sid', nullif(%(sid)s::text, ''), 'keyword', nullif(%(keyword)s::text, ''),
                'message_id', m.id, 'follow_up_id', m.follow_up_id
            ) || postcall_surroundings(f.call_id, f.action_id, f.revision_id), m.follow_up_id, %(sid)s::text)
            FROM (
                SELECT m.* FROM attempt a JOIN message m ON m.id = a.message_id
                WHERE a.account_sid = %(account_sid)s AND a.account_id = ANY(%(accounts)s::uuid[])
                  AND a."to" = %(number)s AND (m.from_number = %(to)s OR m.messaging_service_sid <> '')
                ORDER BY a.started_at DESC LIMIT 1
            ) m
            JOIN follow_up f ON f.id = m.follow_up_id
            WHERE postcall_is_told(m.workspace_id, 'message.replied')
            """,
            {
                "number": reply.number,
                "to": reply.to,
                "body": reply.body.replace("\0", "")[:LONGEST_REPLY],
                "sid": reply.sid.replace("\0", "")[:34],
                "keyword": reply.keyword,
                "account_sid": account_sid,
                "accounts": list(accounts),
            },
        )
