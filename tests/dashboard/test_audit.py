"""Whatever a person does by a page stands in the audit log, under their name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from postcall.actions.editing import ActionContent, delete_action, update_action
from postcall.dashboard.signing_in import MAX_TRIES
from postcall.followups.models import FollowUp, OptOut
from postcall.messages.models import Message
from postcall.messages.own_phone import expect
from postcall.testbench.models import BenchRun
from postcall.workspaces.models import AuditEntry, Membership, User, Workspace
from postcall.workspaces.passwords import link_parts

from .factories import (
    PASSWORD,
    a_call,
    a_member,
    a_message,
    a_phone,
    an_action,
    an_agent,
    an_invitation,
    an_own_text,
)
from .test_isolation import Everything, everything

pytestmark = pytest.mark.django_db


def places(patterns: list[URLPattern | URLResolver] | None = None) -> Iterator[str]:
    """The name of every address of the dashboard."""
    for each in get_resolver("postcall.dashboard.urls").url_patterns if patterns is None else patterns:
        if isinstance(each, URLResolver):
            yield from places(each.url_patterns)
        elif each.name:
            yield str(each.name)


NEW_PASSWORD = {"password": "quite another long one", "password_again": "quite another long one"}

WORDS = {
    "name": "Thanks",
    "message": "Thanks! Northgate Clinic",
    "condition": "After scheduling an appointment",
    "urgency": "now",
    "send_within_s": "86400",
}
# What a form says where it has to say something; a new button with fields belongs here too.
FORMS: dict[str, Callable[[Everything], dict[str, object]]] = {
    "review-decide": lambda ours: {"do": "reject", "pick": str(ours.held.pk)},
    "resend": lambda ours: {"reason": "Asked for it again"},
    "feedback": lambda ours: {"right": "1"},
    "my-phone-code": lambda _: {"number": "+14155550188"},
    "my-phone-verify": lambda _: {"code": "123456"},
    "test-text-send": lambda _: {"message": "Hi <customer_name>"},
    "block": lambda ours: {"number": "+14155550177"},
    "opt-out-add": lambda ours: {"number": "+14155550177", "quote": "By letter"},
    "opt-out-take-back": lambda ours: {"number": "+14155550178"},
    "action": lambda _: {**WORDS, "name": "Renamed", "unseen": "1"},
    "case-add": lambda _: {"transcript": "Caller: Book me in.", "expected": "met"},
    "case-keep": lambda ours: {"call": str(ours.call.pk), "expected": "met"},
    "case-answer": lambda _: {"expected": "not_met"},
    "backtest-begin": lambda _: {"words": "saved", "span": "newest", "latest": "25"},
    "backtest-case": lambda _: {"expected": "met"},
    "cases-check": lambda _: {"condition": "After booking a visit", "message": "Thanks!"},
    "action-create": lambda _: WORDS,
    "action-agents": lambda ours: {"agent": str(an_agent(ours.workspace, "Night desk").pk), "mode": "off"},
    "agent-create": lambda _: {"name": "Night desk", "timezone": "UTC", "locale": "en-US"},
    "agent-change": lambda ours: {
        "seen": ours.held.attachment.agent.updated_at.isoformat(),
        "name": "Night desk",
        "timezone": "UTC",
        "locale": "en-US",
    },
    "attach": lambda ours: {"action": str(an_action(an_agent(ours.workspace, "Night desk")).action_id)},
    "attachment-change": lambda ours: {"seen": ours.held.attachment.updated_at.isoformat(), "mode": "off"},
    "adopt-agent": lambda _: {"source": "vapi", "ref": "asst-unknown", "name": "Night desk"},
    "twilio-choose": lambda _: {"use": "sandbox"},
    "platform-connect": lambda _: {"kind": "generic", "name": "Night desk"},
    "platform-rename": lambda _: {"name": "Night desk"},
    "platform-secret": lambda _: {"make": "1"},
    "key-create": lambda _: {"name": "Booking system", "scope": "ingest"},
    "member-invite": lambda _: {"email": "kim@northgate.example", "role": "viewer"},
    "member-role": lambda _: {"role": "editor"},
    "me-name": lambda _: {"name": "Dana Reyes"},
    "me-password": lambda _: {"current_password": PASSWORD, **NEW_PASSWORD},
    "reset": lambda _: NEW_PASSWORD,
    "workspace-create": lambda ours: {"workspace_name": "Southgate Clinic", "source": str(ours.workspace.pk)},
    "alerts-save": lambda _: {"told": "held", "held_over": "3"},
    "alert-email": lambda _: {"email": "night@northgate.example"},
    "alert-webhook": lambda _: {"webhook": "https://93.184.216.34/in"},  # by its number: nothing is looked up
    "webhook-add": lambda _: {"url": "https://93.184.216.34/in", "events": "message.sent"},
    "webhook-save": lambda _: {"url": "https://93.184.216.34/in", "events": "message.failed"},
    "retention-save": lambda _: {"keep": "days", "days": "30", "sure": "1"},
    "workspace-rename": lambda _: {"workspace_name": "Northgate Clinic West"},
    "settings-rules-save": lambda ours: {"countries": "US", "valid_for_minutes": "60", "unconfirmed": "hold"},
}


# Posted only so that what was typed stands in no address; tests of their own show that nothing is changed. Of the
# set-up nothing is left to be done once there is a person.
CHANGES_NOTHING = {"action-preview", "backtest-words", "backtest-estimate", "action-try", "count-text", "set-up"}


def ready(ours: Everything, name: str) -> None:
    """Brings things into the state in which the button does something."""
    if name == "cancel":
        ours.message = a_message(ours.held, Message.Status.QUEUED)
    if name == "opt-out-take-back":
        OptOut.objects.create(workspace=ours.workspace, number="+14155550178", origin="said")
    if name in ("my-phone-remove", "test-text-send"):
        a_phone(User.objects.get(), ours.workspace)
    if name == "my-phone-verify":
        expect(an_own_text(ours.workspace, User.objects.get(), kind="code"), "123456")
    if name == "action-restore":
        delete_action(ours.held.action)
    if name == "action-use-again":
        update_action(ours.held.action, ActionContent(name="Thanks", message="Thanks!", always=True))
    if name == "adopt-agent":
        a_call(None, ours.workspace, agent_ref="asst-unknown")
    if name == "invitation":
        an_invitation(ours.workspace, "dana@northgate.example", "a-token")
    if name in ("backtest-cancel", "backtest-resume"):
        BenchRun.objects.update(state="running" if name == "backtest-cancel" else "canceled")
    if name == "judge-again":
        FollowUp.objects.filter(pk=ours.held.pk).update(reason="judge_failed")


def address_of(ours: Everything, name: str) -> str:
    outside = {
        "home": "/",
        "icons": "/icons.svg",
        "place": "/calls",
        "any-call": f"/calls/{ours.call.pk}",
        "sign-in": "/sign-in",
        "sign-out": "/sign-out",
        "forgotten": "/forgotten",
        "set-up": "/set-up/x",
        "invitation": "/invitations/a-token",
        "me": "/me",
        "me-name": "/me/name",
        "me-password": "/me/password",
        "me-sign-out-elsewhere": "/me/sign-out-elsewhere",
        "workspaces": "/workspaces",
        "workspace-new": "/workspaces/new",
        "workspace-create": "/workspaces/create",
    }
    if name == "reset":
        return reverse("reset", args=link_parts(User.objects.get(email="dana@northgate.example")))
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
    if name in CHANGES_NOTHING:
        assert not AuditEntry.objects.exists()
        return
    entry = AuditEntry.objects.get()
    home = Workspace.objects.get(name="Southgate Clinic") if name == "workspace-create" else ours.workspace
    assert (entry.workspace, entry.actor_kind, entry.actor_id) == (home, "user", str(person.pk))
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
