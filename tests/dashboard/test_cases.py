"""Calls whose answer somebody knows: made by a verdict's buttons, read before a condition is saved."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from followups.clinic import KnowingJudge

from postcall.actions.models import Action
from postcall.followups.models import FollowUp
from postcall.testbench import working
from postcall.testbench.models import ActionCase, BenchRun
from postcall.work.leases import take
from postcall.workspaces.models import Membership, Workspace

from .factories import a_call, a_follow_up, a_member, a_skipped_follow_up, an_action, an_agent

PASTED = "Agent: Northgate Clinic, how can I help?\nCaller: When do you open?"
TYPED = {
    "name": "Booking",
    "condition": "After booking a visit",
    "message": "See you.",
    "urgency": "now",
    "send_within_s": "86400",
}


def address(action: Action, rest: str = "") -> str:
    return f"/w/{action.workspace_id}/actions/{action.pk}{rest}"


def card(follow_up: FollowUp) -> str:
    return f"/w/{follow_up.workspace_id}/follow-ups/{follow_up.pk}/feedback"


def read(judge: KnowingJudge) -> None:
    """As a worker would."""
    for run in take(BenchRun, 5, timedelta(seconds=60)):
        working.work(run, judge)


@pytest.fixture
def follow_up(workspace: Workspace) -> FollowUp:
    agent = an_agent(workspace)
    return a_skipped_follow_up(a_call(agent), an_action(agent))


def test_it_makes_a_wrongly_judged_call_a_case(browser_client: Client, follow_up: FollowUp) -> None:
    page = browser_client.post(card(follow_up), {"right": "0"}, HTTP_HX_REQUEST="true").content.decode()
    case = ActionCase.objects.get()
    assert (case.call_id, case.expected, case.result) == (follow_up.call_id, "met", "not_met")
    assert "A case now" in page
    shown = browser_client.get(address(follow_up.action, "/cases")).content.decode()
    assert "0 of 1" in shown
    assert "Wrong" in shown


def test_it_asks_of_an_open_verdict_what_was_so(browser_client: Client, follow_up: FollowUp) -> None:
    FollowUp.objects.update(result="unclear")
    page = browser_client.get(f"/w/{follow_up.workspace_id}/calls/{follow_up.call_id}").content.decode()
    assert "It was not" in page
    page = browser_client.post(card(follow_up), {"expected": "not_met"}, HTTP_HX_REQUEST="true").content.decode()
    assert ActionCase.objects.get().expected == "not_met"
    assert 'value="not_met" aria-pressed="true"' in page


def test_it_keeps_answers_and_removes_pasted_words(browser_client: Client, workspace: Workspace) -> None:
    action = an_action(an_agent(workspace)).action
    refused = browser_client.post(address(action, "/cases/add"), {"transcript": "Hello", "expected": "met"})
    assert refused.status_code == 422
    assert "Line 1 does not say who speaks" in refused.content.decode()
    browser_client.post(address(action, "/cases/add"), {"transcript": PASTED, "expected": "met", "note": "Asks"})
    case = ActionCase.objects.get()
    assert (case.turns[1]["text"], case.note) == ("When do you open?", "Asks")
    browser_client.post(address(action, f"/cases/{case.pk}/answer"), {"expected": "not_met"})
    case.refresh_from_db()
    assert case.expected == "not_met"
    browser_client.post(address(action, f"/cases/{case.pk}/remove"))
    assert not ActionCase.objects.exists()


def test_it_keeps_what_was_tried(browser_client: Client, workspace: Workspace) -> None:
    attachment = an_action(agent := an_agent(workspace))
    action = attachment.action
    call = a_call(agent)
    form = {"against": "call", "call": str(call.pk), "expected": "met"}
    assert (
        "Kept as a case."
        in browser_client.post(address(action, "/cases/keep"), form, HTTP_HX_REQUEST="true").content.decode()
    )
    assert ActionCase.objects.get().call_id == call.pk


def test_it_shows_what_its_cases_come_to_before_a_condition_is_saved(
    browser_client: Client, follow_up: FollowUp
) -> None:
    action = follow_up.action
    browser_client.post(card(follow_up), {"right": "1"})
    held_up = browser_client.post(address(action), TYPED)
    assert held_up.status_code == 422
    assert "Look first at what its 1 case" in held_up.content.decode()
    assert "Save without looking" in held_up.content.decode()
    run = BenchRun.objects.get()
    live = address(action, f"/cases/check/{run.pk}")
    assert "0 of 1 read" in browser_client.get(live).content.decode()
    read(KnowingJudge())
    seen = browser_client.get(live).content.decode()
    assert f'name="checked" value="{run.pk}"' in seen
    assert "<strong>1</strong> wrong" in seen
    assert browser_client.post(address(action), TYPED).status_code == 422, "nobody has seen it"
    saved = browser_client.post(address(action), {**TYPED, "checked": str(run.pk)})
    assert saved.status_code == 302
    action.refresh_from_db()
    assert action.revision is not None
    assert action.revision.condition == TYPED["condition"]
    assert "0 of 1" in browser_client.get(address(action, "/cases")).content.decode()
    assert BenchRun.objects.count() == 1


def test_it_saves_without_looking_where_somebody_says_so(browser_client: Client, follow_up: FollowUp) -> None:
    browser_client.post(card(follow_up), {"right": "1"})
    assert browser_client.post(address(follow_up.action), {**TYPED, "unseen": "1"}).status_code == 302
    assert not BenchRun.objects.exists()


def test_it_reads_only_the_latest_words(browser_client: Client, follow_up: FollowUp) -> None:
    browser_client.post(card(follow_up), {"right": "1"})
    for condition in ("After one", "After another"):
        browser_client.post(address(follow_up.action, "/cases/check"), {**TYPED, "condition": condition})
    browser_client.post(address(follow_up.action, "/cases/check"), {**TYPED, "condition": "After another"})
    assert list(BenchRun.objects.order_by("pk").values_list("condition", "state")) == [
        ("After one", "canceled"),
        ("After another", "queued"),
    ]


def test_it_shows_a_viewer_the_cases_alone(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    agent = an_agent(workspace)
    action = an_action(agent).action
    ActionCase.objects.create(
        workspace=workspace, action=action, call=a_call(agent), expected="met", created_at=agent.created_at
    )
    page = client.get(address(action, "/cases")).content.decode()
    assert "Not read yet" in page
    assert "It was not met" not in page
    assert client.post(address(action, "/cases/run")).status_code == 403


def test_it_asks_the_database_as_often_for_many_cases(browser_client: Client, workspace: Workspace) -> None:
    attachment = an_action(agent := an_agent(workspace))
    action = attachment.action
    a_follow_up(a_call(agent), attachment)
    browser_client.get(address(action, "/cases"))
    counts = []
    for n in (1, 9):
        for _ in range(n):
            ActionCase.objects.create(
                workspace=workspace, action=action, call=a_call(agent), expected="met", created_at=agent.created_at
            )
        with CaptureQueriesContext(connection) as asked:
            browser_client.get(address(action, "/cases"))
        counts.append(len(asked))
    assert counts[0] == counts[1]
