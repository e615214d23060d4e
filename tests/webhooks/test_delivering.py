"""An event is brought until it arrives, signed, each try can be read, and nobody waits for somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from dashboard.factories import a_workspace
from outbound.servers import answering, serving
from standardwebhooks import Webhook, WebhookVerificationError

from postcall.agents.editing import Conflict, Invalid
from postcall.config import config
from postcall.keeping.models import Restoration
from postcall.webhooks import editing
from postcall.webhooks.delivering import GIVEN_UP_AFTER, JITTER, PAUSES_S, SLOW_MS, Came, deliver, try_out
from postcall.webhooks.editing import EndpointContent
from postcall.webhooks.forgetting import forget_events
from postcall.webhooks.models import EventType, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from postcall.webhooks.taking import AT_ONCE, take_quick, take_slow
from postcall.work import clock
from postcall.work.leases import LostLease
from postcall.workspaces.models import Workspace

from .receiver import LEASE, an_endpoint, arrived, come_due, headers, work

pytestmark = pytest.mark.django_db


def refusing(status: str, more: str = "") -> Any:
    return answering(f"HTTP/1.1 {status}\r\n{more}Content-Length: 4\r\n\r\nnope".encode())


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("POSTCALL_OUTBOUND_ALLOW", "127.0.0.0/8")
    config.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    config.cache_clear()


@pytest.fixture
def workspace(db: None) -> Workspace:
    return a_workspace()


def due(endpoint: WebhookEndpoint, **fields: Any) -> WebhookDelivery:
    now = clock.now()
    event = WebhookEvent.objects.create(
        workspace_id=endpoint.workspace_id, at=now, type="message.sent", data={"to": "+15551230001"}
    )
    made = {"due_at": now - timedelta(seconds=1), "round_at": now} | fields
    return WebhookDelivery.objects.create(
        workspace_id=endpoint.workspace_id, endpoint=endpoint, event=event, **made
    )


def fresh(delivery: WebhookDelivery) -> WebhookDelivery:
    return WebhookDelivery.objects.get(pk=delivery.pk)


def test_it_signs_by_the_convention(workspace: Workspace) -> None:
    with serving() as server:
        endpoint = an_endpoint(workspace, server)
        delivery = due(endpoint)
        work()
    [event] = arrived(server, endpoint.secret)
    assert event["type"] == "message.sent"
    assert event["timestamp"] == delivery.event.at.isoformat().replace("+00:00", "Z")
    assert headers(server)["webhook-id"] == f"evt_{delivery.event_id.hex}"
    assert fresh(delivery).arrived_at
    [attempt] = WebhookAttempt.objects.all()
    assert (attempt.number, attempt.well, attempt.status) == (1, True, 204)


def test_it_tries_again_over_a_day_under_the_same_name(workspace: Workspace) -> None:
    with serving(refusing("500 No")) as server:
        delivery = due(an_endpoint(workspace, server))
        waits = []
        while True:
            work()
            row = fresh(delivery)
            if row.due_at is None:
                break
            waits.append((row.due_at - clock.now()) / timedelta(seconds=1))
            come_due()
    assert len(waits) == len(PAUSES_S)
    assert all(low - 2 <= wait <= low * (1 + JITTER) + 2 for low, wait in zip(PAUSES_S, waits, strict=True))
    assert 23 <= sum(PAUSES_S) / 3600 <= 25
    assert row.given_up_at
    assert len({headers(server, number)["webhook-id"] for number in range(len(server.asked))}) == 1
    tries = list(WebhookAttempt.objects.order_by("number"))
    assert [each.number for each in tries] == list(range(1, len(PAUSES_S) + 2))
    assert (tries[0].said, tries[0].answer) == ("Answered with HTTP status 500.", "nope")


def test_a_redirect_is_a_failure_and_is_not_followed(workspace: Workspace) -> None:
    with (
        serving() as elsewhere,
        serving(refusing("302 Found", f"Location: http://127.0.0.1:{elsewhere.port}/\r\n")) as server,
    ):
        delivery = due(an_endpoint(workspace, server))
        work()
    assert fresh(delivery).due_at
    assert not elsewhere.asked


def test_who_is_gone_is_told_nothing_any_more(workspace: Workspace) -> None:
    with serving(refusing("410 Gone")) as server:
        endpoint = an_endpoint(workspace, server)
        first = due(endpoint)
        work()
        later = due(endpoint)
        come_due()
        work()
    endpoint.refresh_from_db()
    assert (endpoint.disabled_reason, endpoint.disabled_at is not None) == ("gone", True)
    assert fresh(first).given_up_at
    assert fresh(later).tried == 0
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", ["429 Slow", "503 Busy"])
def test_it_waits_as_long_as_it_is_told(workspace: Workspace, status: str) -> None:
    with serving(refusing(status, "Retry-After: 600\r\n")) as server:
        endpoint = an_endpoint(workspace, server)
        first = due(endpoint)
        work()
        other = due(endpoint)
        work()
    due_at = fresh(first).due_at
    assert due_at
    assert 590 < (due_at - clock.now()).total_seconds() < 700
    assert fresh(other).tried == 0  # its endpoint rests
    assert len(server.asked) == 1


def test_it_waits_for_nobody_longer_than_an_hour(workspace: Workspace) -> None:
    with serving(refusing("429 Slow", "Retry-After: 999999\r\n")) as server:
        delivery = due(an_endpoint(workspace, server))
        work()
    due_at = fresh(delivery).due_at
    assert due_at
    assert 3500 < (due_at - clock.now()).total_seconds() <= 3600


def test_it_asks_no_private_address(workspace: Workspace, allowed: pytest.MonkeyPatch) -> None:
    with serving() as server:
        delivery = due(an_endpoint(workspace, server))
        allowed.setenv("POSTCALL_OUTBOUND_ALLOW", "")
        config.cache_clear()
        work()
    assert not server.asked
    assert "not a public address" in WebhookAttempt.objects.get().said
    assert fresh(delivery).due_at
    with pytest.raises(Invalid):
        editing.check_address("https://127.0.0.1/in")


def test_both_secrets_sign_while_they_change_over(workspace: Workspace) -> None:
    with serving() as server:
        endpoint = an_endpoint(workspace, server)
        old = endpoint.secret
        new = editing.renew_secret(endpoint)
        due(endpoint)
        work()
        assert arrived(server, old) == arrived(server, new)
        WebhookEndpoint.objects.update(previous_until=clock.now() - timedelta(seconds=1))
        due(endpoint)
        work()
    body = server.asked[1].partition(b"\r\n\r\n")[2]
    assert Webhook(new).verify(body, headers(server, 1))
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers(server, 1))


def test_a_worker_that_was_killed_loses_nothing(workspace: Workspace) -> None:
    with serving() as server:
        delivery = due(an_endpoint(workspace, server))
        take_quick(10, timedelta(0), suspects=1)  # and dies
        work()
    assert fresh(delivery).arrived_at
    assert len(server.asked) == 1


def test_who_overslept_its_lease_writes_nothing(workspace: Workspace) -> None:
    with serving() as server:
        delivery = due(an_endpoint(workspace, server))
        [asleep] = take_quick(10, timedelta(0), suspects=1)
        work()
        with pytest.raises(LostLease):
            deliver(asleep)
    assert fresh(delivery).tried == 1


def test_one_endpoint_takes_no_more_than_its_share(workspace: Workspace) -> None:
    slow, quick = an_endpoint(workspace), an_endpoint(workspace)
    for _ in range(AT_ONCE + 3):
        due(slow)
    mine = due(quick)
    taken = take_quick(100, LEASE, suspects=1)
    assert sum(row.endpoint_id == slow.pk for row in taken) == AT_ONCE
    assert mine.pk in {row.pk for row in taken}
    assert take_quick(100, LEASE, suspects=1) == []


def test_it_takes_no_more_than_it_can_do(workspace: Workspace) -> None:
    endpoint = an_endpoint(workspace)
    for _ in range(3):
        due(endpoint)
    assert len(take_quick(2, LEASE, suspects=1)) == 2


def test_an_endpoint_that_fails_rests_and_recovers(workspace: Workspace) -> None:
    endpoint = an_endpoint(workspace)
    for _ in range(4):
        due(endpoint)
    work()
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since is not None) == (4, True)
    assert endpoint.resting_until
    assert endpoint.resting_until > clock.now()
    with serving() as server:
        WebhookEndpoint.objects.update(url=f"http://127.0.0.1:{server.port}/", resting_until=None)
        due(endpoint)
        work()
    endpoint.refresh_from_db()
    assert endpoint.failures == 0
    assert not (endpoint.failing_since)
    assert not (endpoint.resting_until)


def test_who_fails_for_days_is_switched_off(workspace: Workspace) -> None:
    endpoint = an_endpoint(workspace, failing_since=clock.now() - timedelta(days=6), failures=40)
    delivery = due(endpoint)
    work()
    endpoint.refresh_from_db()
    assert endpoint.disabled_reason == "failing"
    assert "switched off" in fresh(delivery).given_up_why


def test_what_is_too_old_is_given_up(workspace: Workspace) -> None:
    delivery = due(an_endpoint(workspace), round_at=clock.now() - GIVEN_UP_AFTER - timedelta(hours=1), tries=1)
    work()
    assert fresh(delivery).given_up_at
    assert not WebhookAttempt.objects.exists()


def test_it_replays_under_the_same_name(workspace: Workspace) -> None:
    with serving() as server:
        delivery = due(an_endpoint(workspace, server))
        work()
        editing.replay(delivery)
        assert fresh(delivery).arrived_at is None
        work()
    first, second = server.asked
    assert first.partition(b"\r\n\r\n")[2] == second.partition(b"\r\n\r\n")[2]
    assert headers(server)["webhook-id"] == headers(server, 1)["webhook-id"]
    assert fresh(delivery).tried == 2


def test_it_replays_nothing_to_who_is_switched_off(workspace: Workspace) -> None:
    delivery = due(an_endpoint(workspace, disabled_at=clock.now()), due_at=None)
    with pytest.raises(Conflict):
        editing.replay(delivery)


def test_it_sends_nothing_from_before_a_restoration(workspace: Workspace) -> None:
    now = clock.now()
    with serving() as server:
        endpoint = an_endpoint(workspace, server)
        old = due(endpoint, round_at=now - timedelta(hours=1))
        paused = Restoration.objects.create(taken_at=now - timedelta(hours=2), restored_at=now)
        work()
        assert fresh(old).due_at  # the original may still be at work
        paused.resumed_at = now
        paused.save()
        come_due()
        work()
        assert fresh(old).given_up_why.startswith("Made before the database was restored")
        due(endpoint)
        work()
    assert len(server.asked) == 1


def test_it_tries_an_address_out_at_once(workspace: Workspace) -> None:
    with serving() as server:
        endpoint = an_endpoint(workspace, server)
        delivery, came = try_out(endpoint)
    [event] = arrived(server, endpoint.secret)
    assert (event["type"], came.well) == ("webhook.test", True)
    assert fresh(delivery).arrived_at
    assert fresh(delivery).attempts.count() == 1


def test_it_says_why_a_test_did_not_arrive(workspace: Workspace) -> None:
    delivery, came = try_out(an_endpoint(workspace))
    assert not came.well
    assert "takes no connections" in came.said
    assert (fresh(delivery).due_at, fresh(delivery).given_up_at is not None) == (None, True)


def test_it_forgets_after_a_month_or_as_the_workspace_says(workspace: Workspace) -> None:
    endpoint = an_endpoint(workspace)
    due(endpoint)
    WebhookEvent.objects.update(at=clock.now() - timedelta(days=8))
    forget_events(clock.now())
    assert WebhookEvent.objects.exists()
    Workspace.objects.update(retention_days=7)
    forget_events(clock.now())
    assert not WebhookEvent.objects.exists()
    assert not WebhookDelivery.objects.exists()
    Workspace.objects.update(retention_days=None)
    due(endpoint)
    forget_events(clock.now() + timedelta(days=31))
    assert not WebhookEvent.objects.exists()


def test_it_stays_below_the_size_that_receivers_take(workspace: Workspace) -> None:
    with serving() as server:
        endpoint = an_endpoint(workspace, server)
        delivery = due(endpoint)
        WebhookEvent.objects.update(data={"agent": {"name": "x" * 50_000}})
        work()
    assert fresh(delivery).arrived_at
    assert len(server.asked[0]) < 20_000


def test_it_has_ten_webhooks_at_most(workspace: Workspace) -> None:
    content = editing.EndpointContent.model_validate(
        {"url": "https://93.184.216.34/in", "events": ["message.sent"]}
    )
    for _ in range(editing.MOST_ENDPOINTS):
        editing.create_endpoint(workspace, content)
    with pytest.raises(Conflict):
        editing.create_endpoint(workspace, content)


def test_who_answers_slowly_is_worked_apart(workspace: Workspace) -> None:
    slow, quick = an_endpoint(workspace), an_endpoint(workspace)
    deliver_with = Came(True, "Answered.", 204, SLOW_MS + 1)
    due(slow)
    for delivery in take_quick(8, LEASE, suspects=1):
        deliver(delivery, lambda _: deliver_with)
    theirs, mine = due(slow), due(quick)
    assert [row.pk for row in take_quick(8, LEASE, suspects=1)] == [mine.pk]
    assert [row.pk for row in take_slow(8, LEASE, suspects=1)] == [theirs.pk]


def test_a_workspace_with_many_webhooks_leaves_room_for_others(workspace: Workspace) -> None:
    for _ in range(3):
        endpoint = an_endpoint(workspace)
        for _ in range(AT_ONCE):
            due(endpoint, due_at=clock.now() - timedelta(hours=1))
    take_quick(6, LEASE, suspects=1)
    other = due(an_endpoint(a_workspace("Harbour Garage")))
    assert [row.pk for row in take_quick(1, LEASE, suspects=1)] == [other.pk]


def test_a_new_address_has_not_failed_yet(workspace: Workspace) -> None:
    endpoint = an_endpoint(workspace, failing_since=clock.now() - timedelta(days=6), failures=40)
    moved = EndpointContent(url="http://127.0.0.1:10/in", events=list(EventType))
    editing.update_endpoint(endpoint, moved)
    due(endpoint)
    work()
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.disabled_at) == (1, None)


def test_a_test_that_arrives_ends_its_rest(workspace: Workspace) -> None:
    with serving() as server:
        endpoint = an_endpoint(
            workspace, server, failing_since=clock.now(), failures=4, resting_until=clock.now() + timedelta(hours=1)
        )
        try_out(endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.failing_since, endpoint.resting_until) == (None, None)
    assert endpoint.last_arrived_at


@pytest.mark.parametrize("gone", [WebhookEndpoint, WebhookEvent])
def test_it_leaves_what_was_deleted_meanwhile(workspace: Workspace, gone: Any) -> None:
    due(an_endpoint(workspace))
    [taken] = take_quick(1, LEASE, suspects=1)
    gone.objects.all().delete()
    with pytest.raises(LostLease):
        deliver(taken)


def test_it_forgets_what_only_a_deleted_webhook_was_told(workspace: Workspace) -> None:
    with serving() as server:
        first, second = an_endpoint(workspace, server), an_endpoint(workspace, server)
        shared, alone = due(first), due(first)
        WebhookDelivery.objects.create(
            workspace=workspace, endpoint=second, event=shared.event, round_at=clock.now()
        )
        work()
    editing.forget_endpoint(first)
    assert list(WebhookEvent.objects.values_list("pk", flat=True)) == [shared.event_id]
    assert not WebhookAttempt.objects.filter(delivery=alone.pk).exists()
    assert WebhookEndpoint.objects.get() == second
