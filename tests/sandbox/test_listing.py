from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import requests
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from postcall.sandbox.running import Sandbox

from .application import ACCOUNT, ANN, OURS, SERVICE, TOKEN

BOB = "+15551230002"


def send(client: Client, count: int = 1, to: str = ANN) -> list[str]:
    return [str(client.messages.create(to=to, from_=OURS, body=f"no {n}").sid) for n in range(count)]


def test_it_lists_the_newest_first(client: Client) -> None:
    sids = send(client, 3)
    assert [message.sid for message in client.messages.list()] == sids[::-1]


def test_it_lists_by_recipient_and_sender(client: Client) -> None:
    send(client, to=ANN)
    (bobs,) = send(client, to=BOB)
    assert [message.sid for message in client.messages.list(to=BOB)] == [bobs]
    assert len(client.messages.list(from_=OURS)) == 2
    assert client.messages.list(from_=BOB) == []


def test_a_message_without_a_sender_yet_is_found_by_recipient_only(client: Client) -> None:
    client.messages.create(to=ANN, messaging_service_sid=SERVICE, body="Hi")
    assert len(client.messages.list(to=ANN)) == 1
    assert client.messages.list(to=ANN, from_=OURS) == []


def test_the_sdk_reads_all_pages(client: Client) -> None:
    sids = send(client, 7)
    assert [message.sid for message in client.messages.list(page_size=3)] == sids[::-1]


def test_pages_neither_repeat_nor_hide_when_messages_arrive_meanwhile(client: Client) -> None:
    sids = send(client, 4)
    first = client.messages.page(page_size=2)
    seen = [message.sid for message in first]
    send(client, 3)
    second = first.next_page()
    assert second is not None
    assert seen + [message.sid for message in second] == sids[::-1]


def test_it_leads_back_to_the_page_before(client: Client) -> None:
    send(client, 5)
    first = client.messages.page(page_size=2)
    expected = [message.sid for message in first]
    second = first.next_page()
    assert second is not None
    back = second.previous_page()
    assert back is not None
    assert [message.sid for message in back] == expected


def test_it_describes_the_page(sandbox: Sandbox, client: Client) -> None:
    send(client, 3)
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    answer = requests.get(
        f"{sandbox.url}{path}?PageSize=2&To=%2B15551230001", auth=(ACCOUNT, TOKEN), timeout=30
    ).json()
    assert (answer["page"], answer["page_size"], answer["start"], answer["end"]) == (0, 2, 0, 1)
    assert answer["first_page_uri"] == f"{path}?To=%2B15551230001&PageSize=2&Page=0"
    assert "PageToken=PASM" in answer["next_page_uri"]
    assert "To=%2B15551230001" in answer["next_page_uri"]
    assert answer["previous_page_uri"] is None


def test_the_last_page_has_no_next(client: Client) -> None:
    send(client, 2)
    assert client.messages.page(page_size=2).next_page() is None


def test_it_lists_by_the_date_sent(sandbox: Sandbox, client: Client) -> None:
    _, sent = send(client, 2)
    sandbox.push(sent, "sent")
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    assert [found.sid for found in client.messages.list(date_sent_after=now - hour)] == [sent]
    assert [found.sid for found in client.messages.list(date_sent_before=now + hour)] == [sent]
    assert client.messages.list(date_sent_after=now + hour) == []
    assert client.messages.list(date_sent_before=now - hour) == []
    assert client.messages.list(date_sent=date(2020, 1, 1)) == []
    assert len(client.messages.list()) == 2


def test_it_lists_by_the_day_sent(sandbox: Sandbox, client: Client) -> None:
    (sid,) = send(client)
    sandbox.push(sid, "sent")
    sent = sandbox.message(sid).sent_at
    assert sent is not None
    assert len(client.messages.list(date_sent=datetime.fromtimestamp(sent, UTC).date())) == 1


@pytest.mark.parametrize("query", ["PageSize=none", "PageSize=0", "Page=-1", "DateSent=soon", "PageToken=PASM1"])
def test_it_refuses_a_query_that_it_cannot_read(sandbox: Sandbox, query: str) -> None:
    url = f"{sandbox.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json?{query}"
    assert requests.get(url, auth=(ACCOUNT, TOKEN), timeout=30).status_code == 400


def test_new_messages_appear_after_the_lag(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults = {"list_lag_s": 3600}
    (sid,) = send(client)
    assert client.messages.list() == []
    assert client.messages(sid).fetch().sid == sid
    sandbox.faults = {}
    assert len(client.messages.list()) == 1


def test_listing_fails_on_demand(sandbox: Sandbox, client: Client) -> None:
    sandbox.fail_next("list_error")
    with pytest.raises(TwilioException, match="500"):
        client.messages.list()
    assert client.messages.list() == []
