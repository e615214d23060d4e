"""Pressing a button: what cannot be done is said in words, on the page one came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.contrib import messages as flashes

from postcall.dashboard.access import Visit
from postcall.followups import review
from postcall.followups.models import FollowUp
from postcall.followups.review import NotPossible
from postcall.messages.handing import TwilioMessaging
from postcall.messages.operator import NotPossible as MessageNotPossible

REFUSALS: Final = (NotPossible, MessageNotPossible)


def tried(visit: Visit, verb: Callable[[], object]) -> bool:
    """Whether it could be done; where not, the page says why."""
    try:
        verb()
    except REFUSALS as refusal:
        flashes.error(visit.request, str(refusal))
        return False
    return True


def approve(follow_up: FollowUp, body: str | None = None) -> None:
    """Has the workers send a held text, or `body` in its stead. Raises NotPossible."""
    review.approve(follow_up, TwilioMessaging(), body)
