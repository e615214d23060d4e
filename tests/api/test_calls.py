"""/calls: put in once, found again, assigned."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from postcall.calls.models import Call, RawPayload
from postcall.followups.models import FollowUp

from .conftest import BOUND, Api

CALL = {
    "external_id": "c-1",
    "agent": "asst-1",
    "direction": "inbound",
    "customer_number": "+14155550132",
    "transcript": [{"role": "agent", "text": "Hello"}, {"role": "customer", "text": "100%_sure, “Ann”", "at": 1.5}],
    "variables": {"collected": {"first_name": "Ann"}},
}


def test_it_takes_a_call_and_shows_it(api: Api, agent: Any) -> None:
    taken = api.post("/calls", CALL)
    assert (taken.status, taken.json["status"], taken.json["duplicate"]) == (202, "received", False)
    shown = api.get(f"/calls/{taken.json['id']}").json
    assert shown["agent"] == {"id": agent["id"], "name": "Front desk"}
    assert shown["source"] == {"id": None, "kind": "api", "name": None}
    assert [(turn["turn"], turn["text"]) for turn in shown["transcript"]] == [(1, "Hello"), (2, "100%_sure, “Ann”")]
    assert shown["variables"]["collected"] == {"first_name": "Ann"}
    assert shown["follow_ups"] == []


def test_it_keeps_the_bytes_that_came(api: Api) -> None:
    raw = b' {"external_id" : "c-9"}\n'
    assert api.call("POST", "/calls", raw=raw).status == 202
    assert bytes(RawPayload.objects.get().body) == raw


def test_it_takes_the_same_call_once(api: Api, agent: Any) -> None:
    first = api.post("/calls", CALL)
    again = api.post("/calls", CALL)
    assert (again.status, again.json["id"], again.json["duplicate"]) == (200, first.json["id"], True)
    assert Call.objects.count() == 1


def test_it_takes_few_statements_a_call(api: Api, agent: Any, django_assert_max_num_queries: Any) -> None:
    api.get("/calls")  # notes the use of the key
    with django_assert_max_num_queries(9):
        api.post("/calls", CALL)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"external_id": ""}, "external_id"),
        ({"external_id": 7}, "external_id"),
        ({"external_id": "x" * 256}, "external_id"),
        ({"agent": ["asst-1"]}, "agent"),
        ({"direction": "sideways"}, "direction"),
        ({"started_at": "yesterday"}, "started_at"),
        ({"started_at": "2026-03-04T10:00:00"}, "started_at"),
        ({"connected": "perhaps"}, "connected"),
        ({"transcript": "hello"}, "transcript"),
        ({"transcript": [{"role": "agent"}]}, "transcript.0.text"),
        ({"transcript": [{"role": "me", "text": "x"}]}, "transcript.0.role"),
        ({"transcript": [{"role": "agent", "text": "x", "at": -1}]}, "transcript.0.at"),
        ({"transcript": [{"role": "agent", "text": "x", "mood": "good"}]}, "transcript.0.mood"),
        ({"transcript": [{"role": "agent", "text": "x"}] * 5_001}, "transcript"),
        ({"variables": {"collected": []}}, "variables.collected"),
        ({"variables": {"guessed": {}}}, "variables.guessed"),
        ({"customer_nubmer": "+14155550132"}, "customer_nubmer"),
    ],
)
def test_it_names_what_is_wrong_with_a_call(api: Api, changed: dict[str, Any], field: str) -> None:
    refused = api.post("/calls", CALL | changed)
    assert (refused.status, refused.fields) == (422, [field])
    assert Call.objects.count() == 0


def test_it_takes_a_transcript_of_three_thousand_turns_and_an_empty_one(api: Api) -> None:
    turns = [{"role": "customer", "text": f"turn {n}"} for n in range(3_000)]
    long = api.post("/calls", CALL | {"transcript": turns})
    assert len(api.get(f"/calls/{long.json['id']}").json["transcript"]) == 3_000
    assert api.post("/calls", {"external_id": "c-2", "transcript": []}).status == 202


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("+1 (415) 555-0132", "+14155550132"),
        ("415.555.0132", "+14155550132"),
        ("0014155550132", "+14155550132"),
        ("tel:+14155550132", "+14155550132"),
        ("sip:+14155550132@example.com", "+14155550132"),
        ("14155550132", "+14155550132"),
        ("anonymous", None),
        ("", None),
        ("+", None),
        ("１２３", None),
        ("+1415555013212345678", None),
        ("' OR 1=1", None),
    ],
)
def test_it_reads_a_number_in_any_spelling(api: Api, agent: Any, written: str, kept: str | None) -> None:
    taken = api.post("/calls", CALL | {"customer_number": written})
    assert taken.status == 202
    shown = api.get(f"/calls/{taken.json['id']}").json
    assert (shown["customer_number"], shown["customer_number_raw"]) == (kept, written or None)


def test_it_stores_what_postgresql_cannot_hold_as_replacement_characters(api: Api) -> None:
    raw = b'{"external_id":"c\\u0000","transcript":[{"role":"customer","text":"a\\u0000b\\ud800c"}],'
    raw += b'"variables":{"collected":{"k\\u0000":["\\udfff"]}}}'
    taken = api.call("POST", "/calls", raw=raw)
    assert taken.status == 202
    shown = api.get(f"/calls/{taken.json['id']}").json
    assert (shown["external_id"], shown["transcript"][0]["text"]) == ("c�", "a�b�c")
    assert shown["variables"]["collected"] == {"k�": ["�"]}


@pytest.mark.parametrize("text", ["مرحبا\u202e abc", "👩‍👩‍👧‍👦🏳️‍🌈", "ﷺ" * 100, "a\u0301"])
def test_it_keeps_any_script(api: Api, text: str) -> None:
    taken = api.post("/calls", {"external_id": text, "transcript": [{"role": "customer", "text": text}]})
    shown = api.get(f"/calls/{taken.json['id']}").json
    assert (shown["external_id"], shown["transcript"][0]["text"]) == (text, text)


def test_it_keeps_a_call_of_an_unknown_agent_until_it_is_assigned(api: Api, agent: Any) -> None:
    taken = api.post("/calls", CALL | {"agent": "asst-2"})
    assert taken.json["status"] == "unassigned"
    path = f"/calls/{taken.json['id']}/assign"
    assert api.post(path, {"agent_id": agent["id"]}).json["status"] == "received"
    assert api.post(path, {"agent_id": agent["id"]}).status == 409


def test_it_assigns_for_the_log_only_when_asked(api: Api, agent: Any) -> None:
    taken = api.post("/calls", CALL | {"agent": None})
    body = {"agent_id": agent["id"], "follow_up": False}
    assert api.post(f"/calls/{taken.json['id']}/assign", body).json["status"] == "done"


def test_it_assigns_no_agent_of_another_workspace(api: Api, stranger: Api) -> None:
    theirs = stranger.made("/agents", {"name": "Theirs"})
    taken = api.post("/calls", CALL)
    refused = api.post(f"/calls/{taken.json['id']}/assign", {"agent_id": theirs["id"]})
    assert (refused.status, refused.fields) == (422, ["agent_id"])


def test_it_says_that_nothing_was_left_to_judge(api: Api, agent: Any) -> None:
    taken = api.post("/calls", CALL)
    refused = api.post(f"/calls/{taken.json['id']}/rejudge")
    assert (refused.status, refused.json["code"]) == (409, "in_progress")


def test_it_shows_what_the_platform_made_of_the_call_beside_what_it_said(api: Api, agent: Any) -> None:
    told = {
        "ending": "customer_hung_up",
        "redacted": ["variables"],
        "hints": {"summary": "Booked."},
        "transcript": [{"role": "tool", "text": "booked", "tool": "create_booking"}],
    }
    taken = api.post("/calls", CALL | told)
    shown = api.get(f"/calls/{taken.json['id']}").json
    assert (shown["ending"], shown["redacted"]) == (told["ending"], told["redacted"])
    assert shown["hints"] == told["hints"]
    assert shown["transcript"][0]["tool"] == "create_booking"
    (item,) = api.get("/calls").json["items"]
    assert (item["ending"], "hints" in item) == (told["ending"], False)


def test_it_reads_a_call_again(api: Api, agent: Any) -> None:
    taken = api.post("/calls", CALL)
    path = f"/calls/{taken.json['id']}/replay"
    nothing = api.post(path)
    assert (nothing.status, nothing.json["changed"], nothing.json["looked_at_again"]) == (200, [], False)
    Call.objects.update(transcript=[], ending="busy")
    again = api.post(path)
    assert (again.status, again.json["changed"]) == (202, ["ending", "transcript"])
    assert again.json["transcript"] == api.get(f"/calls/{taken.json['id']}").json["transcript"]


def test_it_says_why_a_call_cannot_be_read_again(api: Api, reader: Api, agent: Any) -> None:
    taken = api.post("/calls", CALL)
    path = f"/calls/{taken.json['id']}/replay"
    Call.objects.update(forgotten_at=timezone.now())
    refused = api.post(path)
    assert (refused.status, refused.json["code"]) == (409, "forgotten")
    assert reader.post(path).status == 403


@pytest.fixture
def three(api: Api, agent: Any, action: Any) -> list[str]:
    """Three calls; the second has a follow-up that is held."""
    attachment = api.made(f"/agents/{agent['id']}/attachments", {"action_id": action["id"], "inputs": BOUND})
    ids = []
    for number in range(3):
        body = CALL | {"external_id": f"c-{number}", "customer_number": f"+1415555013{number}"}
        ids.append(api.made("/calls", body | ({"agent": None} if number == 2 else {}))["id"])
    call = Call.objects.get(pk=ids[1])
    call.transcript[0]["text"] = "Do you take “Visa”?"
    call.save()
    FollowUp.objects.create(
        workspace=api.workspace, call=call, action_id=action["id"], attachment_id=attachment["id"],
        revision=call.agent.attachments.get().action.revision,  # type: ignore[union-attr]  # it has an agent
        outcome="held", reason="condition_unclear", result="unclear", confidence=0.4, body="Hi Ann",
        verdict={"reason": "It is not said.", "evidence": [{"turn": 1, "quote": "Visa"}]},
        judge="offline-1", judge_cost_usd=0,
        inputs={"customer_name": {"value": "Ann", "from": "collected", "turn": None}}, created_at=timezone.now(),
    )  # fmt: skip
    return ids


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {0, 1, 2}),
        ("agent=asst-1", {0, 1}),
        ("agent=nobody", set()),
        ("source=api", {0, 1, 2}),
        ("source=vapi", set()),
        ("status=unassigned", {2}),
        ("outcome=held", {1}),
        ("outcome=held&reason=condition_unclear", {1}),
        ("outcome=held&reason=expired", set()),
        ("message_status=sent", set()),
        ("number=5550131", {1}),
        ("number=555-01", {0, 1, 2}),
        ("q=%E2%80%9Cvisa%E2%80%9D", {1}),
        ("q=hi+ann", {1}),
        ("q=100%25_sure", {0, 1, 2}),
        ("q=10%25sure", set()),
        ("q=c-2", {2}),
        ("q=%00", set()),
        ("from=2020-01-01", {0, 1, 2}),
        ("to=2020-01-01T00:00:00Z", set()),
        ("from=2020-01-01T00:00:00+02:00", {0, 1, 2}),
    ],
)
def test_it_finds_calls(api: Api, three: list[str], query: str, found: set[int]) -> None:
    listed = api.get(f"/calls?{query}")
    assert {three.index(item["id"]) for item in listed.json["items"]} == found


def test_it_finds_calls_by_our_own_id_of_the_agent(api: Api, three: list[str], agent: Any) -> None:
    assert len(api.get(f"/calls?agent={agent['id']}").json["items"]) == 2


@pytest.mark.parametrize(
    "query",
    ["agnet=x", "status=odd", "number=abc", "from=never", "limit=0", "limit=201", "limit=x", "cursor=1", "q="],
)
def test_it_refuses_a_filter_that_it_does_not_know(api: Api, query: str) -> None:
    refused = api.get(f"/calls?{query}")
    assert (refused.status, refused.fields) == (422, [query.partition("=")[0]])


def test_it_pages_without_losing_or_repeating(api: Api, three: list[str]) -> None:
    seen, path = [], "/calls?limit=2"
    while True:
        page = api.get(path).json
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        path = f"/calls?limit=2&cursor={page['next']}"
    assert seen == sorted(three, reverse=True)


def test_it_lists_calls_in_a_fixed_number_of_queries(
    api: Api, three: list[str], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(4):  # the key, the calls, their follow-ups
        api.get("/calls")


def test_it_shows_a_call_with_its_verdict(api: Api, three: list[str]) -> None:
    (follow_up,) = api.get(f"/calls/{three[1]}").json["follow_ups"]
    assert follow_up["verdict"] == {
        "result": "unclear",
        "confidence": 0.4,
        "reason": "It is not said.",
        "evidence": [{"turn": 1, "quote": "Visa"}],
        "judge": "offline-1",
        "prompt": None,
        "usage": {"requests": 0, "input_tokens": 0, "output_tokens": 0},
        "cost": {"amount": "0", "currency": "USD"},
    }
    assert follow_up["inputs"] == {"customer_name": {"value": "Ann", "from": "collected", "turn": None}}
    assert (follow_up["outcome"], follow_up["reason"], follow_up["message"]) == ("held", "condition_unclear", None)
    assert follow_up["explanation"]


def test_it_waits_for_the_richer_report_of_a_call(api: Api, agent: Any) -> None:
    later = (timezone.now() + timedelta(minutes=5)).isoformat()
    thin = api.post("/calls", {"external_id": "c-1", "agent": "asst-1", "final": False, "judge_after": later})
    rich = api.post("/calls", CALL)
    assert (rich.status, rich.json["id"], rich.json["duplicate"]) == (202, thin.json["id"], False)
    assert len(api.get(f"/calls/{rich.json['id']}").json["transcript"]) == 2
