"""The Actions tab of an agent: adding an action, mapping its inputs, and who else does so at the same time."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import expect

from postcall.actions.models import Attachment
from postcall.agents.models import Agent
from postcall.messages.models import Account
from postcall.workspaces.models import Membership, User, Workspace

from .conftest import SignedIn
from .factories import MESSAGE, a_call, a_member, a_pause, a_skipped_follow_up, a_workspace, an_action, an_agent
from .test_pages import weight

pytestmark = pytest.mark.django_db
MAPPED = {
    "inputs.customer_name.from": "collected",
    "inputs.customer_name.collected": "first_name",
    "inputs.customer_name.fallback": "there",
    "inputs.company.from": "fixed",
    "inputs.company.fixed": "Northgate Clinic",
    "inputs.appointment_date.from": "ask",
    "inputs.appointment_date.description": "the day and time agreed",
    "inputs.appointment_date.example": "Tue, Dec 1",
    "inputs.appointment_date.format": "datetime",
}
BINDINGS = {
    "customer_name": {"from": "collected", "name": "first_name", "fallback": "there"},
    "company": {"from": "fixed", "value": "Northgate Clinic"},
    "appointment_date": {
        "from": "ask",
        "description": "the day and time agreed",
        "example": "Tue, Dec 1",
        "format": "datetime",
    },
}

EUROS = {
    "inputs__company__pre_call": "rent",
    "inputs__company__format": "money",
    "inputs__company__currency": "euro",
}


@pytest.fixture
def agent(workspace: Workspace) -> Agent:
    return an_agent(workspace)


def tab(agent: Agent, query: str = "") -> str:
    return f"/w/{agent.workspace_id}/agents/{agent.pk}/actions{query}"


def added(client: Client, agent: Agent, message: str = MESSAGE) -> Attachment:
    """An action that the agent got by the button, nothing mapped yet."""
    elsewhere = an_agent(agent.workspace, "Elsewhere")
    action = an_action(elsewhere, message=message).action
    client.post(f"/w/{agent.workspace_id}/agents/{agent.pk}/attach", {"action": str(action.pk)})
    return Attachment.objects.get(agent=agent)


def save(client: Client, attachment: Attachment, **typed: Any) -> Any:
    """Posts the form as it stands on the page, with `typed` (`__` for a dot) in place of what is there."""
    fields = {"mode": "live", **MAPPED, **{name.replace("__", "."): value for name, value in typed.items()}}
    return client.post(
        f"/w/{attachment.workspace_id}/agents/{attachment.agent_id}/attachments/{attachment.pk}",
        {"seen": attachment.updated_at.isoformat(), **fields},
    )


def shown(client: Client, agent: Agent, query: str = "") -> str:
    answer = client.get(tab(agent, query))
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_adds_an_action_that_is_off_and_says_what_it_lacks(browser_client: Client, agent: Agent) -> None:
    attachment = added(browser_client, agent)
    assert (attachment.mode, attachment.inputs) == ("off", {})
    page = shown(browser_client, agent)
    assert "3 inputs to map" in page
    assert "Say where company comes from, then this can be switched on." in page
    assert re.search(r'value="when_mapped" checked', page)


def test_it_adds_what_has_no_inputs_as_live_and_says_so(browser_client: Client, agent: Agent) -> None:
    assert added(browser_client, agent, "Thanks for calling!").mode == "live"
    assert "It is live: texts go out by themselves" in shown(browser_client, agent)


def test_it_offers_only_what_is_not_attached(browser_client: Client, agent: Agent) -> None:
    an_action(agent, "Here already")
    an_action(an_agent(agent.workspace, "Elsewhere"), "Payment link")
    menu = shown(browser_client, agent).split("menu-list end", 1)[1].split("</form>")[0]
    assert "Payment link" in menu
    assert "After scheduling an appointment" in menu
    assert "Here already" not in menu


def test_it_leads_to_the_attachment_that_is_there_already(browser_client: Client, agent: Agent) -> None:
    there = an_action(agent)
    answer = browser_client.post(
        f"/w/{agent.workspace_id}/agents/{agent.pk}/attach", {"action": str(there.action_id)}
    )
    assert answer["Location"] == tab(agent, f"?open={there.pk}")
    assert Attachment.objects.count() == 1


def test_it_goes_live_once_all_is_mapped(browser_client: Client, agent: Agent) -> None:
    attachment = added(browser_client, agent)
    save(browser_client, attachment, mode="when_mapped")
    attachment.refresh_from_db()
    assert (attachment.mode, attachment.inputs) == ("live", BINDINGS)
    assert "It is live" in shown(browser_client, agent)


def test_it_saves_a_part_and_stays_off(browser_client: Client, agent: Agent) -> None:
    attachment = added(browser_client, agent)
    save(browser_client, attachment, mode="when_mapped", inputs__company__from="")
    attachment.refresh_from_db()
    assert (attachment.mode, list(attachment.inputs)) == ("off", ["customer_name", "appointment_date"])
    assert "It is off: say where &lt;company&gt; comes from" in shown(browser_client, agent)


@pytest.mark.parametrize("mode", ["live", "approve", "shadow"])
def test_it_refuses_to_switch_on_what_is_not_mapped(browser_client: Client, agent: Agent, mode: str) -> None:
    attachment = added(browser_client, agent)
    answer = save(browser_client, attachment, mode=mode, inputs__company__from="")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="inputs.company.from-error"' in page
    assert 'value="there"' in page
    attachment.refresh_from_db()
    assert (attachment.mode, attachment.inputs) == ("off", {})


@pytest.mark.parametrize(
    ("kind", "typed", "binding"),
    [
        ("extracted", {"extracted": "plan.name"}, {"from": "extracted", "name": "plan.name"}),
        ("pre_call", {"pre_call": "customer"}, {"from": "pre_call", "name": "customer"}),
        ("system", {"system": "direction"}, {"from": "system", "name": "direction"}),
        (
            "action_result",
            {"tool": "create_booking", "result": "ref", "allow_digits": "1", "allow_long": "1"},
            {"from": "action_result", "action": "create_booking", "name": "ref", "allow": ["digits", "long"]},
        ),
        (
            "collected",
            {"collected": "rent", "format": "money", "currency": "eur"},
            {"from": "collected", "name": "rent", "format": "money", "currency": "EUR"},
        ),
    ],
)  # fmt: skip
def test_it_binds_by_every_kind(
    browser_client: Client, agent: Agent, kind: str, typed: dict[str, str], binding: dict[str, Any]
) -> None:
    attachment = an_action(agent)
    told = {f"inputs__company__{part}": value for part, value in {"from": kind, **typed}.items()}
    assert save(browser_client, attachment, **told).status_code == 302
    attachment.refresh_from_db()
    assert attachment.inputs["company"] == binding


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"inputs__company__fixed": ""}, "inputs.company.fixed"),
        ({"inputs__customer_name__collected": ""}, "inputs.customer_name.collected"),
        ({"inputs__customer_name__collected": "a..b"}, "inputs.customer_name.collected"),
        ({"inputs__customer_name__from": "action_result"}, "inputs.customer_name.tool"),
        ({"inputs__customer_name__from": "system"}, "inputs.customer_name.system"),
        ({"inputs__appointment_date__description": "x"}, "inputs.appointment_date.description"),
        ({"inputs__company__from": "pre_call", **EUROS}, "inputs.company.currency"),
        ({"inputs__customer_name__fallback": "None"}, "inputs.customer_name.fallback"),
        ({"recipient_override": "12"}, "recipient_override"),
        ({"only_if__1__from": "collected"}, "only_if.1.name"),
        ({"only_if__1__name": "ref"}, "only_if.1.from"),
        ({"only_if__0__from": "action_result", "only_if__0__name": "ref"}, "only_if.0.action"),
        ({"only_if__0__from": "collected", "only_if__0__name": "n", "only_if__0__is": "less"}, "only_if.0.value"),
    ],
)  # fmt: skip
def test_it_says_at_the_field_what_is_wrong(
    browser_client: Client, agent: Agent, typed: dict[str, str], field: str
) -> None:
    attachment = an_action(agent)
    answer = save(browser_client, attachment, **typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="{field}-error"' in page
    assert f'href="#{field}"' in page
    before = attachment.inputs
    attachment.refresh_from_db()
    assert attachment.inputs == before


def test_it_keeps_rules_and_a_number_stays_one(browser_client: Client, agent: Agent) -> None:
    rules = [
        {"from": "collected", "name": "party", "is": "greater", "value": 4},
        {"from": "action_result", "action": "create_booking", "name": "ref", "is": "present"},
    ]
    attachment = an_action(agent, only_if=rules)
    page = shown(browser_client, agent)
    assert "Only if: 2 rules" in page
    typed: dict[str, Any] = {
        f"only_if__{n}__{part}": str(rule[part])
        for n, rule in enumerate(rules)
        for part in rule  # type: ignore[literal-required]  # its own keys
    }
    typed |= {"only_if__2__from": "system", "only_if__2__name": "direction"}
    typed |= {"only_if__2__is": "equals", "only_if__2__value": "inbound"}
    assert save(browser_client, attachment, **typed).status_code == 302
    attachment.refresh_from_db()
    added_rule = {"from": "system", "name": "direction", "is": "equals", "value": "inbound"}
    assert attachment.only_if == [*rules, added_rule]


def test_it_stays_light_with_many_inputs_and_opens_each(browser_client: Client, agent: Agent) -> None:
    names = [f"input_{n}" for n in range(20)]
    held = dict.fromkeys(names, "a value of the call")
    a_call(agent, variables={"collected": held, "pre_call": held})
    inputs = {name: {"from": "collected", "name": name, "fallback": "there"} for name in names}
    attachment = an_action(agent, message=" ".join(f"<{name}>" for name in names), inputs=inputs)
    page = shown(browser_client, agent)
    assert weight(page) < 100_000
    assert 'id="inputs.input_15.from"' not in page
    typed = dict(re.findall(r'name="(inputs\.\w+\.(?!allow)\w+)" value="([^"]+)"', page))
    typed |= {f"inputs.{name}.from": "collected" for name in names[:4]}
    answer = save(browser_client, attachment, **typed, unfold="input_15", mode="approve")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'id="inputs.input_15.from"' in page
    assert re.search(r'value="approve" checked', page)
    save(browser_client, attachment, **typed | {"inputs.input_15.fallback": "you"})
    attachment.refresh_from_db()
    assert attachment.inputs == {**inputs, "input_15": {**inputs["input_15"], "fallback": "you"}}


def test_it_throws_nothing_away_that_is_half_said(browser_client: Client, agent: Agent) -> None:
    attachment = an_action(agent)
    answer = save(browser_client, attachment, only_if__0__value="inbound")
    assert 'id="only_if.0.from-error"' in answer.content.decode()
    unbound = {"mode": "off", "inputs__customer_name__from": ""}
    answer = save(browser_client, attachment, **unbound, inputs__customer_name__fallback="friend")
    assert "or empty what stands in for it" in answer.content.decode()
    assert save(browser_client, attachment, **unbound, inputs__customer_name__fallback="there").status_code == 302
    attachment.refresh_from_db()
    assert "customer_name" not in attachment.inputs


def test_it_takes_rules_away(browser_client: Client, agent: Agent) -> None:
    attachment = an_action(agent, only_if=[{"from": "collected", "name": "party", "is": "present"}])
    save(browser_client, attachment, only_if__0__from="", only_if__0__name="", only_if__0__is="present")
    attachment.refresh_from_db()
    assert attachment.only_if == []


def test_it_saves_whom_it_texts_and_what_doubt_does(browser_client: Client, agent: Agent) -> None:
    attachment = an_action(agent)
    save(browser_client, attachment, on_unclear="skip", recipient_override="+1 415 555 0180", mode="approve")
    attachment.refresh_from_db()
    assert (attachment.on_unclear, attachment.recipient_override, attachment.mode) == (
        "skip",
        "+14155550180",
        "approve",
    )
    assert "Callers get none of these texts" in shown(browser_client, agent)


def test_it_overwrites_nobody_unseen(browser_client: Client, agent: Agent) -> None:
    attachment = an_action(agent)
    read = Attachment.objects.get()
    save(browser_client, attachment, inputs__company__fixed="Northgate, as the other wrote it")
    answer = save(browser_client, read, inputs__company__fixed="Northgate, as I wrote it")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "saved this meanwhile" in page
    assert "as the other wrote it" in page
    assert "as I wrote it" in page
    attachment.refresh_from_db()
    assert attachment.inputs["company"]["value"] == "Northgate, as the other wrote it"
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen
    save(browser_client, read, seen=seen[1], inputs__company__fixed="Northgate, as I wrote it")
    attachment.refresh_from_db()
    assert attachment.inputs["company"]["value"] == "Northgate, as I wrote it"


def test_it_keeps_what_was_typed_though_it_was_detached(browser_client: Client, agent: Agent) -> None:
    attachment = an_action(agent)
    browser_client.post(f"/w/{agent.workspace_id}/agents/{agent.pk}/attachments/{attachment.pk}/detach")
    answer = save(browser_client, attachment, inputs__company__fixed="Northgate, as I wrote it")
    assert answer.status_code == 422
    assert "detached this action meanwhile" in answer.content.decode()
    assert "as I wrote it" in answer.content.decode()
    attachment.refresh_from_db()
    assert attachment.deleted_at is not None


def test_it_detaches(browser_client: Client, agent: Agent) -> None:
    attachment = an_action(agent)
    browser_client.post(f"/w/{agent.workspace_id}/agents/{agent.pk}/attachments/{attachment.pk}/detach")
    assert "Nothing follows its calls" in shown(browser_client, agent)


def test_it_offers_what_recent_calls_held(browser_client: Client, agent: Agent) -> None:
    for name in ("Inés", "Tom", "Maya"):
        a_call(agent, variables={"collected": {"first_name": name, "password": "hunter2-and-more"}})
    attachment = an_action(agent)
    page = shown(browser_client, agent)
    assert "In 3 of the last 3 calls: Maya, Tom, Inés" in page
    assert "hunter2" not in page
    Attachment.objects.filter(pk=attachment.pk).update(mode="off", inputs={})
    assert 'data-offer="collected"' in shown(browser_client, agent)


RULE = {"from": "action_result", "action": "create_booking", "name": "reference", "is": "present"}


def test_it_offers_rules_and_adds_one_without_script(browser_client: Client, agent: Agent) -> None:
    attachment = added(browser_client, agent)
    for n in range(3):
        a_call(agent, variables={"action_results": {"create_booking": {"reference": "NC-4821"}} if n else {}})
    page = browser_client.get(tab(agent)).content.decode()
    assert "create_booking: reference has a value" in page
    assert "would have let 2 of the last 3 calls through" in page
    answer = save(browser_client, attachment, **{"add-rule": json.dumps(RULE), "inputs__company__fixed": "Mine"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'value="Mine"' in page
    assert 'name="only_if.0.name" value="reference"' in re.sub(r' id="[^"]*"', "", page)
    assert "would have let" not in page
    attachment.refresh_from_db()
    assert attachment.only_if == []


def test_it_adds_a_rule_below_those_that_are_typed(browser_client: Client, agent: Agent) -> None:
    attachment = added(browser_client, agent)
    typed = {"only_if__0__from": "collected", "only_if__0__name": "city", "only_if__0__is": "present"}
    page = save(browser_client, attachment, **typed, **{"add-rule": json.dumps(RULE)}).content.decode()
    assert 'name="only_if.0.name" value="city"' in re.sub(r' id="[^"]*"', "", page)
    assert 'name="only_if.1.name" value="reference"' in re.sub(r' id="[^"]*"', "", page)


@pytest.mark.parametrize("rule", ["x", "{}", '{"from":"ask","name":"x","is":"present"}', '{"from":"collected"}'])
def test_it_refuses_a_rule_that_is_none(browser_client: Client, agent: Agent, rule: str) -> None:
    answer = save(browser_client, added(browser_client, agent), **{"add-rule": rule})
    assert answer.status_code == 422
    assert "That rule cannot be read" in answer.content.decode()


def test_it_leads_to_every_call_where_rules_say_it_all(browser_client: Client, agent: Agent) -> None:
    attachment = an_action(agent)
    Attachment.objects.update(only_if=[RULE])
    page = browser_client.get(tab(agent, f"?open={attachment.pk}")).content.decode()
    link = f"/w/{agent.workspace_id}/actions/{attachment.action_id}?always=1"
    assert link in page
    assert 'name="always" checked' in browser_client.get(link).content.decode()


def test_it_counts_what_shadow_would_have_sent(browser_client: Client, agent: Agent) -> None:
    attachment = an_action(agent)
    a_skipped_follow_up(a_call(agent), attachment, reason="shadow", result="met")
    a_skipped_follow_up(a_call(agent), attachment)
    a_skipped_follow_up(a_call(agent), attachment, reason="attachment_off")
    assert "would have sent" not in browser_client.get(tab(agent)).content.decode()
    Attachment.objects.update(mode="shadow")
    page = browser_client.get(tab(agent)).content.decode()
    assert "would have sent <b>1</b> text after 2 calls" in page
    assert f"calls?agent={agent.pk}&amp;reason=shadow&amp;date=30d" in page
    log = browser_client.get(f"/w/{agent.workspace_id}/calls?agent={agent.pk}&reason=shadow&date=30d")
    assert log.content.decode().count("row-link") == 1
    of_action = browser_client.get(f"/w/{agent.workspace_id}/actions/{attachment.action_id}/agents")
    assert "would have sent 1 of 2 in 30 days" in of_action.content.decode()


def test_it_says_who_texts_come_from_or_why_none_can(client: Client) -> None:
    workspace = a_workspace(account=Account.Kind.OWN)
    client.force_login(a_member(workspace))
    own = an_agent(workspace, from_number="+14155550177")
    assert "+1 415 555 0177, this agent’s own sender" in shown(client, own)
    assert "+1 415 555 0100, the workspace’s sender" in shown(client, an_agent(workspace, "Garage"))
    a_pause(workspace, 20003)
    assert "Sending is paused" in shown(client, own).split("<main", 1)[1]
    bare = a_workspace("Copperkettle Garage", account=None)
    Membership.objects.create(workspace=bare, user=User.objects.get(), role=Membership.Role.OWNER)
    assert "no Twilio account yet" in shown(client, an_agent(bare)).split("<main", 1)[1]


def test_it_leads_to_trying_it_with_this_agent(browser_client: Client, agent: Agent) -> None:
    an_action(an_agent(agent.workspace, "Elsewhere"))
    attachment = an_action(agent)
    address = f"/w/{agent.workspace_id}/actions/{attachment.action_id}?agent={agent.pk}"
    assert f"{address}#try" in shown(browser_client, agent)
    assert f'<option value="{agent.pk}" selected>' in browser_client.get(address).content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scripted", [True, False])
def test_it_is_mapped_in_a_browser(
    signed_in: SignedIn, live_server: Any, workspace: Workspace, agent: Agent, scripted: bool
) -> None:
    a_call(agent)
    attachment = an_action(agent, "Booking confirmation", "Hi <first_name>!", mode="off", inputs={})
    page = signed_in(a_member(workspace), java_script_enabled=scripted).new_page()
    page.goto(tab(agent))
    if scripted:
        page.get_by_role("button", name="first_name").click()
        page.get_by_text("Only if").click()
        page.get_by_role("button", name="Add a rule").click()
        expect(page.locator(".hint", has_text="In the last call: Maya")).to_be_visible()
    else:
        page.get_by_label("Where first_name comes from").select_option("collected")
        page.get_by_label("Collected value for first_name").fill("first_name")
        page.get_by_text("Only if").click()
    page.get_by_label("Value", exact=True).first.select_option("collected")
    page.get_by_label("Name", exact=True).first.fill("last_name")
    expect(page.get_by_label("Compared with").first).to_be_hidden()
    page.get_by_role("radio", name="Approve").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("waits in Review")
    attachment.refresh_from_db()
    assert (attachment.mode, attachment.inputs["first_name"]["name"]) == ("approve", "first_name")
    assert attachment.only_if == [{"from": "collected", "name": "last_name", "is": "present"}]
