"""Twilio sends its callbacks in any order, twice or never, and answers and polls come in between: what is known in
the end is the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from postcall.messages.claim import claim
from postcall.messages.models import Attempt, DeliveryEvent, Message
from postcall.messages.send import Fence, hand_to_twilio, record
from postcall.messages.twilio_client import Ambiguous, Outcome
from postcall.work.leases import take

from .clinic import LEASE, Clinic

# What Twilio's words mean, the furthest along last. Of two last words that contradict each other the one counts
# that says more of how far the text came.
FURTHER = ["sending", "unconfirmed", "accepted", "sent", "canceled", "failed", "undelivered", "delivered"]
MEANS = {"queued": "accepted", "sending": "accepted", "accepted": "accepted", "teleported": "accepted"}
FINAL = frozenset(FURTHER[4:])
WORDS = ("queued", "sending", "sent", "delivered", "undelivered", "failed", "canceled", "teleported")


def furthest(words: Sequence[str]) -> str:
    return max((MEANS.get(word, word) for word in words), key=FURTHER.index)


def begun(clinic: Clinic) -> tuple[Attempt, Outcome]:
    """An attempt whose request was made, and what came of it, which is not recorded yet."""
    clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    return attempt, hand_to_twilio(attempt, Fence())


class Watched:
    """Looks after each step whether anything went back."""

    def __init__(self, clinic: Clinic, attempt: Attempt, outcome: Outcome) -> None:
        self._clinic, self._attempt, self._outcome = clinic, attempt, outcome
        self._sid = clinic.sids()[0]
        self._reached = 0

    def hear(self, word: str) -> None:
        self._clinic.call_back(self._attempt, self._sid, word)
        self._look()

    def answer(self) -> None:
        record(self._attempt, self._outcome)
        self._look()

    def no_answer(self) -> None:
        record(self._attempt, Ambiguous("ReadTimeout"))
        self._look()

    def track(self) -> None:
        """A reading of the list, a poll, or what is due once a worker's lease is over."""
        self._clinic.polls_come_due()
        Attempt.objects.update(lease_until=None)
        self._clinic.track()
        self._look()

    def status(self) -> str:
        attempt, message = Attempt.objects.get(), Message.objects.get()
        assert (message.status, message.sid) == (attempt.status, attempt.sid)
        assert attempt.open == (attempt.status not in FINAL)
        return attempt.status

    def _look(self) -> None:
        reached = FURTHER.index(self.status())
        assert reached >= self._reached
        self._reached = reached


STEPS = st.lists(st.sampled_from((*WORDS, "track")), max_size=7)


@pytest.mark.parametrize("answered", [True, False])
def test_it_ends_the_same_whatever_the_order(clinic: Clinic, answered: bool) -> None:
    @settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.nested_given],
    )
    @given(before=STEPS, after=STEPS)
    @example(before=["delivered"], after=["queued", "undelivered"])
    @example(before=[], after=["undelivered", "track", "delivered"])
    @example(before=["track"], after=["teleported"])
    def in_this_order(before: list[str], after: list[str]) -> None:
        clinic.sandbox.reset()
        with transaction.atomic():
            watched = Watched(clinic, *begun(clinic))
            for step in before:
                watched.track() if step == "track" else watched.hear(step)
            watched.answer() if answered else watched.no_answer()
            for step in [*after, "track", "track"]:
                watched.track() if step == "track" else watched.hear(step)
            heard = [step for step in before + after if step != "track"]
            assert watched.status() == furthest([*heard, "accepted"])
            assert DeliveryEvent.objects.filter(origin="twilio").count() == len(heard)
            assert Message.objects.get().attempts_made == 1
            transaction.set_rollback(True)

    in_this_order()


def test_it_ends_the_same_in_every_order_of_the_callbacks(clinic: Clinic) -> None:
    attempt, outcome = begun(clinic)
    for words in permutations(("queued", "sent", "delivered", "undelivered", "failed")):
        with transaction.atomic():
            watched = Watched(clinic, attempt, outcome)
            watched.answer()
            for word in words:
                watched.hear(word)
            assert watched.status() == "delivered"
            transaction.set_rollback(True)


@pytest.mark.parametrize("answered_after", range(4))
@pytest.mark.parametrize("last", ["delivered", "undelivered", "failed"])
def test_an_answer_may_come_at_any_point_among_the_callbacks(
    clinic: Clinic, last: str, answered_after: int
) -> None:
    watched = Watched(clinic, *begun(clinic))
    for at, word in enumerate(("queued", "sent", last)):
        if at == answered_after:
            watched.answer()
        watched.hear(word)
    if answered_after == 3:
        watched.answer()
    assert watched.status() == last


def test_callbacks_that_never_come_are_made_up_for_by_polls(clinic: Clinic) -> None:
    watched = Watched(clinic, *begun(clinic))
    watched.answer()
    for status in ("sending", "sent", "delivered"):
        clinic.sandbox.push(clinic.sids()[0], status)
        watched.track()
    assert watched.status() == "delivered"
    assert Message.objects.get().price is not None
