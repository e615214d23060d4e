"""Who asked to be forgotten is told of no more, and stands in no log of what was told."""

from __future__ import annotations

import pytest
from messages.clinic import ANN, BEN, Clinic

from postcall.keeping.erase import begin, work
from postcall.messages.models import Attempt
from postcall.webhooks.models import WebhookDelivery, WebhookEvent
from postcall.workspaces.audit import SYSTEM

from .receiver import an_endpoint

pytestmark = pytest.mark.django_db


def test_it_forgets_a_person_with_what_was_still_to_be_told(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace)
    for number in (ANN, BEN):
        message = clinic.message(to=number)
        clinic.send()
        attempt = Attempt.objects.get(message=message)
        clinic.call_back(attempt, attempt.sid, "delivered")
    work(begin(ANN, clinic.workspace, SYSTEM))
    told = [str(event.data) for event in WebhookEvent.objects.all()]
    assert told
    assert not [each for each in told if ANN in each]
    assert [each for each in told if BEN in each]
    assert not WebhookEvent.objects.filter(data__reason="redacted").exists()
    assert WebhookDelivery.objects.count() == WebhookEvent.objects.count()


def test_it_tells_nobody_what_an_erasure_empties(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace)
    follow_up = clinic.message().follow_up
    type(follow_up).objects.update(outcome="pending", recipient=ANN)
    WebhookEvent.objects.all().delete()
    work(begin(ANN, clinic.workspace, SYSTEM))
    follow_up.refresh_from_db()
    assert (follow_up.outcome, follow_up.reason) == ("skipped", "redacted")
    assert not WebhookEvent.objects.exists()
