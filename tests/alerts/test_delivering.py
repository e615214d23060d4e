"""An alert is brought until it arrives, signed, and each try can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from dashboard.factories import an_alert_channel
from outbound.servers import Server, answering, serving
from smtp_stand_in import mail_server
from standardwebhooks import Webhook

from postcall.alerts.chore import alert
from postcall.alerts.delivering import KEPT, PAUSES_MIN, forget_old, try_out
from postcall.alerts.editing import add_email
from postcall.alerts.models import AlertChannel, AlertDelivery, AlertState, AlertWatch
from postcall.config import config
from postcall.keeping.models import Restoration
from postcall.messages.models import SendingAccount
from postcall.work import clock
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
ITEM = {
    "key": "credentials",
    "kind": "credentials",
    "tone": "bad",
    "title": "Twilio refuses the account’s credentials",
    "mend": "Enter them again.",
    "since": "2026-11-23T09:00:00+00:00",
}


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Loopback may be reached, as whoever runs this Postcall says."""
    monkeypatch.setenv("POSTCALL_OUTBOUND_ALLOW", "127.0.0.0/8")
    config.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    config.cache_clear()


def due(channel: AlertChannel, **content: Any) -> AlertDelivery:
    now = clock.now()
    return AlertDelivery.objects.create(
        workspace=channel.workspace,
        channel=channel,
        content={"raised": [], "settled": []} | content,
        made_at=now,
        due_at=now - timedelta(seconds=1),
    )


def to(server: Server, workspace: Workspace) -> AlertChannel:
    return an_alert_channel(workspace, f"http://127.0.0.1:{server.port}/in")


def signed(server: Server, channel: AlertChannel, number: int = 0) -> Any:
    """What arrived, once its signature was verified."""
    head, _, body = server.asked[number].partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return Webhook(channel.secret).verify(body, {name.lower(): value for name, _, value in lines})


def test_it_signs_a_webhook_by_the_convention(workspace: Workspace, allowed: Any) -> None:
    with serving() as server:
        channel = to(server, workspace)
        delivery = due(channel, raised=[ITEM])
        alert()
    event = signed(server, channel)
    assert (event["type"], event["data"]["items"]) == ("attention.raised", [ITEM])
    assert event["data"]["workspace"] == {"id": str(workspace.pk), "name": workspace.name}
    assert event["data"]["url"].endswith(f"/w/{workspace.pk}/")
    delivery.refresh_from_db()
    assert (delivery.due_at, delivery.tried, delivery.arrived_at is not None) == (None, 1, True)
    assert delivery.tries[0]["said"] == "Answered with HTTP status 204."


def test_it_tells_what_is_over(workspace: Workspace, allowed: Any) -> None:
    with serving() as server:
        channel = to(server, workspace)
        due(channel, settled=[ITEM])
        alert()
    assert signed(server, channel)["type"] == "attention.settled"


def test_it_tries_again_over_a_day_under_the_same_name(workspace: Workspace, allowed: Any) -> None:
    with serving(answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as server:
        delivery = due(to(server, workspace), raised=[ITEM])
        waits = []
        for _ in range(30):
            alert()
            delivery.refresh_from_db()
            if delivery.due_at is None:
                break
            waits.append(round((delivery.due_at - clock.now()) / timedelta(minutes=1)))
            AlertDelivery.objects.update(due_at=clock.now() - timedelta(seconds=1))
    assert waits == list(PAUSES_MIN)
    assert 23 <= sum(waits) / 60 <= 24
    assert (delivery.given_up_at is not None, delivery.tried) == (True, len(PAUSES_MIN) + 1)
    assert delivery.tries[-1]["said"].endswith("answered with HTTP status 500.")
    names = {line for request in server.asked for line in request.split(b"\r\n") if b"webhook-id" in line}
    assert len(names) == 1


def test_it_says_why_an_address_is_not_asked(workspace: Workspace) -> None:
    with serving() as server:
        sent = try_out(to(server, workspace))
        assert server.asked == []
    assert (sent.arrived_at, sent.given_up_at is not None) == (None, True)
    assert "POSTCALL_OUTBOUND_ALLOW" in sent.tries[0]["said"]


def test_it_follows_no_redirect_of_a_receiver(workspace: Workspace, allowed: Any) -> None:
    with serving() as elsewhere:
        answer = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{elsewhere.port}/\r\nContent-Length: 0\r\n\r\n"
        with serving(answering(answer.encode())) as server:
            sent = try_out(to(server, workspace))
        assert (sent.arrived_at, elsewhere.asked) == (None, [])


def test_it_mails_what_began_and_what_is_over_in_one(workspace: Workspace, allowed: pytest.MonkeyPatch) -> None:
    with mail_server() as mails:
        allowed.setenv("POSTCALL_SMTP_URL", mails.url)
        allowed.setenv("POSTCALL_MAIL_FROM", "postcall@northgate.example")
        config.cache_clear()
        due(an_alert_channel(workspace), raised=[ITEM], settled=[ITEM | {"title": "Sending is paused"}])
        alert()
    (mail,) = mails.taken
    assert mail["Subject"] == "Northgate Clinic: 1 thing needs attention"
    text = mail.get_content().replace("\r\n", "\n")
    assert "- Twilio refuses the account’s credentials\n  Enter them again." in text
    assert "Over\n\n- Sending is paused (since 2026-11-23 09:00 UTC)" in text
    assert f"/w/{workspace.pk}/" in text


def test_it_says_that_no_mail_server_is_set(workspace: Workspace) -> None:
    config.cache_clear()
    assert "POSTCALL_SMTP_URL" in try_out(an_alert_channel(workspace)).tries[0]["said"]


def test_it_sends_a_test_once_and_keeps_it(workspace: Workspace, allowed: Any) -> None:
    with serving() as server:
        channel = to(server, workspace)
        try_out(channel)
        alert()
        assert len(server.asked) == 1
    assert signed(server, channel)["type"] == "attention.test"
    assert AlertDelivery.objects.get().test


def test_it_notices_and_tells_by_itself(workspace: Workspace, allowed: Any) -> None:
    with serving() as server:
        channel = to(server, workspace)
        add_email(workspace, "desk@northgate.example")
        SendingAccount.objects.filter(workspace=workspace).delete()
        for _ in range(2):
            alert()
            # As if a minute had passed.
            AlertWatch.objects.update(due_at=clock.now() - timedelta(seconds=1))
            channel.workspace.alert_watch.refresh_from_db()
            _a_minute_ago(workspace)
        alert()
    assert [each["key"] for each in signed(server, channel)["data"]["items"]] == ["account"]
    assert len(server.asked) == 1


def _a_minute_ago(workspace: Workspace) -> None:
    for state in AlertState.objects.filter(workspace=workspace, told_at=None):
        state.since -= timedelta(minutes=1)
        state.save()


def test_it_sends_nothing_of_before_a_restoration_again(workspace: Workspace, allowed: Any) -> None:
    with serving() as server:
        due(to(server, workspace), raised=[ITEM])
        Restoration.objects.create(taken_at=clock.now(), restored_at=clock.now(), resumed_at=clock.now())
        alert()
        assert server.asked == []
    assert "restored" in AlertDelivery.objects.get().tries[0]["said"]


def test_it_tells_nothing_while_a_restored_database_sends_nothing(workspace: Workspace, allowed: Any) -> None:
    Restoration.objects.create(taken_at=clock.now(), restored_at=clock.now() - timedelta(minutes=5))
    with serving() as server:
        due(to(server, workspace), raised=[ITEM])
        alert()
        assert server.asked == []
    assert AlertDelivery.objects.get().due_at is not None


def test_it_is_kept_from_nothing_by_one_that_fails(workspace: Workspace, allowed: Any) -> None:
    with serving() as server:
        broken = due(an_alert_channel(workspace), raised="no list")
        due(to(server, workspace), raised=[ITEM])
        alert()
        assert len(server.asked) == 1
    broken.refresh_from_db()
    assert (broken.tried, broken.starts) == (0, 1)


def test_it_forgets_alerts_after_a_month(workspace: Workspace) -> None:
    sent = due(an_alert_channel(workspace))
    AlertDelivery.objects.update(due_at=None)
    forget_old(sent.made_at + KEPT - timedelta(hours=1))
    assert AlertDelivery.objects.exists()
    forget_old(sent.made_at + KEPT + timedelta(hours=1))
    assert not AlertDelivery.objects.exists()


def test_it_keeps_addresses_and_secrets_from_whoever_reads_the_database(workspace: Workspace) -> None:
    channel = an_alert_channel(workspace, "https://hooks.northgate.example/in/a-token")
    stored = json.dumps(list(AlertChannel.objects.extra(select={"raw": "address || secret"}).values("raw")))
    assert "a-token" not in stored
    assert channel.secret not in stored
