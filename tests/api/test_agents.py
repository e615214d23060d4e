"""/agents: how the operator and the platforms name a voice agent."""

from typing import Any

import pytest

from .conftest import Api

AGENT = {
    "name": "Front desk",
    "external_ids": [{"source": "vapi", "id": "asst-1"}, {"source": "retell", "id": "asst-1"}],
    "timezone": "America/New_York",
    "locale": "es-US",
    "business_name": "Northgate Clinic",
    "sender": {"from_number": "(415) 555-0100"},
}


def test_it_makes_an_agent(api: Api) -> None:
    made = api.made("/agents", AGENT | {"sender": {"from_number": "+1 415 555 0100"}})
    assert made["external_ids"] == AGENT["external_ids"]
    assert made["sender"]["from_number"] == "+14155550100"
    assert api.get(f"/agents/{made['id']}").json == made


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"locale": "xx-YY"}, "locale"),
        ({"locale": ""}, "locale"),
        ({"sender": {}}, "sender"),
        ({"sender": {"from_number": "+14155550100", "follow_agent_number": True}}, "sender"),
        ({"sender": {"from_number": "not a number at all"}}, "sender.from_number"),
        ({"sender": {"messaging_service_sid": "AC1"}}, "sender.messaging_service_sid"),
        ({"external_ids": [{"source": "vapy", "id": "x"}]}, "external_ids.0.source"),
        ({"external_ids": [{"source": "vapi", "id": ""}]}, "external_ids.0.id"),
        ({"external_ids": [{"source": "vapi", "id": "x"}] * 2}, "external_ids"),
        ({"time_zone": "UTC"}, "time_zone"),
    ],
)
def test_it_refuses_what_makes_no_agent(api: Api, changed: dict[str, Any], field: str) -> None:
    refused = api.post("/agents", AGENT | {"sender": None} | changed)
    assert (refused.status, refused.fields) == (422, [field])


@pytest.mark.parametrize(("given", "kept"), [("en_gb", "en-GB"), ("de-AT", "de-AT"), ("pt", "pt")])
def test_it_writes_a_locale_one_way(api: Api, given: str, kept: str) -> None:
    assert api.made("/agents", {"name": "A", "locale": given})["locale"] == kept


def test_it_refuses_an_id_that_another_agent_has_and_names_it(api: Api, agent: dict[str, Any]) -> None:
    refused = api.post("/agents", {"name": "Other", "external_ids": [{"source": "vapi", "id": "asst-1"}]})
    assert (refused.status, refused.fields) == (409, ["external_ids.0.id"])
    assert "Front desk" in refused.json["detail"]
    assert len(api.get("/agents").json["items"]) == 1


def test_it_lets_two_workspaces_use_the_same_id(api: Api, stranger: Api, agent: dict[str, Any]) -> None:
    stranger.made("/agents", {"name": "Other", "external_ids": [{"source": "vapi", "id": "asst-1"}]})


def test_it_changes_an_agent_with_its_ids(api: Api, agent: dict[str, Any]) -> None:
    body = {"name": "Desk", "external_ids": [{"source": "api", "id": "desk"}]}
    changed = api.put(f"/agents/{agent['id']}", body)
    assert (changed.json["name"], changed.json["external_ids"]) == ("Desk", body["external_ids"])
    api.made("/agents", {"name": "Other", "external_ids": agent["external_ids"]})


def test_it_frees_the_ids_of_a_deleted_agent_and_keeps_its_calls(api: Api, agent: dict[str, Any]) -> None:
    call = api.made("/calls", {"external_id": "c-1", "agent": agent["id"]})
    assert api.delete(f"/agents/{agent['id']}").status == 204
    assert api.get(f"/agents/{agent['id']}").status == 404
    assert api.get(f"/calls/{call['id']}").json["agent"]["name"] == "Front desk"
    api.made("/agents", {"name": "Other", "external_ids": agent["external_ids"]})
