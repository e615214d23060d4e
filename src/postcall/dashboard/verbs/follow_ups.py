"""Pressing a button: what cannot be done is said in words, on the page one came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.contrib import messages as flashes
from django.db import transaction

from postcall.calls.models import Call
from postcall.calls.replay import CannotReplay, Replayed, replay
from postcall.dashboard.access import Visit
from postcall.dashboard.cards import stamp_of
from postcall.followups import review
from postcall.followups.models import FollowUp
from postcall.followups.review import NotPossible
from postcall.messages import operator
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Message
from postcall.messages.operator import NotPossible as MessageNotPossible
from postcall.testbench.runs import NotPossible as BenchNotPossible
from postcall.workspaces.audit import CHANGED, Actor, Thing

REFUSALS: Final = (NotPossible, MessageNotPossible, CannotReplay, BenchNotPossible)


def tried(visit: Visit, verb: Callable[[], object]) -> bool:
    """Whether it could be done; where not, the page says why."""
    try:
        verb()
    except REFUSALS as refusal:
        flashes.error(visit.request, str(refusal))
        return False
    return True


@contextmanager
def unless_changed(follow_up: FollowUp, seen: str) -> Iterator[None]:
    """Raises NotPossible where a held follow-up is not what somebody saw who decides about many at once; as long as
    this lasts it does not change."""
    with transaction.atomic():
        fresh = FollowUp.objects.select_for_update(of=("self",)).get(pk=follow_up.pk)
        if seen and fresh.outcome == FollowUp.Outcome.HELD and seen != stamp_of(fresh):
            raise NotPossible("changed", "It has changed since you looked at it: look again before you decide.")
        yield


# Each raises one of REFUSALS, and then nothing is changed and nothing stands in the audit log.


@transaction.atomic
def approve(visit: Visit, follow_up: FollowUp, body: str | None = None) -> None:
    """Has the workers send a held text, or `body` in its stead."""
    review.approve(follow_up, TwilioMessaging(), Actor.of_person(visit.person), body)
    visit.record("approve", _about(follow_up), {} if body is None else {"body": CHANGED})


@transaction.atomic
def reject(visit: Visit, follow_up: FollowUp) -> None:
    review.reject(follow_up, Actor.of_person(visit.person))
    visit.record("reject", _about(follow_up))


@transaction.atomic
def rejudge(visit: Visit, call: Call) -> None:
    review.rejudge(call)
    visit.record("rejudge", Thing("call", call.pk))


@transaction.atomic
def read_again(visit: Visit, call: Call) -> Replayed:
    """Reads what the platform sent again, with today's reader."""
    replayed = replay(call)
    visit.record("replay", Thing("call", call.pk), {"fields": [None, list(replayed.changed)]})
    return replayed


@transaction.atomic
def resend(visit: Visit, message: Message, reason: str) -> None:
    operator.resend(message, reason, by=visit.person.email)
    visit.record("resend", Thing("message", message.pk))


@transaction.atomic
def cancel(visit: Visit, message: Message) -> None:
    operator.cancel(message, by=visit.person.email)
    visit.record("cancel", Thing("message", message.pk))


def _about(follow_up: FollowUp) -> Thing:
    return Thing("follow_up", follow_up.pk, follow_up.action.name)
