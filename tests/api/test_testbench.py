"""/backtests and the cases of an action: nothing is sent, and everything that was found can be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from followups.clinic import KnowingJudge

from postcall.followups.models import FollowUp
from postcall.testbench import working
from postcall.testbench.models import ActionCase, BenchRun
from postcall.work.leases import take

from .conftest import Api, Followed

ASKED = "After a booking"


@pytest.fixture
def done(follow: Callable[..., Followed]) -> Followed:
    """One call, of an agent that uses an `always` action."""
    return follow()


@pytest.fixture
def action_id(api: Api, done: Followed) -> str:
    return str(api.get(f"/follow-ups/{done.follow_up}").json["action"]["id"])


@pytest.fixture
def judged(api: Api, done: Followed) -> Followed:
    """The same, as if a condition had been met."""
    said = {"reason": "So it was.", "evidence": [], "judge": "knowing-1"}
    FollowUp.objects.filter(pk=done.follow_up).update(result="met", verdict=said)
    return done


def work(judge: KnowingJudge | None = None) -> None:
    for run in take(BenchRun, 5, timedelta(seconds=60)):
        working.work(run, judge or KnowingJudge())


def test_it_tells_what_the_words_would_have_come_to(api: Api, action_id: str, done: Followed) -> None:
    begun = api.post("/backtests", {"action_id": action_id, "condition": ASKED, "message": "See you soon."})
    assert (begun.status, begun.json["state"], begun.json["total"], begun.json["done"]) == (202, "queued", 1, 0)
    work()
    run = api.get(f"/backtests/{begun.json['id']}").json
    assert (run["state"], run["judge"], run["condition"], run["always"]) == ("done", "knowing-1", ASKED, False)
    summary = run["summary"]
    assert (summary["would_send"], summary["changed"], summary["segments"]) == (1, 0, 1)
    assert summary["prices"] == [{"amount": "0.0083", "currency": "USD"}]
    assert (summary["judging"]["requests"], summary["judging"]["input_tokens"]) == (1, 900)
    (item,) = api.get(f"/backtests/{run['id']}/results").json["items"]
    assert (item["call"]["id"], item["outcome"], item["text"]) == (done.call, "would_send", "See you soon.")
    assert item["verdict"]["evidence"] == [{"turn": 1, "quote": "Hello"}]
    assert (item["before"]["outcome"], item["before"]["text"]) == ("would_send", "Thank you, Ann!")


def test_it_narrows_the_results_down_and_pages_them(
    api: Api, action_id: str, follow: Callable[..., Followed]
) -> None:
    follow()
    begun = api.made("/backtests", {"action_id": action_id, "condition": ASKED})
    work(KnowingJudge(results={ASKED: "not_met"}))
    results = f"/backtests/{begun['id']}/results"
    first = api.get(f"{results}?changed=true&change=no_longer&outcome=would_not&limit=1").json
    second = api.get(f"{results}?limit=1&cursor={first['next']}").json
    assert (len(first["items"]), len(second["items"]), second["next"]) == (1, 1, None)
    assert first["items"][0]["call"]["id"] > second["items"][0]["call"]["id"]
    assert (
        api.get(f"{results}?changed=false").json["items"] == api.get(f"{results}?change=newly").json["items"] == []
    )
    refused = api.get(f"{results}?changed=false&change=any")
    assert (refused.status, refused.fields) == (422, ["change"])


def test_it_writes_the_results_as_a_table(api: Api, action_id: str) -> None:
    begun = api.made("/backtests", {"action_id": action_id, "message": "=1+1"})
    work()
    told = api.client.get(
        f"/api/v1/backtests/{begun['id']}/results",
        headers={"Authorization": f"Bearer {api.key}", "Accept": "text/csv"},
    )
    head, row = b"".join(told).decode().splitlines()
    assert head.startswith("call_id,external_id,")
    assert ",'=1+1," in row


def test_it_lists_runs_in_a_fixed_number_of_queries(
    api: Api, action_id: str, django_assert_num_queries: Callable[[int], Any]
) -> None:
    for _ in range(3):
        api.made("/backtests", {"action_id": action_id})
    with django_assert_num_queries(3):  # the key, its workspace, and one for all the rest
        assert len(api.get(f"/backtests?action_id={action_id}&state=queued").json["items"]) == 3
    assert api.get("/backtests?state=done").json["items"] == []
    assert api.get("/backtests?kind=cases").json["items"] == []


def test_it_estimates_and_begins_nothing(api: Api, action_id: str) -> None:
    takes = api.post("/backtests/estimate", {"action_id": action_id}).json
    assert takes == {"calls": 1, "judge": "offline", "tokens": None, "cost": None}
    assert not BenchRun.objects.exists()


def test_it_stops_goes_on_and_is_deleted(api: Api, action_id: str) -> None:
    path = f"/backtests/{api.made('/backtests', {'action_id': action_id})['id']}"
    refused = api.delete(path)
    assert (refused.status, refused.json["code"]) == (409, "running")
    assert api.post(f"{path}/cancel").json["state"] == "canceled"
    assert api.post(f"{path}/cancel").json["code"] == "not_running"
    assert api.post(f"{path}/resume").status == 202
    work()
    assert api.post(f"{path}/resume").json["code"] == "not_stopped"
    assert api.delete(path, If_Match='"other"').status == 412
    assert api.delete(path, If_Match=api.get(path).headers["ETag"]).status == 204
    assert api.get(path).status == 404


def test_it_begins_once(api: Api, action_id: str) -> None:
    for _ in range(2):
        assert api.post("/backtests", {"action_id": action_id}, Idempotency_Key="b-1").status == 202
    assert BenchRun.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"condition": " "}, "condition"),
        ({"condition": "x", "always": True}, ""),
        ({"always": False}, "condition"),
        ({"message": ""}, "message"),
        ({"latest": 0}, "latest"),
        ({"latest": 2_001}, "latest"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"all_agents": True, "agent_id": "00000000-0000-7000-8000-000000000000"}, ""),
        ({"agent_id": "00000000-0000-7000-8000-000000000000"}, "agent_id"),
        ({"days": 7}, "days"),
    ],
)
def test_it_refuses_what_cannot_be_tried(api: Api, action_id: str, content: dict[str, Any], field: str) -> None:
    refused = api.post("/backtests", {"action_id": action_id} | content)
    assert (refused.status, {each.split(".")[0] for each in refused.fields}) == (422, {field})
    assert not BenchRun.objects.exists()


def test_it_says_that_no_call_is_there(api: Api, action_id: str) -> None:
    refused = api.post("/backtests", {"action_id": action_id, "since": "2031-01-01T00:00:00Z"})
    assert (refused.status, refused.json["code"]) == (409, "no_calls")


# Cases.


def test_it_makes_a_case_of_a_verdict_that_was_wrong(api: Api, judged: Followed, action_id: str) -> None:
    path = f"/follow-ups/{judged.follow_up}/feedback"
    said = api.post(path, {"right": False})
    case = ActionCase.objects.get()
    assert (said.status, said.json["feedback"], said.json["case_id"]) == (200, False, str(case.pk))
    assert (case.expected, case.result, case.judge) == ("not_met", "met", "knowing-1")
    assert said.headers["ETag"] == api.get(f"/follow-ups/{judged.follow_up}").headers["ETag"]
    assert api.post(path, {"expected": "met"}).json["feedback"] is True
    assert ActionCase.objects.get().expected == "met"


def test_it_refuses_feedback_that_says_two_things(api: Api, judged: Followed) -> None:
    path = f"/follow-ups/{judged.follow_up}/feedback"
    for body, field in (({"right": True, "expected": "not_met"}, "expected"), ({}, ""), ({"right": None}, "")):
        refused = api.post(path, body)
        assert (refused.status, refused.fields) == (422, [field])
    assert FollowUp.objects.get(pk=judged.follow_up).feedback_right is None
    assert not ActionCase.objects.exists()


def test_it_makes_no_case_of_an_unclear_verdict_alone(api: Api, judged: Followed) -> None:
    FollowUp.objects.filter(pk=judged.follow_up).update(result="unclear")
    path = f"/follow-ups/{judged.follow_up}/feedback"
    said = api.post(path, {"right": False})
    assert (said.json["feedback"], said.json["case_id"]) == (False, None)
    assert api.post(path, {"right": False, "expected": "met"}).json["case_id"] == str(ActionCase.objects.get().pk)


def test_it_keeps_cases_and_says_what_the_judge_makes_of_them(api: Api, action_id: str, done: Followed) -> None:
    cases = f"/actions/{action_id}/cases"
    said = [{"role": "customer", "text": "Book me in."}, {"role": "agent", "text": "You are booked."}]
    pasted = {"transcript": said, "expected": "not_met", "note": "A test"}
    assert api.post(cases, pasted).status == 201
    assert api.post(cases, {"call_id": done.call, "expected": "not_met"}).status == 201
    again = api.post(cases, {"call_id": done.call, "expected": "met"})
    assert (again.status, again.json["expected"]) == (200, "met")
    run = api.made(f"{cases}/run", {"condition": ASKED})
    assert (run["kind"], run["summary"], run["score"]["unknown"], run["message"]) == ("cases", None, 2, None)
    work()
    assert api.get(f"/backtests/{run['id']}").json["score"]["failed"] == 1
    marks = [each["mark"] for each in api.get(f"/backtests/{run['id']}/results").json["items"]]
    shown = api.get(f"{cases}?condition={ASKED}&limit=1").json
    assert (marks, shown["condition"], shown["items"][0]["mark"]) == (["pass", "fail"], ASKED, "pass")
    assert (shown["score"]["precision"], shown["score"]["recall"]) == (0.5, 1.0)
    (left,) = api.get(f"{cases}?condition={ASKED}&cursor={shown['next']}").json["items"]
    assert (left["mark"], left["call"], left["note"]) == ("fail", None, "A test")
    assert left["verdict"]["reason"] == "It was said."
    assert api.get(cases).json["score"]["unknown"] == 2  # its own words are others


def test_it_changes_a_case_and_takes_it_away(api: Api, action_id: str, done: Followed) -> None:
    made = api.made(f"/actions/{action_id}/cases", {"call_id": done.call, "expected": "met", "note": "Ours"})
    path = f"/actions/{action_id}/cases/{made['id']}"
    assert [turn["text"] for turn in api.get(path).json["transcript"]] == ["Hello", "Yes, please."]
    changed = api.put(path, {"expected": "not_met"}).json
    assert (changed["expected"], changed["note"]) == ("not_met", "Ours")
    assert api.delete(path, If_Match='"old"').status == 412
    assert api.delete(path).status == 204
    assert api.get(path).status == 404


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"expected": "met"}, ""),
        ({"expected": "met", "transcript": [{"role": "agent", "text": " "}]}, ""),
        ({"expected": "unclear", "transcript": [{"role": "agent", "text": "Hi"}]}, "expected"),
        ({"expected": "met", "transcript": []}, "transcript"),
        ({"expected": "met", "call_id": "00000000-0000-7000-8000-000000000000"}, "call_id"),
    ],
)
def test_it_refuses_what_is_no_case(api: Api, action_id: str, content: dict[str, Any], field: str) -> None:
    refused = api.post(f"/actions/{action_id}/cases", content)
    assert (refused.status, refused.fields) == (422, [field])


def test_it_runs_no_cases_where_there_is_nothing_to_run(api: Api, action_id: str) -> None:
    assert api.post(f"/actions/{action_id}/cases/run", {"condition": ASKED}).json["code"] == "no_cases"
    refused = api.post(f"/actions/{action_id}/cases/run")
    assert (refused.status, refused.fields) == (422, ["condition"])
