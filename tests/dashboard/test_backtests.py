"""Backtests in the dashboard: beginning one, what it takes, what it found."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from postcall.actions.models import Action
from postcall.calls.models import Call
from postcall.config import config
from postcall.followups.models import FollowUp
from postcall.judge.choose import judge_from_config
from postcall.messages.models import Message
from postcall.testbench import working
from postcall.testbench.models import ActionCase, BenchItem, BenchRun
from postcall.testbench.runs import cancel
from postcall.work.leases import take
from postcall.workspaces.models import AuditEntry, Membership, Workspace

from .factories import a_call, a_member, a_run, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db

SAVED = {"words": "saved", "span": "newest", "latest": "25"}
OTHER = {**SAVED, "words": "other", "condition": "After booking a cleaning", "message": "You are booked."}


@pytest.fixture
def action(workspace: Workspace) -> Action:
    return an_action(an_agent(workspace), message="You are booked.").action


@pytest.fixture
def call(action: Action) -> Call:
    return a_call(action.attachments.get().agent)


def to(name: str, action: Action, *args: object) -> str:
    return reverse(name, args=[action.workspace_id, action.pk, *args])


def page_of(client: Client, run: BenchRun, query: str = "") -> str:
    return text(client.get(to("backtest", run.action, run.pk) + query))


def text(answer: Any) -> str:
    return " ".join(str(answer.content.decode()).split())


def words_of(html: str) -> str:
    """As it is read, without marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def item_of(run: BenchRun) -> BenchItem:
    return run.items.get()


# Beginning.


def test_it_says_what_it_takes_before_it_begins(browser_client: Client, action: Action, call: Call) -> None:
    page = text(browser_client.post(to("backtest-estimate", action), SAVED))
    assert "1 call, no cost, about 5 seconds with the built-in judge." in page
    assert 'name="latest" value="25"' in page
    assert not BenchRun.objects.exists()


@pytest.fixture
def paid_judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:gpt-4.1")
    config.cache_clear()
    yield
    config.cache_clear()


@pytest.mark.usefixtures("paid_judge")
def test_it_says_what_a_model_will_cost(browser_client: Client, action: Action, call: Call) -> None:
    page = text(browser_client.post(to("backtest-estimate", action), SAVED))
    assert re.search(r"1 call, about 1,\d00 tokens, about \$0\.01 with openai:gpt-4\.1\.", page)


def test_it_begins_one_with_the_saved_words(browser_client: Client, action: Action, call: Call) -> None:
    answer = browser_client.post(to("backtest-begin", action), SAVED)
    run = BenchRun.objects.get()
    assert answer["Location"] == to("backtest", action, run.pk)
    assert (run.compares, run.total, run.latest, run.state) == (False, 1, 25, "queued")
    assert AuditEntry.objects.get().verb == "begin"


def test_it_begins_one_with_other_words(browser_client: Client, action: Action, call: Call) -> None:
    browser_client.post(to("backtest-begin", action), OTHER)
    run = BenchRun.objects.get()
    assert (run.condition, run.message, run.compares) == ("After booking a cleaning", "You are booked.", True)


def test_it_begins_nothing_twice(browser_client: Client, action: Action, call: Call) -> None:
    for _ in range(2):
        answer = browser_client.post(to("backtest-begin", action), OTHER)
    run = BenchRun.objects.get()
    assert answer["Location"] == to("backtest", action, run.pk)
    cancel(run)
    browser_client.post(to("backtest-begin", action), OTHER)
    assert BenchRun.objects.count() == 2


def test_it_says_when_enough_are_under_way(
    browser_client: Client, action: Action, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postcall.testbench.runs.MOST_AT_ONCE", 1)
    browser_client.post(to("backtest-begin", action), SAVED)
    answer = browser_client.post(to("backtest-begin", action), OTHER)
    assert (answer.status_code, "wait for one, or cancel it" in text(answer)) == (422, True)
    assert "After booking a cleaning</textarea>" in text(answer)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"condition": ""}, "Say when it goes out"),
        ({"message": ""}, "Write the text that would go out."),
        ({"latest": "7"}, "Choose how many calls."),
        ({"agent": "nobody"}, "Choose an agent that there is."),
        ({"span": "days", "since": "soon", "until": "2026-03-31"}, "Choose the first day, such as 2026-03-31."),
        ({"span": "days", "since": "2026-04-01", "until": "2026-03-31"}, "The first day comes after the last one."),
        ({"span": "days", "since": "2020-04-01", "until": "2020-04-02"}, "There is no call to try it on"),
    ],
)
def test_it_says_what_is_wrong_and_keeps_what_was_typed(
    browser_client: Client, action: Action, call: Call, changes: dict[str, str], says: str
) -> None:
    for name in ("backtest-estimate", "backtest-begin"):
        answer = browser_client.post(to(name, action), {**OTHER, **changes})
        page = text(answer)
        assert (answer.status_code, says in page) == (422, True)
        assert ("After booking a cleaning" in page) != ("condition" in changes)
    assert not BenchRun.objects.exists()


def test_it_takes_the_calls_of_whom_it_is_asked_for(browser_client: Client, action: Action, call: Call) -> None:
    night = an_agent(action.workspace, "Night desk")
    a_call(night)
    for agent in ("", "all", str(night.pk)):
        browser_client.post(to("backtest-begin", action), {**SAVED, "agent": agent})
    told = [(run.total, run.all_agents, run.agent) for run in BenchRun.objects.order_by("pk")]
    assert told == [(1, False, None), (2, True, None), (1, False, night)]


def test_it_takes_the_calls_of_whole_days(browser_client: Client, action: Action, call: Call) -> None:
    yesterday = a_call(call.agent, received_at=timezone.now() - timedelta(days=1))
    day = timezone.localdate(yesterday.received_at).isoformat()
    browser_client.post(to("backtest-begin", action), {**SAVED, "span": "days", "since": day, "until": day})
    assert item_of(BenchRun.objects.get()).call == yesterday


def test_it_takes_the_words_over_from_the_editor_and_back(
    browser_client: Client, action: Action, call: Call
) -> None:
    typed = {"name": "Renamed", "condition": "After a cleaning", "message": "Hi.", "urgency": "now"}
    page = text(browser_client.post(to("backtest-words", action), typed))
    assert re.search(r'value="other" checked', page)
    assert "After a cleaning</textarea>" in page
    assert '<input type="hidden" name="name" value="Renamed">' in page
    editor = text(browser_client.post(to("action", action), {**typed, "find": "1"}))
    assert "After a cleaning</textarea>" in editor
    assert not AuditEntry.objects.exists()


def test_it_begins_nothing_with_an_archived_action(browser_client: Client, action: Action, call: Call) -> None:
    Action.objects.update(deleted_at=timezone.now())
    assert "Try it on many calls" not in text(browser_client.get(to("backtests", action)))
    assert browser_client.post(to("backtest-begin", action), SAVED).status_code == 422


# What it found.


def compared_run(action: Action, *calls: Call) -> BenchRun:
    """Other words, by which the first call would get a text and did not, and the last the other way round."""
    run = a_run(action, *calls, condition="After booking a cleaning")
    run.items.update(price=Decimal("0.0083"), currency="USD", segments=1, before_outcome="would_send")
    run.items.filter(position=1).update(before_outcome="would_not", before_reason="condition_not_met")
    run.items.filter(position=len(calls)).update(
        outcome="would_not",
        reason="condition_not_met",
        verdict={"reason": "Only a price was asked.", "evidence": [{"turn": 4, "quote": "yes please"}]},
        price=None,
    )
    return run


def three(action: Action) -> list[Call]:
    agent = action.attachments.get().agent
    return [a_call(agent, customer_number=f"+1415555014{n}", variables={}) for n in range(3)]


def test_it_shows_what_came_of_each_call(browser_client: Client, action: Action) -> None:
    page = words_of(page_of(browser_client, compared_run(action, *three(action))))
    assert "Would send 2" in page
    assert "Would not send 1" in page
    assert "$0.0166" in page
    assert "1 call would get a text that does not now , 1 would not any more" in page
    assert "+1 415 555 0140" in page
    assert "would not send , now: → would send" in page
    assert "Only a price was asked. yes please" in page


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("?outcome=would_not", ["0142"]),
        ("?changed=newly", ["0140"]),
        ("?changed=no_longer", ["0142"]),
        ("?changed=any", ["0140", "0142"]),
        ("?outcome=nonsense&changed=nonsense", ["0140", "0141", "0142"]),
    ],
)
def test_it_filters_the_calls(browser_client: Client, action: Action, query: str, left: list[str]) -> None:
    page = page_of(browser_client, compared_run(action, *three(action)), query)
    assert re.findall(r"<b>\+1 415 555 (\d{4})</b>", page) == left


def test_it_shows_a_call_with_its_quotes(browser_client: Client, action: Action) -> None:
    calls = three(action)
    run = compared_run(action, *calls)
    item = run.items.get(position=3)
    page = text(browser_client.get(to("backtest-item", action, run.pk, item.position)))
    assert f"calls/{calls[2].pk}#turn-4" in page
    assert "By revision 1" in page
    part = browser_client.get(to("backtest-item", action, run.pk, item.position), headers={"HX-Request": "true"})
    assert text(part).startswith('<div class="opened gap">')


def test_it_counts_a_call_whose_words_are_forgotten(browser_client: Client, action: Action, call: Call) -> None:
    run = a_run(action, call)
    Call.objects.update(forgotten_at=timezone.now(), transcript=[], variables={}, customer_number="")
    run.items.update(verdict=None, body="")
    page = words_of(page_of(browser_client, run))
    assert "The words of this call are forgotten. It stays counted." in page
    assert "Would send 1" in page
    assert "It was met" not in text(browser_client.get(to("backtest-item", action, run.pk, 1)))


def test_it_turns_pages_and_weighs_little(browser_client: Client, action: Action) -> None:
    agent = action.attachments.get().agent
    run = a_run(action, *[a_call(agent) for _ in range(51)], condition="After booking a visit")
    long = "The caller asked for a visit and the agent confirmed a day and an hour for it, word by word. " * 4
    run.items.update(
        before_outcome="unclear",
        body=long,
        price=Decimal("0.0166"),
        verdict={"reason": long, "evidence": [{"turn": 2, "quote": long}] * 4},
    )
    with CaptureQueriesContext(connection) as few:
        first = browser_client.get(to("backtest", action, run.pk))
    assert len(first.content) < 62_000
    assert len(few) < 25
    assert first.content.count(b"<details hx-get") == 50
    further = re.search(r'href="(\?after=50[^"]*)" rel="next"', first.content.decode())
    assert further
    assert page_of(browser_client, run, further[1]).count("<details hx-get") == 1


def test_it_exports_what_fits(browser_client: Client, action: Action) -> None:
    run = compared_run(action, *three(action))
    answer = browser_client.get(to("backtest-export", action, run.pk) + "?changed=no_longer")
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (row["outcome"], row["before_outcome"], row["quotes"]) == ("would_not", "would_send", "4: yes please")
    assert row["customer_number"] == "'+14155550142"
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.object_kind) == ("export", "backtest")


def test_it_opens_the_editor_with_the_words_tried(browser_client: Client, action: Action, call: Call) -> None:
    run = a_run(action, call, condition="After booking a cleaning")
    address = f"{to('action', action)}?backtest={run.pk}"
    assert f'href="{address}"' in page_of(browser_client, run)
    editor = text(browser_client.get(address))
    assert "After booking a cleaning</textarea>" in editor
    assert "data-changed" in editor


def test_it_opens_the_editor_with_nobody_elses_words(browser_client: Client, action: Action, call: Call) -> None:
    other = an_action(an_agent(a_workspace("Copperkettle Garage"))).action
    run = a_run(other, condition="After an oil change")
    assert "oil change" not in text(browser_client.get(f"{to('action', action)}?backtest={run.pk}"))


# Its buttons.


def test_it_makes_a_call_a_case(browser_client: Client, action: Action, call: Call) -> None:
    run = a_run(action, call)
    address = to("backtest-case", action, run.pk, 1)
    page = text(browser_client.post(address, {"expected": "not_met"}, headers={"HX-Request": "true"}))
    case = ActionCase.objects.get()
    assert (case.call, case.expected, case.result, case.revision) == (call, "not_met", "met", action.revision)
    assert "Kept as a case." in page
    assert page.count('aria-pressed="true"') == 1
    browser_client.post(address, {"expected": "met"})
    assert ActionCase.objects.get().expected == "met"


def test_it_says_of_other_words_that_no_revision_had_them(
    browser_client: Client, action: Action, call: Call
) -> None:
    run = a_run(action, call, condition="After booking a cleaning")
    browser_client.post(to("backtest-case", action, run.pk, 1), {"expected": "met"})
    assert ActionCase.objects.get().revision is None


def test_it_makes_no_case_of_what_was_not_judged(browser_client: Client, action: Action, call: Call) -> None:
    run = a_run(action, call)
    run.items.update(result="", verdict=None, outcome="would_not", reason="voicemail")
    browser_client.post(to("backtest-case", action, run.pk, 1), {"expected": "met"})
    assert not ActionCase.objects.exists()
    assert not AuditEntry.objects.exists()


def test_it_cancels_goes_on_and_deletes(browser_client: Client, action: Action, call: Call) -> None:
    run = a_run(action, call, state="running", due_at=timezone.now())
    for name, state in (("cancel", "canceled"), ("resume", "queued"), ("cancel", "canceled")):
        browser_client.post(to(f"backtest-{name}", action, run.pk))
        assert BenchRun.objects.get().state == state
    browser_client.post(to("backtest-delete", action, run.pk))
    assert not BenchRun.objects.exists()
    assert [each.verb for each in AuditEntry.objects.order_by("pk")] == ["cancel", "go_on", "cancel", "delete"]


def test_it_says_why_a_button_does_nothing(browser_client: Client, action: Action, call: Call) -> None:
    run = a_run(action, call, state="running")
    answer = browser_client.post(to("backtest-delete", action, run.pk), follow=True)
    assert "It is running: cancel it first." in text(answer)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("fields", "says", "offers"),
    [
        ({"state": "failed", "problem": "the key was refused"}, "The key was refused", "Resume"),
        ({"state": "canceled"}, "Resume goes on where it stopped.", "Resume"),
        ({"state": "running", "problem": "too many requests"}, "The judge did not answer", "Cancel"),
        ({"state": "queued"}, "A worker takes it within moments.", "Cancel"),
    ],
)
def test_it_says_how_it_stands_and_what_to_do(
    browser_client: Client, action: Action, call: Call, fields: dict[str, str], says: str, offers: str
) -> None:
    page = page_of(browser_client, a_run(action, call, **fields))
    assert says in page
    assert f"{offers}</button>" in page


# Who may.


def test_it_shows_a_viewer_what_came_of_it_and_no_button(client: Client, action: Action, call: Call) -> None:
    client.force_login(a_member(action.workspace, Membership.Role.VIEWER))
    run = a_run(action, call, condition="After booking a cleaning", state="canceled")
    places = (
        to("backtests", action),
        to("backtest", action, run.pk),
        to("backtest-item", action, run.pk, 1),
    )
    for place in places:
        page = text(client.get(place))
        assert page.count('method="post"') == 1, place  # signing out
    assert "Would send" in text(client.get(places[1]))
    assert "Use these words" not in text(client.get(places[1]))


def test_it_finds_no_run_of_another_action(browser_client: Client, action: Action, call: Call) -> None:
    other = an_action(action.attachments.get().agent, "Payment link").action
    run = a_run(other, call)
    assert browser_client.get(to("backtest", action, run.pk)).status_code == 404
    cases = a_run(action, call, kind="cases")
    assert browser_client.get(to("backtest", action, cases.pk)).status_code == 404


# While it runs.


def test_it_answers_nothing_while_nothing_moves(browser_client: Client, action: Action, call: Call) -> None:
    run = a_run(action, call, state="running", done=0)
    asks = to("backtest-live", action, run.pk)
    assert browser_client.get(f"{asks}?seen=running-0-False").status_code == 204
    moved = text(browser_client.get(f"{asks}?seen=queued-0-False"))
    assert "hx-get" in moved
    BenchRun.objects.update(state="done", done=1)
    ended = text(browser_client.get(f"{asks}?seen=running-0-False&empty=1"))
    assert 'hx-trigger="every' not in ended
    assert "The backtest is done. 1 would get a text" in ended
    assert 'id="results" hx-swap-oob="true"' in ended
    assert 'id="results"' not in text(browser_client.get(f"{asks}?seen=running-0-False"))


@pytest.mark.django_db(transaction=True)
def test_it_follows_a_run_to_its_end(page: Page, action: Action, call: Call) -> None:
    page.goto(to("action", action))
    page.get_by_label("Send it when").fill("After booking a cleaning")
    page.get_by_role("button", name="Try on many calls").click()
    expect(page.locator("form[data-changed]")).to_have_count(1)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("1 call, no cost")).to_be_visible()
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="Nothing is judged yet")).to_be_visible()
    expect(page.locator("progress")).to_have_attribute("value", "0")
    (run,) = take(BenchRun, 1, timedelta(seconds=60))
    working.work(run, judge_from_config())
    expect(page.get_by_role("status").filter(has_text="The backtest is done.")).to_have_count(1)
    expect(page.locator("progress")).to_have_attribute("value", "1")
    page.locator(".bench summary").click()
    page.get_by_role("button", name="It was met").click()
    expect(page.get_by_text("Kept as a case.")).to_be_visible()
    assert ActionCase.objects.get().call == call
    assert not FollowUp.objects.exists()
    assert not Message.objects.exists()
