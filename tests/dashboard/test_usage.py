"""What was sent and what it cost: the page, its CSV, and the sums behind both."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from itertools import product
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from postcall.actions.models import Attachment
from postcall.agents.models import Agent
from postcall.followups.models import FollowUp
from postcall.ids import first_id
from postcall.judge.prices import cost
from postcall.messages.models import Message
from postcall.reports.tables import written
from postcall.reports.usage import Usage, usage
from postcall.workspaces.models import Workspace

from .factories import (
    a_call,
    a_follow_up,
    a_held_follow_up,
    a_member,
    a_message,
    a_skipped_follow_up,
    a_workspace,
    an_action,
    an_agent,
)

pytestmark = pytest.mark.django_db

LLM = {"judge": "openai:gpt-4.1-mini", "prompt": "3.1"}
SPENT = {"judge_requests": 1, "judge_input_tokens": 1000, "judge_output_tokens": 100}


def attached_too(agent: Agent, attachment: Attachment) -> Attachment:
    return Attachment.objects.create(workspace=agent.workspace, agent=agent, action=attachment.action, mode="live")


@pytest.fixture
def spent(workspace: Workspace) -> Workspace:
    """Two agents, two actions; one text costs 0.0083 USD, one 0.07 EUR, one is not priced yet, one failed."""
    desk, garage = an_agent(workspace), an_agent(workspace, "Service line")
    booking, pickup = an_action(desk), an_action(garage, "=Ready")
    garage_booking, desk_pickup = attached_too(garage, booking), attached_too(desk, pickup)
    call = a_call(desk)
    a_message(a_follow_up(call, booking, **LLM, **SPENT, judge_cost_usd=Decimal("0.00056")))
    a_message(a_follow_up(call, desk_pickup, **LLM, judge_cost_usd=Decimal(0)), Message.Status.SENT, segments=2)
    other = a_call(garage)
    a_message(a_follow_up(other, pickup), price=Decimal("-0.07"), price_unit="EUR", to="+4915112345678")
    a_message(a_follow_up(other, garage_booking), Message.Status.FAILED)
    a_held_follow_up(a_call(garage), pickup)
    a_message(a_follow_up(a_call(garage), garage_booking), Message.Status.CANCELED)
    return workspace


def lately(workspace: Workspace, group_by: Any) -> Usage:
    now = timezone.now()
    return usage(workspace, now - timedelta(days=1), now + timedelta(days=1), group_by)


def test_it_adds_up_by_agent(spent: Workspace) -> None:
    desk, garage = sorted(lately(spent, "agent").lines, key=lambda line: line.name)
    assert (desk.name, desk.messages, desk.segments, desk.delivered, desk.failed) == ("Front desk", 2, 3, 1, 0)
    assert (desk.prices["USD"].final, desk.prices["USD"].estimated) == (Decimal("0.0083"), Decimal("0.0166"))
    assert (garage.messages, garage.failed, garage.held) == (2, 1, 1)
    assert garage.prices["EUR"].final == Decimal("0.07")


def test_it_adds_up_by_action_and_month_to_the_same_total(spent: Workspace) -> None:
    by_agent, by_action, by_month = (lately(spent, by) for by in ("agent", "action", "month"))
    assert by_agent.total == by_action.total == by_month.total
    assert {line.name: line.messages for line in by_action.lines} == {"Booking confirmation": 2, "=Ready": 2}
    assert [line.key for line in by_month.lines] == [timezone.now().astimezone(UTC).strftime("%Y-%m")]


def test_it_counts_what_a_call_cost_the_judge_once(spent: Workspace) -> None:
    total = lately(spent, "agent").total
    assert (total.judging.requests, total.judging.input_tokens, total.judging.output_tokens) == (1, 1000, 100)
    assert total.judging.cost == Decimal("0.00056")


def test_it_counts_what_shadow_would_have_sent(browser_client: Client, spent: Workspace) -> None:
    attachment = Attachment.objects.filter(agent__name="Front desk").first()
    assert attachment is not None
    for _ in range(2):
        a_skipped_follow_up(a_call(attachment.agent), attachment, reason="shadow", result="met")
    for by in ("agent", "action", "month"):
        assert lately(spent, by).total.would_have_sent == 2  # type: ignore[arg-type]  # each is one
    desk, garage = sorted(lately(spent, "agent").lines, key=lambda line: line.name)
    assert (desk.would_have_sent, desk.messages, garage.would_have_sent) == (2, 2, 0)
    page = browser_client.get(f"/w/{spent.pk}/settings/usage")
    assert "2 more in shadow" in page.content.decode()
    written = browser_client.get(f"/w/{spent.pk}/settings/usage?format=csv").content.decode().splitlines()
    assert written[0].endswith(",would_have_sent")
    assert any(line.endswith(",2") for line in written)


def as_before(judge: str, requests: int, put_in: int, got_out: int) -> dict[str, Any]:
    """A verdict as it was kept until there were columns for it."""
    used = {"requests": requests, "input_tokens": put_in, "output_tokens": got_out}
    return {
        "reason": "Booked.",
        "evidence": [],
        "probability": 0.9,
        "likelier": None,
        "judge": judge,
        "usage": used,
    }


def test_it_sums_up_what_earlier_verdicts_used(workspace: Workspace) -> None:
    desk = an_agent(workspace)
    booking, pickup = an_action(desk), an_action(desk, "Ready")
    said = [
        as_before("openai:gpt-4.1-mini (prompt 3)", 2, 1800, 150),
        as_before("openai:gpt-4.1-mini (prompt 3)", 0, 0, 0),
        as_before("offline-1", 0, 0, 0),
        {
            "judge": "openai:gpt-4.1-mini (prompt 3)",
            "usage": {"requests": 1, "input_tokens": 7, "output_tokens": 1},
        },
    ]
    call, other = a_call(desk), a_call(desk)
    rows = [
        a_follow_up(where, what, verdict=verdict)
        for (where, what), verdict in zip(product((call, other), (booking, pickup)), said, strict=True)
    ]
    before = import_module("postcall.followups.migrations.0008_judged_before")
    for _ in range(2):  # begun again, it moves nothing twice
        before.move(apps, connection.schema_editor())
    spent = lately(workspace, "agent").total.judging
    assert (spent.requests, spent.input_tokens, spent.output_tokens) == (3, 1807, 151)
    assert spent.cost == cost("openai:gpt-4.1-mini", 1807, 151) != 0
    for row in rows:
        row.refresh_from_db()
    assert [(row.judge, row.prompt) for row in rows[1:3]] == [
        ("openai:gpt-4.1-mini (prompt 3)", "3"),
        ("offline-1", ""),
    ]
    assert rows[0].verdict == {"reason": "Booked.", "evidence": [], "probability": 0.9, "likelier": None}
    assert rows[3].verdict is None


def test_it_knows_no_cost_of_a_model_without_a_price(workspace: Workspace) -> None:
    booking = an_action(an_agent(workspace))
    a_follow_up(a_call(booking.agent), booking, judge="openai:of-our-own", **SPENT)
    assert lately(workspace, "agent").total.judging.cost is None


@pytest.mark.parametrize("by", ["agent", "action", "month"])
def test_it_counts_a_text_that_was_made_long_after_its_follow_up_was_begun(spent: Workspace, by: str) -> None:
    before = lately(spent, by).total
    old = FollowUp.objects.filter(outcome="held").get()
    begun = timezone.now() - timedelta(days=40)
    FollowUp.objects.filter(pk=old.pk).update(id=first_id(begun), created_at=begun, outcome="message")
    a_message(FollowUp.objects.get(pk=first_id(begun)), Message.Status.SENT)
    report = lately(spent, by)
    assert (report.total.messages, sum(line.messages for line in report.lines)) == (before.messages + 1,) * 2
    assert report.total.prices["USD"].estimated > before.prices["USD"].estimated
    assert "" not in {line.key for line in report.lines}


def test_it_says_how_many_texts_have_no_price(workspace: Workspace) -> None:
    booking = an_action(an_agent(workspace))
    a_message(a_follow_up(a_call(booking.agent), booking), Message.Status.SENT, to="+4915112345678")
    total = lately(workspace, "agent").total
    assert (total.unpriced, total.prices) == (1, {})


def test_it_begins_and_ends_a_month_in_utc(workspace: Workspace) -> None:
    booking = an_action(an_agent(workspace))
    for moment in ("2026-02-28T23:59:59", "2026-03-01T00:00:00", "2026-03-31T23:59:59", "2026-04-01T00:00:00"):
        message = a_message(a_follow_up(a_call(booking.agent), booking))
        Message.objects.filter(pk=message.pk).update(created_at=datetime.fromisoformat(moment + "+00:00"))
    report = usage(workspace, datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC), "month")
    assert {line.key: line.messages for line in report.lines if line.messages} == {
        "2026-02": 1,
        "2026-03": 2,
        "2026-04": 1,
    }


def test_it_counts_nothing_of_another_workspace(spent: Workspace) -> None:
    assert lately(a_workspace("Harbor Dental"), "agent").lines == []


@pytest.mark.parametrize("by", ["agent", "action", "month"])
def test_it_shows_a_page_of_it(browser_client: Client, spent: Workspace, by: str) -> None:
    page = browser_client.get(f"/w/{spent.pk}/settings/usage?range=30d&by={by}").content.decode()
    assert "$0.0249" in page
    assert "0.07 EUR" in page
    assert "Total" in page or by == "month"


def test_it_gives_the_same_as_csv_that_is_no_formula(browser_client: Client, spent: Workspace) -> None:
    answer = browser_client.get(f"/w/{spent.pk}/settings/usage?range=30d&by=action&format=csv")
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(answer.content.decode().splitlines()))
    assert sum(int(row["messages"] or 0) for row in rows) == 4
    assert "'=Ready" in {row["name"] for row in rows}
    assert sum(Decimal(row["price_final"]) for row in rows if row["currency"] == "USD") == Decimal("0.0083")


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ("from=2026-03-02&to=2026-03-01", "The first day comes after the last one."),
        ("from=2024-01-01&to=2026-03-01", "400 days at most"),
        ("from=soon&to=2026-03-01", "A day such as 2026-03-31 is needed."),
        ("from=9999-12-31&to=9999-12-31", "A day of this century is needed."),
    ],
)
def test_it_says_what_is_wrong_with_the_days(
    browser_client: Client, workspace: Workspace, asked: str, wrong: str
) -> None:
    answer = browser_client.get(f"/w/{workspace.pk}/settings/usage?{asked}")
    assert answer.status_code == 422
    page = answer.content.decode()
    assert wrong in page
    assert f'value="{asked[5:].partition("&")[0]}"' in page


def test_it_says_the_next_step_where_nothing_was_sent(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, "viewer"))
    assert "Nothing was sent in these days" in client.get(f"/w/{workspace.pk}/settings/usage").content.decode()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", " =1", "＝1"])
def test_it_keeps_a_spreadsheet_from_reckoning(text: str) -> None:
    assert written(text) == f"'{text}"
    assert written(Decimal("-1")) == "-1"
