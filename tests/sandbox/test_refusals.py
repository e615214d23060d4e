from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from postcall.sandbox.errors import REFUSALS
from postcall.sandbox.magic import FICTIONAL_RECIPIENTS
from postcall.sandbox.running import Sandbox

from .application import ACCOUNT, ANN, OURS, SERVICE, TOKEN

GOOD = {"To": ANN, "From": OURS, "Body": "Hi"}


def refusal(sandbox: Sandbox, form: dict[str, str]) -> int:
    url = f"{sandbox.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    response = requests.post(url, form, auth=(ACCOUNT, TOKEN), timeout=30)
    answer = response.json()
    assert response.status_code == answer["status"] == REFUSALS[answer["code"]][0]
    assert answer["more_info"].endswith(f"/errors/{answer['code']}")
    assert sandbox.messages == []
    return int(answer["code"])


@pytest.mark.parametrize(
    ("code", "change"),
    [
        (21604, {"To": ""}),
        (21211, {"To": "5551230001"}),
        (21211, {"To": "hello"}),
        (21211, {"To": OURS}),
        (21602, {"Body": ""}),
        (21602, {"Body": "  "}),
        (21617, {"Body": "a" * 1601}),
        (21603, {"From": ""}),
        (21212, {"From": "+0"}),
        (21705, {"MessagingServiceSid": "MG123"}),
        (21609, {"StatusCallback": "ftp://127.0.0.1/x"}),
        (21609, {"StatusCallback": "http://under_score.test/x"}),
        (21609, {"StatusCallback": "nonsense"}),
        (35118, {"ScheduleType": "fixed", "SendAt": "2030-01-01T00:00:00Z"}),
        (35111, {"ScheduleType": "fixed", "MessagingServiceSid": SERVICE}),
        (35114, {"ScheduleType": "fixed", "MessagingServiceSid": SERVICE, "SendAt": "soon"}),
    ],
)
def test_it_refuses_what_twilio_refuses(sandbox: Sandbox, code: int, change: dict[str, str]) -> None:
    assert refusal(sandbox, GOOD | change) == code


def test_it_refuses_to_schedule_for_the_next_minutes(sandbox: Sandbox) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=200)).isoformat()
    form = GOOD | {"ScheduleType": "fixed", "MessagingServiceSid": SERVICE, "SendAt": soon}
    assert refusal(sandbox, form) == 35114


@pytest.mark.parametrize("missing", [("To", 21604), ("Body", 21602), ("From", 21603)])
def test_it_refuses_a_form_without_a_field(sandbox: Sandbox, missing: tuple[str, int]) -> None:
    name, code = missing
    assert refusal(sandbox, {key: value for key, value in GOOD.items() if key != name}) == code


@pytest.mark.parametrize(("ending", "code"), [(1, 21211), (2, 21612), (3, 21408), (4, 21610), (9, 21614)])
def test_it_knows_twilios_magic_recipients(sandbox: Sandbox, ending: int, code: int) -> None:
    assert refusal(sandbox, GOOD | {"To": f"+1500555000{ending}"}) == code


@pytest.mark.parametrize(("ending", "code"), [(1, 21212), (7, 21606), (8, 21611)])
def test_it_knows_twilios_magic_senders(sandbox: Sandbox, ending: int, code: int) -> None:
    assert refusal(sandbox, GOOD | {"From": f"+1500555000{ending}"}) == code


@pytest.mark.parametrize("ending", [ending for ending, fate in FICTIONAL_RECIPIENTS.items() if fate.refused])
def test_it_knows_fictional_numbers_that_are_refused(sandbox: Sandbox, ending: str) -> None:
    assert refusal(sandbox, GOOD | {"To": f"+1212{ending}"}) == FICTIONAL_RECIPIENTS[ending].refused


def test_it_accepts_the_longest_body(client: Client) -> None:
    assert client.messages.create(to=ANN, from_=OURS, body="a" * 1600).num_segments == "11"


def test_the_sdk_reads_the_refusal(client: Client) -> None:
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to="+15005550009", from_=OURS, body="Hi")
    assert (refused.value.status, refused.value.code) == (400, 21614)
    assert "not a mobile number" in refused.value.msg


def test_it_refuses_a_form_that_is_not_utf_8(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    response = requests.post(url, b"To=%FF", auth=(ACCOUNT, TOKEN), timeout=30)
    assert response.status_code == 400
