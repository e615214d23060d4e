"""Texts to members' own phones beside real ones: what is on its way, and which of Twilio's messages are theirs.

Two texts to one number of which nobody knows whether they were sent could not be told apart in Twilio's list. So a
text to a member's own phone only begins while no other to that number is undecided, and until it is decided itself
no real one begins, nor is any found out about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from postcall.messages.accounts import proven_alike
from postcall.messages.models import Account, Attempt, OwnText

# SQL, of a row `o` of own_text.
UNDECIDED_SQL = "(o.status = 'sending' OR (o.status = 'unconfirmed' AND o.due_at IS NOT NULL))"
UNDECIDED = Q(status=OwnText.Status.SENDING) | Q(status=OwnText.Status.UNCONFIRMED, due_at__isnull=False)


def own_text_is_undecided(account: Account, to: str) -> bool:
    """Whether it is not known yet whether a text to a member's own phone, this number, was sent by the account."""
    rows = OwnText.objects.filter(UNDECIDED, to=to, account_sid=account.account_sid)
    return rows.filter(account__in=proven_alike(account)).exists()


def real_text_is_undecided(account: Account, to: str) -> bool:
    """Whether it is not known yet whether a real text to the number was sent by the account."""
    rows = Attempt.objects.filter(account_sid=account.account_sid, to=to, open=True)
    unknown = rows.filter(status__in=(Attempt.Status.SENDING, Attempt.Status.UNCONFIRMED))
    return unknown.filter(account__in=proven_alike(account)).exists()


def own_sids(account: Account, sids: Sequence[str]) -> set[str]:
    """Which of these messages are texts to members' own phones."""
    rows = OwnText.objects.filter(account_sid=account.account_sid, sid__in=list(sids))
    return set(rows.filter(account__in=proven_alike(account)).values_list("sid", flat=True)) if sids else set()


def never_found_out(account: Account, to: str, since: datetime) -> set[str]:
    """The digests of texts to members' own phones, this number, begun since then, of which nobody will ever know
    whether they were sent: a message with these words may be theirs."""
    rows = OwnText.objects.filter(to=to, status=OwnText.Status.UNCONFIRMED, account_sid=account.account_sid)
    rows = rows.filter(started_at__gte=since)
    return set(rows.filter(account__in=proven_alike(account)).values_list("body_digest", flat=True))
