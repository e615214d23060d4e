"""The words of a call as the messages of a chat model, by the API."""

from __future__ import annotations

from .conftest import Api

MESSAGES = [
    {"role": "system", "content": "You are the front desk."},
    {"role": "assistant", "content": "Northgate Clinic, good morning."},
    {"role": "user", "content": "Tuesday, please."},
    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "book", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": '{"reference": "X1"}'},
]


def test_it_takes_messages_in_place_of_a_transcript(api: Api) -> None:
    made = api.made("/calls", {"external_id": "c-1", "messages": MESSAGES})
    call = api.get(f"/calls/{made['id']}").json
    assert [turn["role"] for turn in call["transcript"]] == ["agent", "customer", "tool", "tool"]
    assert call["variables"]["action_results"] == {"book": {"reference": "X1"}}


def test_it_refuses_both(api: Api) -> None:
    both = {"external_id": "c-1", "messages": MESSAGES, "transcript": [{"role": "agent", "text": "Hello"}]}
    refused = api.post("/calls", both)
    assert (refused.status, refused.fields) == (422, ["messages"])


def test_it_fills_a_message_from_what_a_tool_of_theirs_answered(api: Api) -> None:
    tried = api.post(
        "/test",
        {
            "call": {"messages": MESSAGES},
            "message": "Your reference is <code>.",
            "inputs": {"code": {"from": "action_result", "action": "book", "name": "reference"}},
        },
    )
    assert tried.json["message"]["body"] == "Your reference is X1."


def test_it_says_so_in_the_openapi_document(api: Api) -> None:
    document = api.get("/openapi.json").json
    shape = document["paths"]["/api/v1/calls"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    fields = document["components"]["schemas"][shape["$ref"].rpartition("/")[2]]["properties"]
    assert "OpenAI" in fields["messages"]["description"]
    assert fields["messages"]["type"] == "array"
