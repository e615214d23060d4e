from __future__ import annotations

import socket

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from postcall.sandbox.accounts import Account
from postcall.sandbox.running import Sandbox
from postcall.sandbox.webhooks import Overrides

from .application import ACCOUNT, ANN, OURS, TOKEN, Application
from .conftest import Connect


def create(client: Client, url: str) -> str:
    return str(client.messages.create(to=ANN, from_=OURS, body="Hi", status_callback=url).sid)


def nobody_listens() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_a_callback_is_signed_over_the_whole_address(
    sandbox: Sandbox, client: Client, application: Application
) -> None:
    url = f"{application.url}/twilio/status/t?b=2&a=%20x"
    sandbox.push(create(client, url), "sent")
    (received,) = application.received
    assert received.path == "/twilio/status/t?b=2&a=%20x"
    signature = received.headers["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(url, received.form, signature)
    assert not RequestValidator("another").validate(url, received.form, signature)


def test_the_fragment_is_neither_sent_nor_signed(
    sandbox: Sandbox, client: Client, application: Application
) -> None:
    sandbox.push(create(client, f"{application.url}/status#rc=3&rp=all"), "sent")
    (received,) = application.received
    assert received.path == "/status"
    signature = received.headers["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(f"{application.url}/status", received.form, signature)


def test_callbacks_of_an_api_key_are_signed_with_the_accounts_token(
    connect: Connect, application: Application
) -> None:
    key = "SK" + "3" * 32
    with Sandbox(accounts=[Account(ACCOUNT, TOKEN, {key: "secret"})], progress="manual").running() as sandbox:
        sandbox.push(create(connect(sandbox, key, "secret"), f"{application.url}/status"), "sent")
    (received,) = application.received
    signature = received.headers["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(f"{application.url}/status", received.form, signature)


def test_the_first_status_has_no_callback(sandbox: Sandbox, client: Client, application: Application) -> None:
    create(client, application.url)
    assert not sandbox.busy
    assert application.received == []


def test_a_callback_carries_twilios_fields(sandbox: Sandbox, client: Client, application: Application) -> None:
    sid = create(client, application.url)
    sandbox.push(sid, "undelivered", 30003)
    form = application.received[0].form
    assert form.pop("RawDlrDoneDate").isdecimal()
    assert form == {
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "ErrorCode": "30003",
        "ErrorMessage": "Unreachable destination handset",
        "From": OURS,
        "MessageSid": sid,
        "MessageStatus": "undelivered",
        "SmsSid": sid,
        "SmsStatus": "undelivered",
        "To": ANN,
    }


def test_a_failed_connection_is_tried_once_more(sandbox: Sandbox, client: Client) -> None:
    delivery = sandbox.push(create(client, nobody_listens()), "sent")
    assert delivery is not None
    assert (delivery.tries, delivery.status) == (2, None)
    assert delivery.error is not None


def test_a_refused_callback_is_not_tried_again(sandbox: Sandbox, client: Client, application: Application) -> None:
    application.answers = [500]
    delivery = sandbox.push(create(client, application.url), "sent")
    assert delivery is not None
    assert (delivery.tries, delivery.status, delivery.ok) == (1, 500, False)


def test_overrides_in_the_address_are_honoured(sandbox: Sandbox, client: Client, application: Application) -> None:
    application.answers = [500, 503]
    delivery = sandbox.push(create(client, f"{application.url}#rc=3&rp=5xx,ct"), "sent")
    assert delivery is not None
    assert (delivery.tries, delivery.status) == (3, 204)
    tokens = {received.headers["I-Twilio-Idempotency-Token"] for received in application.received}
    assert len(tokens) == 1


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", Overrides()),
        ("rc=5&rp=all", Overrides(retries=5, retry_on=frozenset({"4xx", "5xx", "ct", "rt"}))),
        ("rc=9&rp=nonsense&ct=1", Overrides()),
        ("ct=2000&rt=10000&tt=9000", Overrides(connect_s=2, read_s=10, total_s=9)),
    ],
)
def test_it_reads_connection_overrides(fragment: str, expected: Overrides) -> None:
    assert Overrides.of(fragment) == expected


def test_a_dropped_callback_never_comes(sandbox: Sandbox, client: Client, application: Application) -> None:
    sandbox.fail_next("drop_callback")
    sid = create(client, application.url)
    assert sandbox.push(sid, "sent") is None
    sandbox.push(sid, "delivered")
    assert application.statuses == ["delivered"]


def test_a_doubled_callback_comes_twice(sandbox: Sandbox, client: Client, application: Application) -> None:
    sandbox.fail_next("double_callback")
    sandbox.push(create(client, application.url), "sent")
    assert application.statuses == ["sent", "sent"]


def test_a_reordered_callback_comes_after_the_next(
    sandbox: Sandbox, client: Client, application: Application
) -> None:
    sandbox.fail_next("reorder_callbacks")
    sid = create(client, application.url)
    sandbox.push(sid, "sent")
    sandbox.push(sid, "delivered")
    assert application.statuses == ["delivered", "sent"]


def test_the_last_callback_cannot_be_held_back(sandbox: Sandbox, client: Client, application: Application) -> None:
    sandbox.fail_next("reorder_callbacks")
    sandbox.push(create(client, application.url), "delivered")
    assert application.statuses == ["delivered"]


def test_a_delayed_callback_comes_late(sandbox: Sandbox, client: Client, application: Application) -> None:
    sandbox.faults = {"delay_callback_s": 0.05}
    sandbox.fail_next("delay_callback")
    sid = create(client, application.url)
    assert sandbox.push(sid, "sent") is None
    assert sandbox.busy
    assert application.wait_for(1)[0].form["MessageStatus"] == "sent"


def test_a_slow_application_gets_callbacks_in_order(connect: Connect, application: Application) -> None:
    with Sandbox(pace=0).running() as sandbox:
        create(connect(sandbox), application.url)
        application.wait_for(3)
        sandbox.wait_until_idle()
    assert application.statuses == ["sending", "sent", "delivered"]
