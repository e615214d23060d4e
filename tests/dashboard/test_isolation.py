"""Nothing crosses workspaces, and a viewer changes nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse

from postcall.alerts.models import AlertChannel
from postcall.calls.models import Call
from postcall.dashboard.urls import _workspace
from postcall.followups.models import FollowUp
from postcall.messages.models import Message, OwnText
from postcall.sources.models import Source
from postcall.testbench.models import ActionCase, BenchRun
from postcall.webhooks.models import WebhookDelivery, WebhookEndpoint
from postcall.workspaces.models import ApiKey, AuditEntry, Invitation, Membership, Workspace

from .factories import (
    a_call,
    a_case,
    a_follow_up,
    a_held_follow_up,
    a_member,
    a_message,
    a_run,
    a_webhook,
    a_workspace,
    an_action,
    an_agent,
    an_alert_channel,
    an_invitation,
    an_own_text,
)

pytestmark = pytest.mark.django_db

# Any 24 bytes or more will do.
AUTH = {"secret": "whsec_" + "QUJD" * 8, "previous": "whsec_" + "REVG" * 8}


def buttons() -> list[str]:
    """The places that only take a POST, as they say themselves; a place that takes any method breaks this."""
    named = {str(each.name): each for each in _workspace if isinstance(each, URLPattern)}
    refusals = {name: each.callback(RequestFactory().put("/")) for name, each in named.items()}
    return [name for name, refusal in refusals.items() if refusal["Allow"] == "POST"]


BUTTONS = buttons()


@dataclass
class Everything:
    """One of each thing, in one workspace."""

    workspace: Workspace
    call: Call
    held: FollowUp
    message: Message
    text: OwnText

    def address(self, name: str) -> str:
        """Of the page or button, with this workspace's own ids."""
        ids = {
            "call_id": self.call.pk,
            "follow_up_id": self.held.pk,
            "message_id": self.message.pk,
            "action_id": self.held.action_id,
            "agent_id": self.held.attachment.agent_id,
            "text_id": self.text.pk,
            "source_id": Source.objects.get(workspace=self.workspace).pk,
            "channel_id": AlertChannel.objects.get(workspace=self.workspace).pk,
            "webhook_id": WebhookEndpoint.objects.get(workspace=self.workspace).pk,
            "delivery_id": WebhookDelivery.objects.get(workspace=self.workspace).pk,
            "key_id": ApiKey.objects.get(workspace=self.workspace).pk,
            "attachment_id": self.held.attachment_id,
            "case_id": ActionCase.objects.get(workspace=self.workspace).pk,
            "run_id": BenchRun.objects.get(workspace=self.workspace).pk,
            "position": 1,
            "number": 1,
        }
        pattern = next(each for each in _workspace if isinstance(each, URLPattern) and each.name == name)
        ids |= self.of_people(set(pattern.pattern.converters))
        wanted = {key: ids[key] for key in pattern.pattern.converters}
        return reverse(name, kwargs={"workspace_id": self.workspace.pk, **wanted})

    def of_people(self, wanted: set[str]) -> dict[str, UUID]:
        """Made only where they are asked for: most tests have one person alone."""
        if "membership_id" in wanted:
            email = f"viewer-{self.workspace.pk}@northgate.example"
            others = Membership.objects.filter(user__email=email)
            if not others.exists():
                a_member(self.workspace, Membership.Role.VIEWER, email)
            return {"membership_id": others.get().pk}
        if "invitation_id" in wanted:
            found = Invitation.objects.filter(workspace=self.workspace).first()
            return {"invitation_id": (found or an_invitation(self.workspace, "sam@northgate.example")).pk}
        return {}


def everything(name: str) -> Everything:
    workspace = a_workspace(name)
    agent = an_agent(workspace)
    call = a_call(agent)
    message = a_message(a_follow_up(call, an_action(agent)), Message.Status.FAILED, error_code=30034)
    held = a_held_follow_up(call, an_action(agent, "Payment link"))
    Source.objects.create(workspace=workspace, kind="generic", name="Front desk", auth=json.dumps(AUTH))
    ApiKey.issue(workspace, "Booking system", ApiKey.Scope.INGEST)
    an_alert_channel(workspace)
    a_webhook(workspace)
    a_case(held.action, call)
    a_run(held.action, call)
    return Everything(workspace, call, held, message, an_own_text(workspace))


def names() -> list[str]:
    return [str(each.name) for each in _workspace if isinstance(each, URLPattern)]


def ask(client: Client, name: str, address: str) -> int:
    return (client.post if name in BUTTONS else client.get)(address).status_code


@pytest.fixture
def ours() -> Everything:
    return everything("Northgate Clinic")


@pytest.fixture
def theirs() -> Everything:
    return everything("Copperkettle Garage")


def answers(client: Client, names: list[str], address: Callable[[str], str]) -> dict[str, int]:
    """What each place answers. What is refused changes nothing, so one workspace serves for all of them."""
    return {name: ask(client, name, address(name)) for name in names}


def test_it_hides_every_place_of_another_workspace(client: Client, ours: Everything, theirs: Everything) -> None:
    client.force_login(a_member(ours.workspace))
    assert answers(client, names(), theirs.address) == dict.fromkeys(names(), 404)


def test_it_finds_none_of_their_things_under_our_address(
    client: Client, ours: Everything, theirs: Everything
) -> None:
    client.force_login(a_member(ours.workspace))

    def theirs_under_ours(name: str) -> str:
        return theirs.address(name).replace(str(theirs.workspace.pk), str(ours.workspace.pk))

    theirs_alone = [name for name in names() if theirs_under_ours(name) != ours.address(name)]
    assert answers(client, theirs_alone, theirs_under_ours) == dict.fromkeys(theirs_alone, 404)
    for name in set(names()) - {*theirs_alone, "review-decide", "calls-live"}:
        page = client.get(ours.address(name)).getvalue().decode()
        assert str(theirs.call.pk) not in page, name
        assert str(theirs.held.action_id) not in page, name


def test_it_decides_none_of_their_follow_ups_with_ours(
    client: Client, ours: Everything, theirs: Everything
) -> None:
    client.force_login(a_member(ours.workspace))
    client.post(ours.address("review-decide"), {"do": "reject", "pick": str(theirs.held.pk)})
    theirs.held.refresh_from_db()
    assert theirs.held.outcome == FollowUp.Outcome.HELD


def test_it_watches_none_of_their_calls(client: Client, ours: Everything, theirs: Everything) -> None:
    client.force_login(a_member(ours.workspace))
    query = f"?newest={theirs.call.pk}&watch={theirs.call.pk}"
    assert (
        str(theirs.call.pk) not in client.get(ours.address("calls-live") + query).content.decode().split("<", 2)[2]
    )


def test_it_leads_to_a_call_by_its_id_alone_only_for_members(
    client: Client, ours: Everything, theirs: Everything
) -> None:
    client.force_login(a_member(ours.workspace))
    assert client.get(f"/calls/{ours.call.pk}")["Location"] == ours.address("call")
    assert client.get(f"/calls/{theirs.call.pk}").status_code == 404


def test_it_asks_a_stranger_to_sign_in(client: Client, ours: Everything) -> None:
    for name in names():
        answer = (client.post if name in BUTTONS else client.get)(ours.address(name))
        assert answer.get("Location", "").startswith("/sign-in?next="), name


def test_it_lets_a_viewer_press_no_button(client: Client, ours: Everything) -> None:
    client.force_login(a_member(ours.workspace, Membership.Role.VIEWER))
    assert answers(client, BUTTONS, ours.address) == dict.fromkeys(BUTTONS, 403)


def test_it_changes_nothing_when_merely_looked_at(client: Client, ours: Everything) -> None:
    client.force_login(a_member(ours.workspace))
    for name in BUTTONS:
        answer = client.get(ours.address(name))
        # Where a refused form is shown, a reload leads to the page that the form stands on.
        assert answer.status_code == 405 or client.get(answer["Location"]).status_code == 200, name
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("name", ["call", "review"])
def test_it_shows_a_viewer_no_button(client: Client, ours: Everything, name: str) -> None:
    client.force_login(a_member(ours.workspace, Membership.Role.VIEWER))
    page = client.get(ours.address(name)).content.decode()
    assert page.count('method="post"') == 1  # signing out
    assert "Tue, Dec 1 at 9:40 AM" in page


@pytest.mark.parametrize("role", [Membership.Role.OWNER, Membership.Role.EDITOR])
def test_it_lets_owners_and_editors_act(client: Client, ours: Everything, role: str) -> None:
    client.force_login(a_member(ours.workspace, role))
    assert ask(client, "reject", ours.address("reject")) == 302
    ours.held.refresh_from_db()
    assert ours.held.reason == "rejected"


def test_it_lists_the_workspaces_that_one_is_a_member_of(
    client: Client, ours: Everything, theirs: Everything
) -> None:
    person = a_member(ours.workspace)
    client.force_login(person)
    assert "Copperkettle Garage" not in client.get(ours.address("overview")).content.decode()
    Membership.objects.create(workspace=theirs.workspace, user=person, role=Membership.Role.VIEWER)
    assert "Copperkettle Garage" in client.get(ours.address("overview")).content.decode()


def test_it_remembers_where_one_was_last(client: Client, ours: Everything, theirs: Everything) -> None:
    person = a_member(ours.workspace)
    Membership.objects.create(workspace=theirs.workspace, user=person, role=Membership.Role.OWNER)
    client.force_login(person)
    client.get(theirs.address("calls"))
    assert client.get("/")["Location"] == theirs.address("overview")
    assert client.get("/review?after=x")["Location"] == theirs.address("review") + "?after=x"
