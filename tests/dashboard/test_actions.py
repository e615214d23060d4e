"""The list of actions, the editor, its history, and the agents that use them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from postcall.actions.models import Action, Attachment, Revision
from postcall.workspaces.models import AuditEntry, Membership, Workspace

from .factories import MESSAGE, a_call, a_follow_up, a_member, a_message, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db
WORDS = {
    "name": "Thanks",
    "condition": "After scheduling an appointment",
    "message": "Thanks, <customer_name>! Northgate Clinic",
    "urgency": "now",
    "send_within_s": "86400",
}


def shown(client: Client, workspace: Workspace, place: str = "actions") -> str:
    answer = client.get(f"/w/{workspace.pk}/{place}")
    assert answer.status_code == 200
    return answer.content.decode()


def press(client: Client, workspace: Workspace, place: str, **typed: Any) -> Any:
    return client.post(f"/w/{workspace.pk}/{place}", typed)


def words_of(action: Action, **changed: str) -> dict[str, str]:
    action.refresh_from_db()
    return {**WORDS, "name": action.name, "message": MESSAGE, "seen": action.updated_at.isoformat(), **changed}


# Creating.


def test_it_creates_an_action_and_leads_to_its_agents(browser_client: Client, workspace: Workspace) -> None:
    answer = press(browser_client, workspace, "actions/create", **WORDS)
    action = Action.objects.get()
    assert answer["Location"] == f"/w/{workspace.pk}/actions/{action.pk}/agents"
    assert action.revision is not None
    assert (action.revision.inputs, action.revision.always) == (["customer_name"], False)


def test_it_starts_from_an_example(browser_client: Client, workspace: Workspace) -> None:
    assert "actions/create?start=booking" in shown(browser_client, workspace)
    page = shown(browser_client, workspace, "actions/create?start=booking")
    assert "After scheduling an appointment</textarea>" in page
    assert not Action.objects.exists()


def test_it_keeps_what_was_typed_where_it_is_refused(browser_client: Client, workspace: Workspace) -> None:
    answer = press(browser_client, workspace, "actions/create", **{**WORDS, "condition": "", "name": ""})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="name-error"' in page
    assert 'id="condition-error"' in page
    assert "Thanks, &lt;customer_name&gt;! Northgate Clinic" in page
    assert not Action.objects.exists()


def test_it_takes_every_call_in_place_of_a_condition(browser_client: Client, workspace: Workspace) -> None:
    press(browser_client, workspace, "actions/create", **{**WORDS, "condition": "", "always": "on"})
    revision = Action.objects.get().revision
    assert revision is not None
    assert (revision.always, revision.condition) == (True, "")


# The list.


@pytest.fixture
def booking(workspace: Workspace) -> Attachment:
    return an_action(an_agent(workspace))


def test_it_finds_actions_by_their_words_and_agents(browser_client: Client, workspace: Workspace) -> None:
    desk = an_agent(workspace)
    an_action(desk, "Payment link", "Pay here: northgate.example/p")
    an_action(an_agent(workspace, "Service line"), "Pickup", "Your car is ready.")
    assert shown(browser_client, workspace, "actions?q=northgate.example").count("row-link") == 1
    assert shown(browser_client, workspace, "actions?q=scheduling").count("row-link") == 2
    assert shown(browser_client, workspace, f"actions?agent={desk.pk}").count("row-link") == 1
    assert "No action fits" in shown(browser_client, workspace, "actions?agent=none")


def test_it_counts_the_last_week(browser_client: Client, workspace: Workspace, booking: Attachment) -> None:
    a_message(a_follow_up(a_call(booking.agent), booking), "failed")
    page = shown(browser_client, workspace)
    assert "1 <small>of 1</small>" in page
    assert "1 failed" in page


def test_it_archives_and_restores_without_attachments(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    place = f"actions/{booking.action_id}"
    assert "Detaches it from 1 agent" in shown(browser_client, workspace)
    Revision.objects.update(message="You’re booked, {name}")
    assert 'name="mend-text"' in shown(browser_client, workspace, place)
    press(browser_client, workspace, f"{place}/archive")
    assert "Booking confirmation" in shown(browser_client, workspace, "actions?shown=archived")
    page = shown(browser_client, workspace, place)
    assert "Save</button>" not in page
    assert 'name="mend-text"' not in page
    press(browser_client, workspace, f"{place}/restore")
    assert "Not attached" in shown(browser_client, workspace)
    assert not Attachment.objects.filter(deleted_at=None).exists()
    assert [entry.verb for entry in AuditEntry.objects.order_by("id")] == ["delete", "restore"]


def test_it_duplicates_the_words_alone(browser_client: Client, workspace: Workspace, booking: Attachment) -> None:
    for _ in range(2):
        press(browser_client, workspace, f"actions/{booking.action_id}/duplicate")
    names = Action.objects.order_by("id").values_list("name", "revision__message")
    assert list(names[1:]) == [("Booking confirmation, copy", MESSAGE), ("Booking confirmation, copy 2", MESSAGE)]
    assert Attachment.objects.count() == 1


# Saving.


def test_it_saves_a_new_revision(browser_client: Client, workspace: Workspace, booking: Attachment) -> None:
    action = booking.action
    press(browser_client, workspace, f"actions/{action.pk}", **words_of(action, message=f"{MESSAGE} Bye."))
    action.refresh_from_db()
    assert action.revision is not None
    assert (action.revision.number, action.revision.message) == (2, f"{MESSAGE} Bye.")
    changes = AuditEntry.objects.get().changes
    assert changes["revision"] == [1, 2]


def test_it_shows_both_where_somebody_saved_meanwhile(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    action = booking.action
    late = words_of(action, condition="When a visit was booked")
    press(browser_client, workspace, f"actions/{action.pk}", **words_of(action, name="Booked"))
    answer = press(browser_client, workspace, f"actions/{action.pk}", **late)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Somebody else saved this action meanwhile." in page
    assert "<dd>Booked " in page
    assert "When a visit was booked</textarea>" in page
    action.refresh_from_db()
    assert action.name == "Booked"
    press(browser_client, workspace, f"actions/{action.pk}", **late | {"seen": action.updated_at.isoformat()})
    action.refresh_from_db()
    assert (action.name, action.revision and action.revision.number) == ("Booking confirmation", 2)


NEW_INPUT = f"{MESSAGE} Ask for <doctor>."


def test_it_asks_where_a_new_input_comes_from(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    place = f"actions/{booking.action_id}"
    answer = press(browser_client, workspace, place, **words_of(booking.action, message=NEW_INPUT))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Front desk (live) lacks &lt;doctor&gt;" in page
    assert 'name="bind-doctor-value"' in page
    mend = {
        "mend": "bind",
        "bind-doctor-from": "ask",
        "bind-doctor-value": "the doctor",
        "bind-doctor-fallback": "us",
    }
    press(browser_client, workspace, place, **words_of(booking.action, message=NEW_INPUT), **mend)
    booking.refresh_from_db()
    assert (booking.mode, booking.inputs["doctor"]) == (
        "live",
        {"from": "ask", "description": "the doctor", "fallback": "us"},
    )


def test_it_keeps_what_was_said_of_one_new_input_when_another_comes(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    mend = {"mend": "bind", "bind-doctor-from": "ask", "bind-doctor-value": "whom they will see"}
    typed = words_of(booking.action, message=f"{NEW_INPUT} Room <room>.") | mend
    page = press(browser_client, workspace, f"actions/{booking.action_id}", **typed).content.decode()
    assert 'name="bind-room-value"' in page
    assert 'value="whom they will see"' in page


def test_it_says_at_its_field_what_is_wrong_with_a_binding(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    mend = {"mend": "bind", "bind-doctor-from": "fixed", "bind-doctor-value": ""}
    typed = words_of(booking.action, message=NEW_INPUT) | mend
    answer = press(browser_client, workspace, f"actions/{booking.action_id}", **typed)
    assert answer.status_code == 422
    assert 'id="bind-doctor-value-error"' in answer.content.decode()


def test_it_switches_off_what_lacks_an_input(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    typed = words_of(booking.action, message=NEW_INPUT, mend="off")
    press(browser_client, workspace, f"actions/{booking.action_id}", **typed)
    booking.refresh_from_db()
    assert booking.mode == "off"
    assert AuditEntry.objects.get(object_kind="attachment").changes == {"mode": ["live", "off"]}


def test_it_refuses_a_viewers_words(client: Client, workspace: Workspace, booking: Attachment) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    assert press(client, workspace, f"actions/{booking.action_id}", **WORDS).status_code == 403
    assert press(client, workspace, f"actions/{booking.action_id}/agents").status_code == 403
    assert press(client, workspace, "actions/create", **WORDS).status_code == 403
    page = shown(client, workspace, f"actions/{booking.action_id}")
    assert "What the phone will show" in page
    assert "<textarea" not in page


# What the phone will show.


def preview(client: Client, workspace: Workspace, message: str, action: Action | None = None, **typed: str) -> str:
    about = {"action": str(action.pk)} if action else {}
    answer = press(client, workspace, "actions/preview", message=message, **{**about, **typed})
    return answer.content.decode()


def test_it_counts_with_the_values_of_the_last_calls(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    a_follow_up(a_call(booking.agent), booking)
    page = preview(browser_client, workspace, "Hi <customer_name>!", booking.action)
    assert '<span class="filled ">Maya</span>' in page
    assert "with values from the last calls" in page
    assert "<dt>Characters</dt><dd>8 " in page


def test_it_makes_values_up_before_any_call(browser_client: Client, workspace: Workspace) -> None:
    page = preview(browser_client, workspace, "Your order <order_number> at <business> is ready")
    assert "NC-4821" in page
    assert "with made-up values" in page


def test_it_counts_a_text_as_it_will_be_written(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    booking.inputs = {"time": {"from": "fixed", "value": "9 a.m."}}
    booking.save()
    page = preview(browser_client, workspace, "At <time>.", booking.action)
    assert '<span class="filled ">9 a.m</span>.' in page
    assert "<dt>Characters</dt><dd>9 " in page


def test_it_names_the_character_that_makes_a_text_dearer(browser_client: Client, workspace: Workspace) -> None:
    page = preview(browser_client, workspace, "You’re booked at Northgate Clinic. " * 3)
    assert "’ forces UCS-2" in page
    assert "2 segments in place of 1" in page
    assert "You&#x27;re booked" in page  # what the one click puts in its place


def test_it_replaces_it_without_script(browser_client: Client, workspace: Workspace, booking: Attachment) -> None:
    typed = words_of(booking.action, message="You’re booked", name="Mine") | {"mend-text": "You're booked"}
    page = press(browser_client, workspace, f"actions/{booking.action_id}", **typed).content.decode()
    assert "You&#x27;re booked</textarea>" in page
    assert 'value="Mine"' in page
    booking.action.refresh_from_db()
    assert booking.action.name == "Booking confirmation"


@pytest.mark.parametrize(
    ("message", "condition", "said"),
    [
        ("See you!", "", "does not say who is texting"),
        ("Northgate Clinic says hi", "", "Says who is texting."),
        ("<business> says hi", "", "Says who is texting."),
        ("Hi {{customer_name}}", "", "would go out with its braces"),
        ("Hi <customer name>", "", "Hi &lt;customer_name&gt;"),
        ("See bit.ly/x", "", "shortened links"),
        ("CALL US BACK RIGHT NOW", "", "shouting"),
        ("Hi", "If it makes sense", "leaves much open"),
        ("Hi", "After scheduling an appointment", "says what has to have happened"),
        ("x" * 129, "", "Longer than 128 characters"),
        ("x" * 1_601, "", "would be held"),
    ],
)
def test_it_hints(browser_client: Client, workspace: Workspace, message: str, condition: str, said: str) -> None:
    an_agent(workspace)
    assert said in preview(browser_client, workspace, message, condition=condition)


def test_it_estimates_the_price(browser_client: Client, workspace: Workspace) -> None:
    assert "$0.008" in preview(browser_client, workspace, "Hi")


# Trying it.


def test_it_tries_the_words_on_a_call_and_stores_nothing(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    call = a_call(booking.agent)
    typed = words_of(booking.action, always="on", message="Hi <customer_name>. <company>")
    about = {"action": str(booking.action_id), "against": "call", "call": str(call.pk)}
    page = press(browser_client, workspace, "actions/try", **typed, **about).content.decode()
    assert "A text would go out" in page
    assert "collected as first_name" in page
    assert 'Hi <span class="filled">Maya</span>' in page
    assert "Hi &lt;customer_name&gt;. &lt;company&gt;</textarea>" in page
    assert not call.follow_ups.exists()
    assert not AuditEntry.objects.exists()


def test_it_says_what_would_have_stopped_it(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    booking.only_if = [{"from": "collected", "name": "guests", "is": "present"}]
    booking.save()
    call = a_call(booking.agent)
    about = {"action": str(booking.action_id), "call": str(call.pk), "always": "on", "message": "Hi"}
    assert "The rule “guests (collected) has a value” does not hold" in tried(browser_client, workspace, **about)
    workspace.countries = ["CA"]
    workspace.save()
    booking.only_if = []
    booking.save()
    assert "this workspace texts to CA" in tried(browser_client, workspace, **about)


def tried(client: Client, workspace: Workspace, **typed: str) -> str:
    answer = client.post(f"/w/{workspace.pk}/actions/try", typed, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_tries_a_pasted_transcript(browser_client: Client, workspace: Workspace, booking: Attachment) -> None:
    typed = {"against": "text", "action": str(booking.action_id), "message": "Hi <customer_name>", "always": "on"}
    page = tried(browser_client, workspace, **typed, transcript="Agent: Hello?\nCaller: Please book me in.")
    assert "the fallback" in page
    assert "With the inputs of Front desk" in page
    page = tried(browser_client, workspace, **typed, transcript="Maya: Please book me in.")
    assert "Line 1 begins with “Maya:”" in page
    assert "Maya: Please book me in.</textarea>" in page


def test_it_names_what_an_agent_does_not_bind(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace))
    page = tried(browser_client, workspace, call=str(call.pk), message="Hi <name>", always="on")
    assert "Front desk does not say yet where &lt;name&gt; comes from." in page


def test_it_offers_calls_of_the_agents_that_use_it_first(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    theirs = a_call(booking.agent)
    other = a_call(an_agent(workspace, "Night desk"))
    page = shown(browser_client, workspace, f"actions/{booking.action_id}").split('id="call"')[1]
    assert 0 < page.index(str(theirs.pk)) < page.index(str(other.pk))


def test_it_finds_calls_by_number(browser_client: Client, workspace: Workspace) -> None:
    desk = an_agent(workspace)
    a_call(desk)
    a_call(desk, customer_number="+14155550199")
    assert shown(browser_client, workspace, "actions/calls?number=0199").count("<option") == 1


def test_it_tries_nobody_elses_call(browser_client: Client, workspace: Workspace) -> None:
    theirs = a_call(an_agent(a_workspace("Copperkettle Garage")))
    page = tried(browser_client, workspace, call=str(theirs.pk), message="Hi", always="on")
    assert "Choose a call" in page
    assert 'id="tried"' not in page


# What was before.


def test_it_shows_who_changed_what(browser_client: Client, workspace: Workspace, booking: Attachment) -> None:
    action = booking.action
    press(browser_client, workspace, f"actions/{action.pk}", **words_of(action, condition="When a visit is booked"))
    page = shown(browser_client, workspace, f"actions/{action.pk}/revisions")
    assert '<del><span class="sr">gone: </span>After scheduling an appointment</del>' in page
    assert "@northgate.example" in page


def test_it_uses_old_words_again(browser_client: Client, workspace: Workspace, booking: Attachment) -> None:
    action = booking.action
    press(browser_client, workspace, f"actions/{action.pk}", **words_of(action, message="Bye. Northgate Clinic"))
    press(browser_client, workspace, f"actions/{action.pk}/revisions/1/use")
    action.refresh_from_db()
    assert action.revision is not None
    assert (action.revision.number, action.revision.message) == (3, MESSAGE)


def test_it_opens_old_words_that_lack_inputs(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    action = booking.action
    press(browser_client, workspace, f"actions/{action.pk}", **words_of(action, message="Bye. Northgate Clinic"))
    booking.inputs = {}
    booking.save()
    answer = browser_client.post(f"/w/{workspace.pk}/actions/{action.pk}/revisions/1/use", follow=True)
    page = answer.content.decode()
    assert "does not bind" in page or "do not bind" in page
    assert "Hi &lt;customer_name&gt;, see you at" in page


# Who uses it.


def test_it_attaches_to_many_with_the_inputs_of_one(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    others = [an_agent(workspace, name) for name in ("Night desk", "Weekend desk")]
    form = {"agent": [str(each.pk) for each in others], "copy": str(booking.pk), "mode": "live"}
    page = browser_client.post(f"/w/{workspace.pk}/actions/{booking.action_id}/agents", form, follow=True)
    assert "Night desk, Weekend desk: attached, live." in page.content.decode()
    made = Attachment.objects.exclude(pk=booking.pk)
    assert [(each.mode, each.inputs) for each in made] == [("live", booking.inputs)] * 2
    assert AuditEntry.objects.filter(object_kind="attachment").count() == 2


def test_it_attaches_unbound_and_off(browser_client: Client, workspace: Workspace, booking: Attachment) -> None:
    night = an_agent(workspace, "Night desk")
    form = {"agent": str(night.pk), "copy": "", "mode": "live"}
    page = browser_client.post(f"/w/{workspace.pk}/actions/{booking.action_id}/agents", form, follow=True)
    assert "attached and off. Say there where &lt;customer_name&gt;" in page.content.decode()
    assert Attachment.objects.get(agent=night).mode == "off"
    assert "Not bound:" in shown(browser_client, workspace, f"actions/{booking.action_id}/agents")


def test_it_attaches_to_nobody_elses_agent(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    theirs = an_agent(a_workspace("Copperkettle Garage"))
    form = {"agent": str(theirs.pk), "mode": "live"}
    answer = press(browser_client, workspace, f"actions/{booking.action_id}/agents", **form)
    assert answer.status_code == 422
    assert not Attachment.objects.filter(agent=theirs).exists()
