"""Whether everything is going out, at a glance; and the page keeps itself up to date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from postcall.calls.models import Call
from postcall.dashboard.chart import BASE, TOP, chart
from postcall.dashboard.figures import DAYS, Day, a_week_before, days, lately
from postcall.followups.models import FollowUp
from postcall.ids import first_id, new_id
from postcall.messages.models import Message
from postcall.work import clock
from postcall.work.models import Worker
from postcall.workspaces.models import Membership, Workspace

from .factories import (
    a_busy_workspace,
    a_call,
    a_follow_up,
    a_held_follow_up,
    a_member,
    a_message,
    a_pause,
    a_skipped_follow_up,
    an_action,
    an_agent,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _a_worker(db: None) -> None:
    now = clock.now() + timedelta(hours=1)
    Worker.objects.create(host="here", pid=1, started_at=now, seen_at=now)


def shown(client: Client, workspace: Workspace) -> str:
    answer = client.get(f"/w/{workspace.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_counts_what_shadow_would_have_sent_beside_what_was_sent(
    browser_client: Client, workspace: Workspace
) -> None:
    attachment = an_action(an_agent(workspace))
    assert "in shadow" not in shown(browser_client, workspace)
    a_message(a_follow_up(a_call(attachment.agent), attachment))
    a_skipped_follow_up(a_call(attachment.agent), attachment, reason="shadow", result="met")
    a_skipped_follow_up(a_call(attachment.agent), attachment)
    page = shown(browser_client, workspace)
    assert "1 <small>1 more in shadow</small>" in page
    assert '1<span class="sub">1 in shadow</span>' in page


def news(client: Client, page: str) -> Any:
    """What the page gets when it asks again."""
    found = re.search(r'hx-get="([^"]+)" hx-trigger="every 2s"', page)
    assert found
    return client.get(unquote(found[1].replace("&amp;", "&")))


def a_text(agent: Any, booking: Any, ago: timedelta = timedelta(), **fields: Any) -> Message:
    """A text of a call that ended some time ago; its ids are of then."""
    at = timezone.now() - ago
    call = a_call(agent, received_at=at, id=_id_of(at))
    follow_up = a_follow_up(call, booking, id=_id_of(at), decided_at=at, created_at=at)
    return a_message(follow_up, **({"id": _id_of(at), "created_at": at} | fields))


def _id_of(at: Any) -> Any:
    return type(new_id())(int=first_id(at).int | new_id().int & (1 << 62) - 1)


def test_it_compares_with_the_same_hour_of_the_readers_clock() -> None:
    """The clocks went back on 1 November: a week before is seven days and an hour."""
    with timezone.override(ZoneInfo("America/Los_Angeles")):
        before = a_week_before(datetime(2026, 11, 3, 18, 0, tzinfo=UTC))
    assert before == datetime(2026, 10, 27, 17, 0, tzinfo=UTC)


def test_it_leads_from_todays_figures_to_todays_texts(browser_client: Client, workspace: Workspace) -> None:
    page = shown(browser_client, workspace)
    assert (
        page.count(f'<a href="/w/{workspace.pk}/messages?') == page.count('date=today"><span class="k">') - 1 == 3
    )


def test_it_counts_today_beside_the_same_day_a_week_ago(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    a_text(agent, booking)
    a_text(agent, booking, timedelta(days=7, seconds=1))
    page = shown(browser_client, workspace)
    assert re.search(r'Texts sent</span><span class="v">1</span>', page)
    assert re.search(r'Delivered</span><span class="v">1 <small>100 %</small>', page)
    assert "Everything is going out" in page


def test_it_compares_with_a_week_ago_only_up_to_this_hour(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_text(agent, an_action(agent), timedelta(days=7) - timedelta(minutes=5))
    assert re.search(
        r'Texts sent</span><span class="v">0</span><span class="d">0 last', shown(browser_client, workspace)
    )


def test_it_names_what_needs_attention_with_its_mend(client: Client) -> None:
    busy = a_busy_workspace()
    client.force_login(a_member(busy))
    page = shown(client, busy)
    assert "is not registered: 1 text failed with error 30034" in page
    assert "Register a brand and a campaign" in page
    assert "3 follow-ups wait for you" in page
    assert "1 text unconfirmed" in page
    assert "1 call of an unknown agent" in page


def test_it_says_that_nothing_needs_you(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_message(a_follow_up(a_call(agent), an_action(agent)))
    assert "<h3>Nothing needs you</h3>" in shown(browser_client, workspace)


def test_it_offers_a_recheck_of_what_is_paused_to_whoever_may(client: Client, workspace: Workspace) -> None:
    a_pause(workspace, 20003)
    client.force_login(a_member(workspace))
    page = shown(client, workspace)
    assert "Twilio refuses the account’s credentials" in page
    assert 'form="recheck"' in page
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    page = shown(client, workspace)
    assert "Twilio refuses the account’s credentials" in page
    assert 'form="recheck"' not in page


def test_it_leads_from_every_matter_to_where_it_is_mended(client: Client) -> None:
    busy = a_busy_workspace()
    client.force_login(a_member(busy))
    links = re.findall(r'id="todo-\w+" href="([^"]+)"', shown(client, busy))
    assert len(links) > 3
    for link in links:
        assert client.get(link.replace("&amp;", "&")).status_code == 200


def test_it_draws_a_fortnight_of_days_in_the_readers_zone(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    with timezone.override("Pacific/Auckland"):
        start = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        for before, status in ((timedelta(hours=1), "delivered"), (timedelta(days=12), "failed")):
            at = start - before
            a_text(agent, booking, timezone.now() - at, status=status)
        shown_days = days(lately(workspace, clock.now()), clock.now())
    assert len(shown_days) == DAYS
    assert (shown_days[-2].delivered, shown_days[1].failed, sum(day.bars for day in shown_days)) == (1, 1, 2)


def test_it_tells_every_figure_of_the_chart_in_words(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    a_text(agent, booking)
    a_skipped_follow_up(a_call(agent, received_at=timezone.now()), booking)
    a_held_follow_up(a_call(agent, received_at=timezone.now()), booking)
    page = shown(browser_client, workspace)
    assert "<title>Today so far: 1 delivered, 0 failed, 1 skipped, 1 under way</title>" in page
    assert 'Today so far</th><td class="n">1</td><td class="n">0</td><td class="n">1</td><td class="n">1<' in page


@pytest.mark.parametrize(("most", "top"), [(1, 4), (4, 4), (5, 8), (37, 40), (161, 200), (90_001, 100_000)])
def test_it_scales_the_chart_to_the_highest_bar(most: int, top: int) -> None:
    today = timezone.localdate()
    drawn = chart([Day(today), Day(today, delivered=most)])
    assert (drawn.ticks[0].value, drawn.ticks[-1].value) == (0, top)
    (part,) = drawn.bars[1].parts
    assert TOP <= float(part.y) < BASE
    assert abs(float(part.height) - (BASE - TOP) * most / top) < 0.1


def test_it_sums_a_week_by_action(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    for _ in range(2):
        a_text(agent, booking, price=Decimal("-1.25"), price_unit="USD")
    a_text(agent, booking, timedelta(days=8))
    a_skipped_follow_up(a_call(agent, received_at=timezone.now()), booking)
    page = shown(browser_client, workspace)
    row = page[page.index("Booking confirmation</a>") :]
    assert re.findall(r"<td[^>]*>(?:<span[^>]*>)?([^<]*)<", row)[:6] == ["3", "2", "2", "2", "0", "$2.50"]


def test_it_has_no_news_while_nothing_changes(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_text(agent, an_action(agent))
    # It is read anew once a minute, which may have begun between the page and the question: not twice in a row.
    answers = [news(browser_client, shown(browser_client, workspace)).status_code for _ in range(2)]
    assert 204 in answers


def test_it_tells_only_what_has_changed(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    a_text(agent, booking)
    page = shown(browser_client, workspace)
    a_call(agent, received_at=clock.now())
    body = news(browser_client, page).content.decode()
    assert 'Calls</span><span class="v">2<' in body
    assert 'id="overview-stats" hx-swap-oob="innerHTML"' in body
    assert 'id="overview-chart"' not in body
    a_held_follow_up(Call.objects.latest("pk"), booking)
    assert "1 follow-up waits for you" in news(browser_client, body).content.decode()


def test_it_is_read_anew_once_there_is_a_chart_to_draw(browser_client: Client, workspace: Workspace) -> None:
    page = shown(browser_client, workspace)
    assert '<svg class="chart"' not in page
    agent = an_agent(workspace)
    a_text(agent, an_action(agent))
    assert news(browser_client, page)["HX-Refresh"] == "true"


def test_it_asks_no_more_the_more_there_is(
    browser_client: Client, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    agent = an_agent(workspace)
    attachments = [an_action(agent, f"Action {number}") for number in range(12)]
    for attachment in attachments:
        for code in (30003, 30007, 30034):
            call = a_call(agent, received_at=timezone.now())
            a_message(a_follow_up(call, attachment), Message.Status.FAILED, error_code=code)
        a_held_follow_up(a_call(agent), attachment)
    assert FollowUp.objects.count() == 48
    with django_assert_max_num_queries(50):
        shown(browser_client, workspace)


@pytest.mark.django_db(transaction=True)
def test_it_shows_a_call_within_seconds_and_keeps_what_one_has_opened(page: Page, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    a_text(agent, booking)
    page.goto(f"/w/{workspace.pk}/")
    page.get_by_text("The figures").click()
    expect(page.locator("#overview-stats")).to_contain_text("Calls1")
    a_held_follow_up(a_call(agent, received_at=clock.now()), booking)
    expect(page.locator("#overview-stats")).to_contain_text("Calls2", timeout=10_000)
    expect(page.get_by_role("heading", name="1 follow-up waits for you")).to_be_visible()
    expect(page.get_by_role("rowheader", name="Today so far")).to_be_visible()
