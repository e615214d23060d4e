"""Whatever a person does by a page stands in the audit log, under their name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from postcall.dashboard.signing_in import MAX_TRIES
from postcall.followups.models import FollowUp, OptOut
from postcall.messages.models import Message
from postcall.workspaces.models import AuditEntry, Membership, Workspace

from .factories import PASSWORD, a_call, a_member, a_message, an_action, an_agent
from .test_isolation import Everything, everything

pytestmark = pytest.mark.django_db


def places(patterns: list[URLPattern | URLResolver] | None = None) -> Iterator[str]:
    """The name of every address of the dashboard."""
    for each in get_resolver("postcall.dashboard.urls").url_patterns if patterns is None else patterns:
        if isinstance(each, URLResolver):
            yield from places(each.url_patterns)
        elif each.name:
            yield str(each.name)


# What a form says where it has to say something; a new button with fields belongs here too.
FORMS: dict[str, Callable[[Everything], dict[str, object]]] = {
    "review-decide": lambda ours: {"do": "reject", "pick": str(ours.held.pk)},
    "resend": lambda ours: {"reason": "Asked for it again"},
    "feedback": lambda ours: {"right": "1"},
    "block": lambda ours: {"number": "+14155550177"},
    "opt-out-add": lambda ours: {"number": "+14155550177", "quote": "By letter"},
    "opt-out-take-back": lambda ours: {"number": "+14155550178"},
    "agent-create": lambda _: {"name": "Night desk", "timezone": "UTC", "locale": "en-US"},
    "agent-change": lambda _: {"name": "Night desk", "timezone": "UTC", "locale": "en-US"},
    "attach": lambda ours: {"action": str(an_action(an_agent(ours.workspace, "Night desk")).action_id)},
    "attachment-change": lambda ours: {"seen": ours.held.attachment.updated_at.isoformat(), "mode": "off"},
    "adopt-agent": lambda _: {"source": "vapi", "ref": "asst-unknown", "name": "Night desk"},
    "twilio-choose": lambda _: {"use": "sandbox"},
    "settings-rules-save": lambda ours: {"countries": "US", "valid_for_minutes": "60", "unconfirmed": "hold"},
}


def ready(ours: Everything, name: str) -> None:
    """Brings things into the state in which the button does something."""
    if name == "cancel":
        ours.message = a_message(ours.held, Message.Status.QUEUED)
    if name == "opt-out-take-back":
        OptOut.objects.create(workspace=ours.workspace, number="+14155550178", origin="said")
    if name == "adopt-agent":
        a_call(None, ours.workspace, agent_ref="asst-unknown")
    if name == "judge-again":
        FollowUp.objects.filter(pk=ours.held.pk).update(reason="judge_failed")


def address_of(ours: Everything, name: str) -> str:
    outside = {
        "home": "/",
        "place": "/calls",
        "any-call": f"/calls/{ours.call.pk}",
        "sign-in": "/sign-in",
        "sign-out": "/sign-out",
    }
    return outside.get(name) or ours.address(name)


@pytest.mark.parametrize("name", sorted(set(places())))
def test_it_notes_whatever_a_button_does(client: Client, name: str) -> None:
    ours = everything("Northgate Clinic")
    person = a_member(ours.workspace, email="dana@northgate.example")
    ready(ours, name)
    form = FORMS.get(name, lambda _: {})(ours)
    if name == "sign-in":
        form = {"username": person.email, "password": PASSWORD}
    else:
        client.force_login(person)
    if client.post(address_of(ours, name), form).status_code == 405:
        return  # a page, which one only looks at
    entry = AuditEntry.objects.get()
    assert (entry.workspace, entry.actor_kind, entry.actor_id) == (ours.workspace, "user", str(person.pk))
    assert (entry.actor_name, bool(entry.object_kind)) == ("dana@northgate.example", True)


def test_it_notes_nothing_that_could_not_be_done(client: Client) -> None:
    ours = everything("Northgate Clinic")
    client.force_login(a_member(ours.workspace))
    client.post(ours.address("reject"))
    client.post(ours.address("reject"))
    assert [entry.verb for entry in AuditEntry.objects.all()] == ["reject"]


def sign_in(client: Client, email: str, password: str = PASSWORD) -> None:
    client.post("/sign-in", {"username": email, "password": password}, REMOTE_ADDR="10.0.0.1")


def test_it_notes_in_each_workspace_who_came_in_and_after_how_many_failures(
    client: Client, workspace: Workspace
) -> None:
    person = a_member(workspace, email="dana@northgate.example")
    other = everything("Copperkettle Garage").workspace
    Membership.objects.create(workspace=other, user=person, role=Membership.Role.VIEWER)
    sign_in(client, person.email, "a slip")
    sign_in(client, person.email)
    entries = AuditEntry.objects.filter(verb="sign_in")
    assert {entry.workspace for entry in entries} == {workspace, other}
    assert entries[0].changes == {"address": [None, "10.0.0.1"], "failed_tries": [None, 1]}


def test_it_notes_failed_sign_ins_as_somebodys_until_they_are_stopped(client: Client, workspace: Workspace) -> None:
    person = a_member(workspace, email="dana@northgate.example")
    for _ in range(MAX_TRIES + 3):
        sign_in(client, person.email, "a guess")
    entries = list(AuditEntry.objects.order_by("id"))
    assert [entry.verb for entry in entries] == ["sign_in_failed"] * MAX_TRIES + ["sign_in_throttled"]
    assert {(entry.actor_kind, entry.actor_name) for entry in entries} == {("system", "somebody at 10.0.0.1")}
    assert [entry.changes["failed_tries"][1] for entry in entries] == [1, 2, 3, 4, 5, 5]


def test_it_notes_nobody_who_is_not_known(client: Client, workspace: Workspace) -> None:
    sign_in(client, "nobody@northgate.example")
    assert not AuditEntry.objects.exists()
