"""A webhook that comes twice, at the same instant or an hour later, is one call and texts once."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from django.db import connections
from django.test import Client
from standardwebhooks import Webhook

from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent
from postcall.calls.models import Call, RawPayload
from postcall.followups.models import FollowUp
from postcall.followups.process import process
from postcall.judge.verdicts import Case, Judgement
from postcall.messages import twilio_client
from postcall.messages.accounts import use_sandbox
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Message
from postcall.messages.send import send
from postcall.sandbox.running import Sandbox
from postcall.sources.models import Source
from postcall.sources.platforms.generic import Generic
from postcall.work import clock
from postcall.work.leases import take
from postcall.workspaces.models import ApiKey, Workspace

pytestmark = pytest.mark.django_db(transaction=True)

ANN: Final = "+15551230001"
BEN: Final = "+15551230002"
WORDS: Final = "Thank you for calling."
LEASE: Final = timedelta(seconds=30)
SEEDS: Final = (1, 2, 3)

Deliver = Callable[..., tuple[int, dict[str, Any]]]


class NoJudge:
    """For calls on which nothing needs one."""

    name = "none"
    listens = False

    def decide(self, case: Case) -> Judgement:
        raise AssertionError("nobody was to be asked")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(progress="manual").running() as running:
        monkeypatch.setenv("POSTCALL_SANDBOX_URL", running.url)
        yield running
        twilio_client.forget_clients()


@pytest.fixture
def workspace(transactional_db: None, sandbox: Sandbox) -> Workspace:
    workspace = Workspace.objects.create(name="Northgate Clinic", window_start=None, window_end=None)
    use_sandbox(workspace)
    action = Action.objects.create(workspace=workspace, name="Thanks")
    action.revision = Revision.objects.create(action=action, number=1, message=WORDS, always=True)
    action.save()
    agent = Agent.objects.create(workspace=workspace, name="Front desk")
    Attachment.objects.create(workspace=workspace, agent=agent, action=action, mode="live")
    return workspace


def report(workspace: Workspace, **fields: Any) -> dict[str, Any]:
    agent = str(workspace.agents.get().pk)
    given = {"external_id": "c-1", "agent": agent, "customer_number": ANN, "connected": True}
    return given | {"transcript": [{"role": "customer", "text": "Thanks"}]} | fields


@pytest.fixture(params=["POST /calls", "generic source"])
def deliver(request: pytest.FixtureRequest, workspace: Workspace) -> Deliver:
    """A sender's delivery of one ended call: the answer's status and JSON. Each has a connection of its own."""
    return by_api(workspace) if request.param == "POST /calls" else by_webhook(workspace)


def by_api(workspace: Workspace) -> Deliver:
    _, key = ApiKey.issue(workspace, "test", "ingest")

    def deliver(**fields: Any) -> tuple[int, dict[str, Any]]:
        return post("/api/v1/calls", report(workspace, **fields), {"Authorization": f"Bearer {key}"})

    return deliver


def by_webhook(workspace: Workspace) -> Deliver:
    auth = Generic().new_auth()
    source = Source.objects.create(workspace=workspace, kind="generic", name="Desk", auth=json.dumps(auth))

    def deliver(**fields: Any) -> tuple[int, dict[str, Any]]:
        body = {"type": "call.ended", "data": report(workspace, **fields)}
        at = datetime.now(UTC)
        signature = Webhook(auth["secret"]).sign("msg_1", at, json.dumps(body))
        signed = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp()))}
        return post(f"/in/generic/{source.token}", body, signed | {"webhook-signature": signature})

    return deliver


def post(path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    answer = Client().post(path, json.dumps(body), content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def was_duplicate(answer: tuple[int, dict[str, Any]]) -> bool:
    status, said = answer
    assert 200 <= status < 300, said
    return bool(said["duplicate"] if "duplicate" in said else said["status"] == "duplicate")


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """What the works return, begun together in threads with database connections of their own."""
    together, returned = threading.Barrier(len(works)), []

    def one(work: Callable[[], Any]) -> None:
        try:
            together.wait()
            returned.append(work())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(returned) == len(works)
    return returned


def work_off() -> None:
    for call in take(Call, 10, LEASE):
        process(call, NoJudge(), TwilioMessaging())
    for message in take(Message, 10, LEASE):
        send(message)


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (Call, RawPayload, FollowUp, Message)}


ONE_OF_EACH: Final = {"Call": 1, "RawPayload": 1, "FollowUp": 1, "Message": 1}


def test_a_call_that_comes_several_times_at_the_same_instant_texts_once(deliver: Deliver, sandbox: Sandbox) -> None:
    for seed in SEEDS:
        draw = random.Random(seed)

        def soon(call: str = f"c-{seed}", draw: random.Random = draw) -> Any:
            time.sleep(draw.uniform(0, 0.01))
            return deliver(external_id=call)

        answers = at_once([soon] * 4)
        assert sorted(was_duplicate(answer) for answer in answers) == [False, True, True, True]
        at_once([work_off, work_off])
        work_off()
        assert set(counts().values()) == {seed}
        assert sandbox.creates == {(ANN, WORDS): seed}


def test_a_call_that_comes_again_an_hour_later_texts_once(
    deliver: Deliver, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not was_duplicate(deliver())
    work_off()
    known = list(Call.objects.values()), list(FollowUp.objects.values()), list(Message.objects.values())
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=1))
    assert was_duplicate(deliver())
    at_once([work_off, deliver, work_off])
    work_off()
    assert counts() == ONE_OF_EACH
    assert (list(Call.objects.values()), list(FollowUp.objects.values()), list(Message.objects.values())) == known
    assert sandbox.creates == {(ANN, WORDS): 1}


def test_a_call_that_comes_while_it_is_worked_texts_once(deliver: Deliver, sandbox: Sandbox) -> None:
    deliver()
    answers = at_once([deliver, work_off, deliver, work_off])
    assert all(was_duplicate(answer) for answer in answers if answer)
    work_off()
    assert counts() == ONE_OF_EACH
    assert sandbox.creates == {(ANN, WORDS): 1}


def test_the_same_call_with_other_content_later_changes_nothing(deliver: Deliver, sandbox: Sandbox) -> None:
    deliver()
    known = list(Call.objects.values())
    assert was_duplicate(deliver(customer_number=BEN, transcript=[], connected=False))
    assert list(Call.objects.values()) == known
    work_off()
    assert was_duplicate(deliver(customer_number=BEN))
    work_off()
    assert sandbox.creates == {(ANN, WORDS): 1}


def test_of_two_contents_at_the_same_instant_one_is_taken_whole(deliver: Deliver, sandbox: Sandbox) -> None:
    for seed in SEEDS:
        draw = random.Random(seed)

        def saying(number: str, call: str = f"c-{seed}", draw: random.Random = draw) -> Callable[[], Any]:
            pause_s = draw.uniform(0, 0.01)
            words = [{"role": "customer", "text": f"I am {number}"}]
            given = {"external_id": call, "customer_number": number, "transcript": words}
            return lambda: (time.sleep(pause_s), deliver(**given))[1]

        answers = at_once([saying(ANN), saying(BEN), saying(ANN), saying(BEN)])
        assert sorted(was_duplicate(answer) for answer in answers) == [False, True, True, True]
        call = Call.objects.get(external_id=f"c-{seed}")
        assert call.transcript[0]["text"] == f"I am {call.customer_number}"
        assert call.customer_number in bytes(RawPayload.objects.get(call=call).body).decode()
        work_off()
        assert Message.objects.get(follow_up__call=call).to == call.customer_number
        assert sandbox.creates.total() == seed


def test_two_sources_may_give_different_calls_the_same_id(workspace: Workspace, sandbox: Sandbox) -> None:
    one, other, own = by_webhook(workspace), by_webhook(workspace), by_api(workspace)
    answers = at_once([one, other, own, one, other, own])
    assert sorted(was_duplicate(answer) for answer in answers) == [False] * 3 + [True] * 3
    work_off()
    assert Call.objects.count() == FollowUp.objects.count() == 3


def test_a_thin_report_and_the_final_one_at_the_same_instant_end_in_the_final_one(
    deliver: Deliver, sandbox: Sandbox
) -> None:
    judge_after = (clock.now() - timedelta(seconds=1)).isoformat()
    thin = {"final": False, "judge_after": judge_after, "customer_number": None, "transcript": []}
    for seed in SEEDS:
        draw = random.Random(seed)

        def soon(call: str = f"c-{seed}", draw: random.Random = draw, **fields: Any) -> Callable[[], Any]:
            pause_s = draw.uniform(0, 0.01)
            return lambda: (time.sleep(pause_s), deliver(external_id=call, **fields))[1]

        at_once([soon(**thin), soon(), soon(**thin), soon(), work_off])
        work_off()
        call = Call.objects.get(external_id=f"c-{seed}")
        assert (call.final, call.customer_number, call.status) == (True, ANN, "done")
        assert FollowUp.objects.filter(call=call).count() == 1
        assert sandbox.creates == {(ANN, WORDS): seed}
