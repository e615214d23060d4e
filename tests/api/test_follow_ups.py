"""/follow-ups: what waits for the operator, and what they decide."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from postcall.messages.models import Message
from postcall.work.leases import take

from .conftest import Api, Followed

Follow = Callable[..., Followed]


def test_it_lists_what_is_held(api: Api, follow: Follow) -> None:
    done = follow("approve")
    (held,) = api.get("/follow-ups?outcome=held&reason=awaiting_approval").json["items"]
    assert (held["id"], held["body"], held["call"]["id"]) == (done.follow_up, "Thank you, Ann!", done.call)
    assert api.get("/follow-ups?outcome=message").json["items"] == []
    assert api.get(f"/follow-ups/{done.follow_up}").json["reason"] == "awaiting_approval"


def test_it_lists_follow_ups_in_a_fixed_number_of_queries(
    api: Api, follow: Follow, django_assert_num_queries: Callable[[int], Any]
) -> None:
    follow("live")
    follow("approve", customer_number="+14155550133")
    with django_assert_num_queries(3):  # the key, its workspace, and one for all the rest
        assert len(api.get("/follow-ups").json["items"]) == 2


def test_it_sends_what_was_approved_and_leaves_it_to_the_workers(api: Api, follow: Follow) -> None:
    done = follow("approve")
    approved = api.post(f"/follow-ups/{done.follow_up}/approve")
    assert (approved.status, approved.json["outcome"]) == (200, "message")
    assert (approved.json["message"]["body"], approved.json["message"]["status"]) == ("Thank you, Ann!", "queued")
    (due,) = take(Message, 5, timedelta(seconds=30))
    assert str(due.pk) == approved.json["message"]["id"]


def test_it_sends_the_text_that_the_operator_wrote(api: Api, follow: Follow) -> None:
    done = follow("approve")
    approved = api.post(f"/follow-ups/{done.follow_up}/approve", {"body": "Hello Ann 🎉"})
    message = approved.json["message"]
    assert (message["body"], message["encoding"]) == ("Hello Ann 🎉", "UCS-2")


@pytest.mark.parametrize("body", ["", "x" * 1_601, 7])
def test_it_refuses_a_text_that_cannot_be_sent(api: Api, follow: Follow, body: object) -> None:
    done = follow("approve")
    refused = api.post(f"/follow-ups/{done.follow_up}/approve", {"body": body})
    assert (refused.status, refused.fields) == (422, ["body"])


def test_it_refuses_a_text_with_a_placeholder_left(api: Api, follow: Follow) -> None:
    done = follow("approve")
    refused = api.post(f"/follow-ups/{done.follow_up}/approve", {"body": "Hi <name>"})
    assert (refused.status, refused.json["code"]) == (409, "placeholder")


def test_it_approves_once(api: Api, follow: Follow) -> None:
    done = follow("approve")
    assert api.post(f"/follow-ups/{done.follow_up}/approve").status == 200
    again = api.post(f"/follow-ups/{done.follow_up}/approve")
    assert (again.status, again.json["code"]) == (409, "already_reviewed")
    assert re.match(r"test \(\S+…\) approved it \d+ seconds? ago", again.json["detail"])
    shown = api.get(f"/follow-ups/{done.follow_up}").json
    assert (shown["review"]["decision"], shown["review"]["by"]["kind"], shown["expires_at"]) == (
        "approved",
        "key",
        None,
    )


def test_it_says_when_a_held_text_lapses(api: Api, follow: Follow) -> None:
    shown = api.get(f"/follow-ups/{follow('approve').follow_up}").json
    decided, lapses = (datetime.fromisoformat(shown[name]) for name in ("decided_at", "expires_at"))
    assert (lapses - decided, shown["review"]) == (timedelta(days=1), None)


def test_it_approves_one_text_once(api: Api, follow: Follow) -> None:
    done = follow("approve")
    for _ in range(2):
        api.post(f"/follow-ups/{done.follow_up}/approve")
    assert Message.objects.count() == 1


def test_it_drops_what_was_rejected(api: Api, follow: Follow) -> None:
    done = follow("approve")
    rejected = api.post(f"/follow-ups/{done.follow_up}/reject")
    assert (rejected.json["outcome"], rejected.json["reason"]) == ("skipped", "rejected")
    assert api.post(f"/follow-ups/{done.follow_up}/reject").status == 409


def test_it_takes_no_feedback_where_nothing_was_judged(api: Api, follow: Follow) -> None:
    done = follow("approve")
    refused = api.post(f"/follow-ups/{done.follow_up}/feedback", {"right": True})
    assert (refused.status, refused.json["code"]) == (409, "no_verdict")
    assert api.post(f"/follow-ups/{done.follow_up}/feedback", {"right": "maybe"}).fields == ["right"]


def test_it_shows_why_nothing_was_sent(api: Api, follow: Follow) -> None:
    done = follow("live", variables={})
    shown = api.get(f"/follow-ups/{done.follow_up}").json
    assert shown["reason"] == "missing_input"
    assert "name" in shown["detail"]
    assert shown["explanation"]
