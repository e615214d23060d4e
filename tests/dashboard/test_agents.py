"""Making, finding, changing and deleting agents, and calls of agents that nobody told of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.workspaces.models import DEFAULT_WORKSPACE, AuditEntry, Membership, Workspace

from .factories import a_call, a_follow_up, a_member, a_message, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db
DESK = {
    "name": "Night desk",
    "business_name": "Northgate Clinic",
    "timezone": "America/Chicago",
    "locale": "en-US",
    "external_ids.0.source": "vapi",
    "external_ids.0.id": "asst-night",
    "sender": "workspace",
}


def at(workspace: Workspace, place: str) -> str:
    return f"/w/{workspace.pk}/agents{place}"


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_makes_an_agent(browser_client: Client, workspace: Workspace) -> None:
    answer = browser_client.post(at(workspace, "/create"), DESK)
    agent = Agent.objects.get()
    assert answer["Location"] == at(workspace, f"/{agent.pk}/actions")
    assert (agent.name, agent.timezone) == ("Night desk", "America/Chicago")
    assert [(each.source_kind, each.external_id) for each in agent.external_ids.all()] == [("vapi", "asst-night")]


def test_it_offers_the_readers_zone_and_no_made_up_business(browser_client: Client, workspace: Workspace) -> None:
    browser_client.cookies["postcall_zone"] = "Europe/Lisbon"
    assert f'value="{workspace.name}"' in text_of(browser_client, at(workspace, "/new"))
    Workspace.objects.filter(pk=workspace.pk).update(name=DEFAULT_WORKSPACE)
    page = text_of(browser_client, at(workspace, "/new"))
    assert 'value="Europe/Lisbon"' in page
    assert f'value="{DEFAULT_WORKSPACE}"' not in page


@pytest.mark.parametrize(
    ("sender", "typed", "stored"),
    [
        ("number", {"from_number": "+1 415 555 0100"}, ("+14155550100", "", False)),
        ("service", {"messaging_service_sid": "MG" + "0a" * 16}, ("", "MG" + "0a" * 16, False)),
        ("called", {"from_number": "typed before the choice was changed"}, ("", "", True)),
        ("workspace", {}, ("", "", False)),
    ],
)
def test_it_sets_who_its_texts_come_from(
    browser_client: Client, workspace: Workspace, sender: str, typed: dict[str, str], stored: tuple[str, str, bool]
) -> None:
    browser_client.post(at(workspace, "/create"), {**DESK, "sender": sender, **typed})
    agent = Agent.objects.get()
    assert (agent.from_number, agent.messaging_service_sid, agent.follow_agent_number) == stored


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": ""}, "name"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"locale": "tlh-XX-XX"}, "locale"),
        ({"sender": "number", "from_number": ""}, "from_number"),
        ({"sender": "number", "from_number": "a very long name for a sender"}, "from_number"),
        ({"sender": "service", "messaging_service_sid": "MG1"}, "messaging_service_sid"),
        ({"external_ids.2.source": "", "external_ids.2.id": "x"}, "external_ids.2.source"),
        ({"external_ids.2.source": "vapi", "external_ids.2.id": "asst-Front desk"}, "external_ids.2.id"),
        ({"external_ids.2.source": "vapi", "external_ids.2.id": "asst-night"}, "external_ids.0.id"),
    ],
)
def test_it_says_at_the_field_what_is_wrong_and_keeps_what_was_typed(
    browser_client: Client, workspace: Workspace, typed: dict[str, str], field: str
) -> None:
    an_agent(workspace)
    answer = browser_client.post(at(workspace, "/create"), {**DESK, **typed})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="{field}-error"' in page
    assert f'href="#{field}"' in page
    assert 'value="Northgate Clinic"' in page
    assert Agent.objects.count() == 1


def test_it_changes_an_agent_and_its_ids(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace, from_number="+14155550100")
    page = text_of(browser_client, at(workspace, f"/{agent.pk}/setup"))
    assert 'value="asst-Front desk"' in page
    browser_client.post(at(workspace, f"/{agent.pk}/change"), {**DESK, "seen": agent.updated_at.isoformat()})
    agent.refresh_from_db()
    assert (agent.name, agent.from_number) == ("Night desk", "")
    assert [each.external_id for each in agent.external_ids.all()] == ["asst-night"]
    changes = AuditEntry.objects.get().changes
    assert changes["name"] == ["Front desk", "Night desk"]
    assert "external_ids" in changes


def test_it_overwrites_nobody_unseen(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    read = {**DESK, "seen": agent.updated_at.isoformat()}
    browser_client.post(at(workspace, f"/{agent.pk}/change"), {**read, "name": "As the other wrote it"})
    answer = browser_client.post(at(workspace, f"/{agent.pk}/change"), {**read, "name": "As I wrote it"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "saved this meanwhile" in page
    assert "<dd>As the other wrote it</dd>" in page
    assert 'value="As I wrote it"' in page
    agent.refresh_from_db()
    assert agent.name == "As the other wrote it"
    again = {**read, "seen": agent.updated_at.isoformat(), "name": "As I wrote it"}
    browser_client.post(at(workspace, f"/{agent.pk}/change"), again)
    agent.refresh_from_db()
    assert agent.name == "As I wrote it"


def test_it_deletes_an_agent_and_keeps_its_log(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_message(a_follow_up(a_call(agent), an_action(agent)))
    browser_client.post(at(workspace, f"/{agent.pk}/delete"))
    assert "row-link" not in text_of(browser_client, at(workspace, ""))
    page = text_of(browser_client, at(workspace, f"/{agent.pk}"))
    assert "its log stays" in page
    assert "Booking confirmation" in page
    assert browser_client.get(at(workspace, f"/{agent.pk}/actions")).status_code == 404


def test_it_finds_agents_by_name_business_and_id(browser_client: Client, workspace: Workspace) -> None:
    an_agent(workspace)
    an_agent(workspace, "Service line")
    for asked, found in (("service", "Service"), ("asst-Service", "Service"), ("northgate front", "Front desk")):
        page = text_of(browser_client, at(workspace, f"?q={asked}")).split("<tbody>")[1]
        assert found in page
        assert page.count("row-link") == 1
    assert "No agent fits" in text_of(browser_client, at(workspace, "?q=nobody"))


def test_it_says_what_an_agent_lacks(client: Client) -> None:
    workspace = a_workspace(account=None)
    client.force_login(a_member(workspace))
    agent = Agent.objects.create(workspace=workspace, name="Front desk")
    page = text_of(client, at(workspace, f"/{agent.pk}"))
    for lack in ("No voice platform knows it", "Nothing follows", "Its texts cannot leave", "never called"):
        assert lack in page


def test_it_says_nothing_is_lacking_where_nothing_is(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_follow_up(a_call(agent), an_action(agent))
    assert "What is missing" not in text_of(browser_client, at(workspace, f"/{agent.pk}"))


def test_it_shows_a_viewer_how_it_is_set_up_and_no_button(client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    an_action(agent, mode="off", inputs={})
    for place in ("", f"/{agent.pk}", f"/{agent.pk}/setup", f"/{agent.pk}/actions", f"/{agent.pk}/calls"):
        page = text_of(client, at(workspace, place))
        assert page.split("<main", 1)[1].count('method="post"') == 0, place
    assert client.get(at(workspace, "/new")).status_code == 403


# Calls of agents that nobody told of.


def adopted(ref: str = "asst-unknown", **typed: str) -> dict[str, str]:
    return {"source": "vapi", "ref": ref, "agent": "", "name": "Night desk", **typed}


def test_it_makes_an_agent_of_an_unknown_one_with_its_calls(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(None, workspace, agent_ref="asst-unknown")
    other = a_call(None, workspace, agent_ref="asst-other")
    assert "asst-unknown" in text_of(browser_client, at(workspace, "/unknown"))
    browser_client.post(at(workspace, "/unknown/adopt"), adopted())
    agent = Agent.objects.get()
    call.refresh_from_db()
    other.refresh_from_db()
    assert agent.external_ids.get().external_id == "asst-unknown"
    assert (call.agent, call.status, call.due_at) == (agent, Call.Status.DONE, None)
    assert other.status == Call.Status.UNASSIGNED


def test_it_follows_up_on_recent_calls_only_and_only_when_asked(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    before = timezone.now() - timedelta(days=2)
    old = a_call(None, workspace, agent_ref="asst-unknown", received_at=before)
    late = a_call(None, workspace, agent_ref="asst-unknown", ended_at=before)
    recent = a_call(None, workspace, agent_ref="asst-unknown")
    assert "Follow up on the 1 call of" in text_of(browser_client, at(workspace, "/unknown"))
    browser_client.post(at(workspace, "/unknown/adopt"), adopted(agent=str(agent.pk), follow_up="1"))
    old.refresh_from_db()
    recent.refresh_from_db()
    late.refresh_from_db()
    assert (old.agent, old.status, old.due_at) == (agent, Call.Status.DONE, None)
    assert late.status == Call.Status.DONE
    assert (recent.agent, recent.status) == (agent, Call.Status.RECEIVED)
    assert recent.due_at is not None
    assert not FollowUp.objects.exists()


def test_it_refuses_an_unknown_agent_without_a_name(browser_client: Client, workspace: Workspace) -> None:
    a_call(None, workspace, agent_ref="asst-unknown")
    answer = browser_client.post(at(workspace, "/unknown/adopt"), adopted(name=""))
    assert answer.status_code == 422
    assert 'id="name-error"' in answer.content.decode()
    assert not Agent.objects.exists()


def test_it_gives_nobody_the_calls_of_another_workspace(browser_client: Client, workspace: Workspace) -> None:
    theirs = a_call(None, a_workspace("Copperkettle Garage"), agent_ref="asst-unknown")
    browser_client.post(at(workspace, "/unknown/adopt"), adopted())
    theirs.refresh_from_db()
    assert theirs.agent is None
    assert not Agent.objects.exists()
    a_call(None, workspace, agent_ref="asst-unknown")
    stranger = an_agent(theirs.workspace)
    answer = browser_client.post(at(workspace, "/unknown/adopt"), adopted(agent=str(stranger.pk)))
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("posted", "page"),
    [
        ("agents/create", "agents/new"),
        ("agents/{agent}/change", "agents/{agent}/setup"),
        ("agents/{agent}/attachments/{agent}", "agents/{agent}/actions"),
        ("agents/unknown/adopt", "agents/unknown"),
        ("actions/try", "actions"),
    ],
)
def test_it_leads_who_reloads_a_refused_form_to_its_page(
    browser_client: Client, workspace: Workspace, posted: str, page: str
) -> None:
    agent = an_agent(workspace)
    answer = browser_client.get(f"/w/{workspace.pk}/{posted.format(agent=agent.pk)}")
    assert (answer.status_code, answer["Location"]) == (302, f"/w/{workspace.pk}/{page.format(agent=agent.pk)}")
