"""POST /twilio/…: what Twilio tells us, signed by the account."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from twilio.request_validator import RequestValidator

from postcall.messages.models import Account, Attempt, DeliveryEvent, Message

from .conftest import Api, Followed

BASE = "http://127.0.0.1:8000"


def send(path: str, form: dict[str, str], token: str | None) -> HttpResponse:
    headers = {}
    if token is not None:
        headers["X-Twilio-Signature"] = RequestValidator(token).compute_signature(BASE + path, form)
    client = Client()
    return client.post(  # type: ignore[return-value]  # the test client's response is one
        path, urlencode(form), content_type="application/x-www-form-urlencoded", headers=headers
    )


@pytest.fixture
def attempt(follow: Callable[..., Followed]) -> Attempt:
    message = Message.objects.get(pk=follow().message)
    account = message.workspace.sending_account.account
    return Attempt.objects.create(
        workspace=message.workspace, message=message, number=1, account=account, account_sid=account.account_sid,
        to=message.to, body_digest="0", started_at=timezone.now(),
    )  # fmt: skip


def status(attempt: Attempt) -> dict[str, str]:
    return {
        "AccountSid": attempt.account_sid,
        "MessageSid": "SM" + "1" * 32,
        "MessageStatus": "delivered",
        "To": attempt.to,
        "ErrorCode": "",
    }


def test_it_takes_a_status(attempt: Attempt) -> None:
    response = send(f"/twilio/status/{attempt.token}", status(attempt), attempt.account.auth_token)
    assert (response.status_code, response.content) == (204, b"")
    assert DeliveryEvent.objects.filter(message=attempt.message, provider_status="delivered").exists()


def test_it_checks_the_query_as_it_was_sent(attempt: Attempt) -> None:
    path = f"/twilio/status/{attempt.token}?a=%7e&b"
    assert send(path, status(attempt), attempt.account.auth_token).status_code == 204


@pytest.mark.parametrize("token", [None, "another"])
def test_it_refuses_what_the_account_did_not_sign(attempt: Attempt, token: str | None) -> None:
    response = send(f"/twilio/status/{attempt.token}", status(attempt), token)
    assert (response.status_code, response["Content-Type"]) == (401, "application/problem+json")


def test_it_refuses_what_is_no_form(attempt: Attempt) -> None:
    response = Client().post(f"/twilio/status/{attempt.token}", b"\xff\xfe", content_type="text/plain")
    assert response.status_code == 400


def test_it_hears_a_stop(api: Api, attempt: Attempt) -> None:
    account = Account.objects.get()
    form = {"AccountSid": account.account_sid, "From": "+14155550132", "To": account.from_number, "Body": "STOP"}
    response = send(f"/twilio/inbound/{account.inbound_token}", form, account.auth_token)
    assert (response.status_code, response["Content-Type"]) == (200, "text/xml")
    (opt_out,) = api.get("/opt-outs").json["items"]
    assert (opt_out["number"], opt_out["origin"], opt_out["quote"]) == ("+14155550132", "stop", "STOP")
