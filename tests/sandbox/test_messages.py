from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from postcall.sandbox.running import Sandbox

from .application import ACCOUNT, ANN, OURS, SERVICE, TOKEN
from .conftest import Connect

DOCUMENTED_KEYS = {
    "account_sid",
    "api_version",
    "body",
    "date_created",
    "date_sent",
    "date_updated",
    "direction",
    "error_code",
    "error_message",
    "from",
    "messaging_service_sid",
    "num_media",
    "num_segments",
    "price",
    "price_unit",
    "sid",
    "status",
    "subresource_uris",
    "to",
    "uri",
}


def create(sandbox: Sandbox, **form: str) -> requests.Response:
    url = f"{sandbox.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    return requests.post(url, {"To": ANN, "Body": "Hi"} | form, auth=(ACCOUNT, TOKEN), timeout=30)


def resource(sandbox: Sandbox, **form: str) -> dict[str, Any]:
    response = create(sandbox, **form)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_it_answers_exactly_the_documented_keys(sandbox: Sandbox) -> None:
    assert resource(sandbox, From=OURS).keys() == DOCUMENTED_KEYS


def test_it_answers_a_queued_message_with_numbers_as_strings(sandbox: Sandbox) -> None:
    answer = resource(sandbox, From=OURS, Body="Hi ☃")
    assert answer["status"] == "queued"
    assert answer["body"] == "Hi ☃"
    assert (answer["num_segments"], answer["num_media"], answer["price"]) == ("1", "0", None)
    assert answer["sid"].startswith("SM")
    assert len(answer["sid"]) == 34
    assert answer["uri"] == f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{answer['sid']}.json"
    assert answer["date_sent"] is None


def test_it_writes_dates_as_rfc_2822_in_utc(sandbox: Sandbox) -> None:
    written = resource(sandbox, From=OURS)["date_created"]
    assert written.endswith(" +0000")
    assert abs(parsedate_to_datetime(written) - datetime.now(UTC)) < timedelta(minutes=1)


def test_it_sends_the_headers_worth_logging(sandbox: Sandbox) -> None:
    headers = create(sandbox, From=OURS).headers
    assert headers["Twilio-Request-Id"].startswith("RQ")
    assert float(headers["Twilio-Request-Duration"]) >= 0
    assert headers["Twilio-Concurrent-Requests"]
    assert parsedate_to_datetime(headers["Date"])


def test_it_accepts_for_a_messaging_service_before_a_sender_is_picked(sandbox: Sandbox) -> None:
    answer = resource(sandbox, MessagingServiceSid=SERVICE)
    assert (answer["status"], answer["from"], answer["num_segments"]) == ("accepted", None, "0")
    sandbox.push(answer["sid"], "queued")
    assert sandbox.message(answer["sid"]).from_number


def test_it_counts_segments(sandbox: Sandbox) -> None:
    assert resource(sandbox, From=OURS, Body="a" * 161)["num_segments"] == "2"


def test_it_reads_a_number_with_punctuation(sandbox: Sandbox) -> None:
    assert resource(sandbox, From=OURS, To="+1 (555) 123-0001")["to"] == ANN


def test_it_keeps_the_form_as_it_came(sandbox: Sandbox) -> None:
    sid = resource(sandbox, From=OURS, ValidityPeriod="3600")["sid"]
    assert sandbox.message(sid).parameters["ValidityPeriod"] == "3600"


def test_the_sdk_creates_and_fetches(client: Client) -> None:
    created = client.messages.create(to=ANN, from_=OURS, body="Hi")
    fetched = client.messages(created.sid).fetch()
    assert (fetched.sid, fetched.status, fetched.body) == (created.sid, "queued", "Hi")
    assert fetched.date_created == created.date_created


def test_it_knows_the_price_once_sent(sandbox: Sandbox, client: Client) -> None:
    sid = client.messages.create(to=ANN, from_=OURS, body="a" * 161).sid
    sandbox.push(sid, "sent")
    message = client.messages(sid).fetch()
    assert (message.price, message.price_unit) == ("-0.01660", "USD")
    assert message.date_sent is not None


def test_it_redacts_what_was_sent(sandbox: Sandbox, client: Client) -> None:
    sid = client.messages.create(to=ANN, from_=OURS, body="secret").sid
    sandbox.push(sid, "delivered")
    assert client.messages(sid).update(body="").body == ""
    assert "secret" not in str(sandbox.messages)
    assert sum(sandbox.creates.values()) == 1


@pytest.mark.parametrize("change", ["redact", "delete"])
def test_it_forgets_words_in_its_file_too(tmp_path: Path, connect: Connect, change: str) -> None:
    state = tmp_path / "sandbox.sqlite3"
    with Sandbox(progress="manual", state=state).running() as sandbox:
        message = connect(sandbox).messages
        sid = message.create(to=ANN, from_=OURS, body="a very secret word").sid
        sandbox.push(sid, "delivered")
        assert any(b"very secret" in file.read_bytes() for file in tmp_path.iterdir())
        message(sid).update(body="") if change == "redact" else message(sid).delete()
        assert not any(b"very secret" in file.read_bytes() for file in tmp_path.iterdir())
        assert change == "redact" or not any(ANN.encode() in file.read_bytes() for file in tmp_path.iterdir())


def test_it_still_counts_words_that_it_forgot(sandbox: Sandbox, client: Client) -> None:
    for body in ("Hi", "Hi", "Bye"):
        sid = client.messages.create(to=ANN, from_=OURS, body=body).sid
        sandbox.push(sid, "delivered")
        client.messages(sid).update(body="")
    assert sorted(sandbox.creates.values()) == [1, 2]


@pytest.mark.parametrize("change", ["redact", "delete"])
def test_it_leaves_a_message_on_its_way_alone(client: Client, change: str) -> None:
    sid = client.messages.create(to=ANN, from_=OURS, body="Hi").sid
    with pytest.raises(TwilioRestException) as refused:
        client.messages(sid).update(body="") if change == "redact" else client.messages(sid).delete()
    assert (refused.value.status, refused.value.code) == (409, 20009)


def test_it_deletes(sandbox: Sandbox, client: Client) -> None:
    sid = client.messages.create(to=ANN, from_=OURS, body="Hi").sid
    sandbox.push(sid, "delivered")
    assert client.messages(sid).delete() is True
    with pytest.raises(TwilioRestException) as missing:
        client.messages(sid).fetch()
    assert (missing.value.status, missing.value.code) == (404, 20404)
    assert client.messages.list() == []


def test_it_cancels_a_scheduled_message(client: Client) -> None:
    message = client.messages.create(
        to=ANN,
        messaging_service_sid=SERVICE,
        body="Hi",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(hours=1),
    )
    assert message.status == "scheduled"
    assert client.messages(message.sid).update(status="canceled").status == "canceled"


def test_it_cancels_nothing_else(client: Client) -> None:
    sid = client.messages.create(to=ANN, from_=OURS, body="Hi").sid
    with pytest.raises(TwilioRestException) as refused:
        client.messages(sid).update(status="canceled")
    assert (refused.value.status, refused.value.code) == (409, 30409)


def test_it_neither_redacts_nor_cancels_with_a_body(sandbox: Sandbox, client: Client) -> None:
    sid = client.messages.create(to=ANN, from_=OURS, body="Hi").sid
    with pytest.raises(TwilioRestException) as refused:
        client.messages(sid).update(body="something else")
    assert refused.value.code == 30400


def test_it_hides_messages_from_other_accounts(sandbox: Sandbox, client: Client, connect: Connect) -> None:
    sid = client.messages.create(to=ANN, from_=OURS, body="Hi").sid
    stranger = connect(sandbox, "AC" + "9" * 32)
    assert stranger.messages.list() == []
    with pytest.raises(TwilioRestException) as missing:
        stranger.messages(sid).fetch()
    assert missing.value.code == 20404


def test_it_answers_404_in_twilios_way_for_an_unknown_path(sandbox: Sandbox) -> None:
    response = requests.get(f"{sandbox.url}/2010-04-01/Nothing.json", timeout=30)
    assert (response.status_code, response.json()["code"]) == (404, 20404)
