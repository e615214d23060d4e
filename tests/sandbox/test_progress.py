from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from twilio.rest import Client

from postcall.sandbox.magic import FAILED_BEFORE_SENDING, FICTIONAL_RECIPIENTS, fate_of
from postcall.sandbox.message import Message
from postcall.sandbox.running import Sandbox

from .application import ANN, OURS, SERVICE, Application
from .conftest import Connect


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(pace=0.01).running() as sandbox:
        yield sandbox


def settled(sandbox: Sandbox, client: Client, to: str) -> Message:
    sid = str(client.messages.create(to=to, from_=OURS, body="Hi").sid)
    sandbox.wait_until_idle()
    return sandbox.message(sid)


def test_a_message_goes_all_the_way(sandbox: Sandbox, client: Client, application: Application) -> None:
    client.messages.create(to=ANN, from_=OURS, body="Hi", status_callback=application.url)
    sandbox.wait_until_idle()
    assert application.statuses == ["sending", "sent", "delivered"]


def test_a_message_of_a_service_is_queued_first(sandbox: Sandbox, client: Client, application: Application) -> None:
    client.messages.create(to=ANN, messaging_service_sid=SERVICE, body="Hi", status_callback=application.url)
    sandbox.wait_until_idle()
    assert application.statuses == ["queued", "sending", "sent", "delivered"]
    assert {received.form["MessagingServiceSid"] for received in application.received} == {SERVICE}


@pytest.mark.parametrize("ending", [ending for ending, fate in FICTIONAL_RECIPIENTS.items() if not fate.refused])
def test_a_fictional_number_meets_its_fate(sandbox: Sandbox, client: Client, ending: str) -> None:
    message, fate = settled(sandbox, client, f"+1212{ending}"), FICTIONAL_RECIPIENTS[ending]
    assert (message.status, message.error_code) == (fate.final, fate.error_code)
    assert (message.price is None) == (fate.final == "failed")


@pytest.mark.parametrize("code", [30003, 30034, 30500])
def test_a_number_names_its_own_error(sandbox: Sandbox, client: Client, code: int) -> None:
    message = settled(sandbox, client, f"+150055{code}")
    assert message.error_code == code
    assert message.status == ("failed" if code in FAILED_BEFORE_SENDING else "undelivered")


@pytest.mark.parametrize("number", [ANN, "+12125550123", "+442079460190", "+15005539999", "+15005550006"])
def test_other_numbers_are_delivered(number: str) -> None:
    assert (fate_of(number).final, fate_of(number).refused) == ("delivered", None)


def test_nothing_moves_by_itself_in_manual_mode(connect: Connect) -> None:
    with Sandbox(progress="manual").running() as sandbox:
        sid = connect(sandbox).messages.create(to=ANN, from_=OURS, body="Hi").sid
        assert not sandbox.busy
        assert sandbox.message(str(sid)).due_at is None


def test_what_was_moved_by_hand_stays_there(connect: Connect) -> None:
    with Sandbox(pace=1000).running() as sandbox:
        sid = str(connect(sandbox).messages.create(to=ANN, from_=OURS, body="Hi").sid)
        sandbox.push(sid, "undelivered", 30003)
        assert not sandbox.busy
        assert sandbox.message(sid).error_code == 30003


def test_a_restart_keeps_messages_and_goes_on(connect: Connect, application: Application, tmp_path: Path) -> None:
    state = tmp_path / "sandbox.db"
    with Sandbox(state=state, pace=2).running() as sandbox:
        client = connect(sandbox)
        sid = str(client.messages.create(to=ANN, from_=OURS, body="Hi", status_callback=application.url).sid)
        sandbox.push(sid, "sent")
        other = str(client.messages.create(to=ANN, from_=OURS, body="Bye", status_callback=application.url).sid)
    with Sandbox(state=state, pace=0.01).running() as sandbox:
        assert sandbox.creates == {(ANN, "Hi"): 1, (ANN, "Bye"): 1}
        assert sandbox.message(sid).status == "sent"
        sandbox.wait_until(lambda sandbox: sandbox.message(other).status == "delivered")


def test_callbacks_after_a_restart_are_signed_as_before(
    connect: Connect, application: Application, tmp_path: Path
) -> None:
    state = tmp_path / "sandbox.db"
    with Sandbox(state=state, progress="manual").running() as sandbox:
        client = connect(sandbox)
        sid = str(client.messages.create(to=ANN, from_=OURS, body="Hi", status_callback=application.url).sid)
    with Sandbox(state=state, progress="manual").running() as sandbox:
        sandbox.push(sid, "sent")
        assert application.received[0].headers["X-Twilio-Signature"]
