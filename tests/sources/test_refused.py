"""Refused deliveries: listed by time and reason, without their bodies, and never more than a few."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from postcall.calls.models import Call
from postcall.keeping import export
from postcall.sources.kinds import KINDS
from postcall.sources.models import RefusedDelivery, Source
from postcall.sources.refused import KEPT_A_SOURCE, KEPT_FOR, forget_refused, refuse, refused_in, refused_lately
from postcall.work import clock
from postcall.worker.chores import every_hour
from postcall.workspaces.models import Workspace

from .platforms import platforms

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(db: None) -> Source:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    return Source.objects.create(
        workspace=workspace, kind="generic", name="Front desk", auth=json.dumps({"secret": "whsec_" + "A" * 32})
    )


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the clock to so long after the beginning of a minute."""
    start = clock.now().replace(second=0, microsecond=0)

    def set_to(**after: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: start + timedelta(**after))

    return set_to


def test_it_lists_what_came_in_unsigned_without_its_body(source: Source) -> None:
    address = f"/in/generic/{source.token}"
    assert Client().post(address, '{"secret": "of a caller"}', content_type="application/json").status_code == 401
    (row,) = refused_lately(source, 5)
    assert row.reason == "the header webhook-id and webhook-timestamp and webhook-signature is missing"
    assert (row.workspace, row.count) == (source.workspace, 1)
    assert "of a caller" not in str(list(RefusedDelivery.objects.values()))
    source.refresh_from_db()
    assert (source.rejected_count, source.last_rejected_at) == (1, row.last_at)


@pytest.mark.parametrize("kind", KINDS)
def test_it_lists_of_every_kind_what_a_stranger_sent(source: Source, kind: str) -> None:
    """Who knows the address, and not the secret."""
    platform = platforms()[kind]
    theirs = Source.objects.create(
        workspace=source.workspace, kind=kind, name="Desk", auth=json.dumps(platform.auth)
    )
    query = platform.url(platform.body).partition("?")[2]
    address = f"/in/{kind}/{theirs.token}" + (f"?{query}" if query else "")
    headers = platform.sign(platform.body, time.time(), platform.other_auth)
    answer = Client().post(address, platform.body, content_type="application/json", headers=dict(headers))
    assert answer.status_code == 401
    (row,) = refused_lately(theirs, 5)
    theirs.refresh_from_db()
    assert (theirs.rejected_count, theirs.last_rejected_reason, theirs.last_rejected_at) == (
        1,
        row.reason,
        row.last_at,
    )
    secrets = [str(value) for value in (*platform.auth.values(), *headers.values()) if len(str(value)) > 8]
    assert not [each for each in (*secrets, platform.call_id) if each in row.reason]
    assert theirs.last_received_at is None
    assert not Call.objects.exists()


def test_it_lists_what_was_too_large(source: Source, settings: object) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10  # type: ignore[attr-defined]  # pytest-django's settings take any
    answer = Client().post(f"/in/generic/{source.token}", "x" * 11, content_type="application/json")
    assert answer.status_code == 413
    assert [row.reason for row in refused_lately(source, 5)] == ["the body is larger than 10 MiB"]


def test_it_counts_the_same_reason_within_a_minute(source: Source, at: Callable[..., None]) -> None:
    for seconds in (1, 20, 59, 61):
        at(seconds=seconds)
        refuse(source, "no signature")
    later, first = refused_lately(source, 5)
    assert (first.count, (first.last_at - first.first_at).seconds, later.count) == (3, 58, 1)


def test_it_tells_reasons_and_sources_apart(source: Source, at: Callable[..., None]) -> None:
    at(seconds=1)
    other = Source.objects.create(workspace=source.workspace, kind="generic", name="Garage")
    refuse(source, "no signature")
    refuse(source, "not JSON")
    refuse(other, "no signature")
    assert [row.reason for row in refused_lately(source, 5)] == ["not JSON", "no signature"]
    assert len(refused_lately(other, 5)) == 1


def test_it_keeps_no_number_that_stands_in_a_reason(source: Source) -> None:
    refuse(source, "data.+1 415 555-0132: there is no such field")
    assert refused_lately(source, 1)[0].reason == "data.…: there is no such field"


def test_it_keeps_only_the_latest_of_a_source(source: Source) -> None:
    for number in range(KEPT_A_SOURCE + 5):
        refuse(source, f"reason {number}")
    rows = refused_lately(source, 1000)
    assert (len(rows), rows[0].reason, rows[-1].reason) == (
        KEPT_A_SOURCE,
        f"reason {KEPT_A_SOURCE + 4}",
        "reason 5",
    )


def test_it_forgets_what_is_old_in_its_hourly_chores(source: Source) -> None:
    refuse(source, "old")
    refuse(source, "new")
    RefusedDelivery.objects.filter(reason="old").update(last_at=clock.now() - KEPT_FOR - timedelta(seconds=1))
    every_hour(clock.now())
    assert [row.reason for row in refused_lately(source, 5)] == ["new"]
    assert forget_refused(clock.now() + KEPT_FOR + timedelta(seconds=1)) == 1


def test_it_finds_a_workspaces_refusals_of_a_stretch_of_time(source: Source, at: Callable[..., None]) -> None:
    at(minutes=10)
    refuse(source, "no signature")
    now = clock.now()
    near = timedelta(seconds=1)
    assert [row.source for row in refused_in(source.workspace_id, now - near, now + near, 5)] == [source]
    assert refused_in(source.workspace_id, now + near, now + 2 * near, 5) == []
    stranger = Workspace.objects.create(name="Copperkettle Garage")
    assert refused_in(stranger.pk, now - near, now + near, 5) == []


def test_it_exports_them(source: Source) -> None:
    refuse(source, "no signature")
    lines = [json.loads(line) for line in export.lines(source.workspace)]
    assert [line["reason"] for line in lines if line["kind"] == "refused_delivery"] == ["no signature"]
