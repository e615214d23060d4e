"""/messages: the texts, and what an operator does about one."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from postcall.messages.models import Attempt, DeliveryEvent, Message

from .conftest import Api, Followed

Follow = Callable[..., Followed]


def ended(done: Followed, status: str, code: int | None = None) -> None:
    """The message went out once, and ended like this."""
    now = timezone.now()
    message = Message.objects.get(pk=done.message)
    Message.objects.filter(pk=message.pk).update(
        status=status, sid="SM" + "0" * 32, error_code=code, attempts_made=1, due_at=None, price="-0.00790",
        price_unit="usd", lease_until=None,
    )  # fmt: skip
    account = message.workspace.sending_account.account
    Attempt.objects.create(
        workspace=message.workspace, message=message, number=1, account=account, account_sid=account.account_sid,
        to=message.to, body_digest="0", sid="SM" + "0" * 32, open=False, status=status, error_code=code,
        started_at=now, ended_at=now,
    )  # fmt: skip
    DeliveryEvent.objects.create(
        at=now, workspace=message.workspace, message=message, attempt_number=1, status=status,
        provider_status=status, origin="twilio",
    )  # fmt: skip


def test_it_shows_a_message_with_all_that_happened_to_it(api: Api, follow: Follow) -> None:
    done = follow()
    ended(done, "undelivered", 30003)
    shown = api.get(f"/messages/{done.message}").json
    assert (shown["to"], shown["from"], shown["status"]) == ("+14155550132", "+15005550006", "undelivered")
    assert shown["price"] == {"amount": "0.00790", "currency": "USD"}
    assert (shown["error"]["code"], bool(shown["error"]["fix"])) == (30003, True)
    (attempt,) = shown["attempts"]
    assert (attempt["number"], attempt["status"], attempt["by"]) == (1, "undelivered", "postcall")
    assert [(e["status"], e["origin"], e["attempt"]) for e in shown["events"]][-1] == ("undelivered", "twilio", 1)
    assert (shown["follow_up_id"], shown["call_id"]) == (done.follow_up, done.call)


def test_it_shows_the_message_in_its_call(api: Api, follow: Follow) -> None:
    done = follow()
    ended(done, "delivered")
    (follow_up,) = api.get(f"/calls/{done.call}").json["follow_ups"]
    assert (follow_up["outcome"], follow_up["message"]["status"]) == ("message", "delivered")
    assert len(follow_up["message"]["attempts"]) == 1
    assert follow_up["message"]["events"]
    assert "attempts" not in api.get("/calls").json["items"][0]["follow_ups"][0]["message"]


def test_it_shows_a_call_in_a_fixed_number_of_queries(
    api: Api, follow: Follow, django_assert_num_queries: Callable[[int], Any]
) -> None:
    done = follow()
    ended(done, "delivered")
    # The key, its workspace, the call, its follow-ups, their attempts, their events.
    with django_assert_num_queries(6):
        api.get(f"/calls/{done.call}")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2), ("status=queued", 1), ("status=failed", 1), ("status=sent", 0), ("number=0133", 1),
        ("number=%2B1415", 2), ("from=2020-01-01", 2), ("to=2020-01-01", 0),
    ],
)  # fmt: skip
def test_it_finds_messages(api: Api, follow: Follow, query: str, found: int) -> None:
    ended(follow(), "failed", 30003)
    follow(customer_number="+14155550133")
    assert len(api.get(f"/messages?{query}").json["items"]) == found


def test_it_sends_once_more_what_is_over(api: Api, follow: Follow) -> None:
    done = follow()
    ended(done, "undelivered", 30003)
    resent = api.post(f"/messages/{done.message}/resend", {"reason": "Asked for it again"})
    assert (resent.status, resent.json["status"]) == (202, "queued")
    assert resent.json["events"][-1]["origin"] == "operator"
    assert "Asked for it again" in resent.json["events"][-1]["detail"]


def test_it_does_not_send_twice_what_may_still_arrive(api: Api, follow: Follow) -> None:
    done = follow()
    ended(done, "sent")
    assert api.post(f"/messages/{done.message}/resend", {"reason": "Impatient"}).status == 409


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": 1}, {"why": "x"}])
def test_it_asks_for_the_reason_of_a_resend(api: Api, follow: Follow, body: object) -> None:
    done = follow()
    assert api.post(f"/messages/{done.message}/resend", body).status == 422


def test_it_cancels_what_waits_and_nothing_else(api: Api, follow: Follow) -> None:
    done = follow()
    canceled = api.post(f"/messages/{done.message}/cancel")
    assert (canceled.status, canceled.json["status"]) == (200, "canceled")
    assert api.post(f"/messages/{done.message}/cancel").status == 409
