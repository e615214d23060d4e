from __future__ import annotations

from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from postcall.sandbox.running import Sandbox

from .application import ACCOUNT, ANN, OURS, TOKEN, Application
from .conftest import Connect


def ask(sandbox: Sandbox, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/sandbox{path}", json=body, timeout=30)


def send(client: Client, url: str | None = None) -> str:
    return str(client.messages.create(to=ANN, from_=OURS, body="Hi", status_callback=url or "").sid)


def test_faults_are_replaced_by_put_and_merged_by_patch(sandbox: Sandbox) -> None:
    ask(sandbox, "PUT", "/faults", {"cut_after": 0.5, "slow_ms": 10})
    assert ask(sandbox, "PATCH", "/faults", {"cut_before": 0.25}).json()["cut_after"] == 0.5
    answer = ask(sandbox, "PUT", "/faults", {"cut_before": 0.75}).json()
    assert (answer["cut_before"], answer["cut_after"], answer["slow_ms"]) == (0.75, 0, 2000)
    assert ask(sandbox, "GET", "/faults").json() == answer == sandbox.faults


def test_a_fault_is_armed(sandbox: Sandbox, client: Client) -> None:
    assert ask(sandbox, "POST", "/faults/next", {"fault": "refuse_429", "count": 1, "to": ANN}).ok
    with pytest.raises(TwilioRestException):
        send(client)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/faults", {"explode": 1}),
        ("PUT", "/faults", {"cut_after": 2}),
        ("PUT", "/faults", {"cut_after": "1"}),
        ("PUT", "/faults", [1]),
        ("POST", "/faults/next", {"fault": "explode"}),
        ("POST", "/faults/next", {"count": 1}),
        ("POST", "/faults/next", {"fault": "cut_after", "often": 1}),
        ("PATCH", "/settings", {"progress": "fast"}),
        ("PATCH", "/settings", {"latency_ms": -1}),
        ("POST", "/inbound", {"from": ANN}),
        ("POST", "/messages/SM1/status", {"status": "lost"}),
    ],
)
def test_it_says_what_it_cannot_use(sandbox: Sandbox, method: str, path: str, body: Any) -> None:
    before = sandbox.faults
    response = ask(sandbox, method, path, body)
    assert response.status_code == 400
    assert response.json()["error"]
    assert sandbox.faults == before


def test_settings_change_while_it_runs(sandbox: Sandbox, client: Client) -> None:
    wanted = {"progress": "auto", "pace": 0.0, "latency_ms": 1.0}
    assert ask(sandbox, "PATCH", "/settings", wanted).json() == wanted
    sid = send(client)
    sandbox.wait_until(lambda sandbox: sandbox.message(sid).status == "delivered")


def test_what_was_due_waits_while_it_is_moved_by_hand(connect: Connect) -> None:
    with Sandbox(pace=2).running() as sandbox:
        sid = send(connect(sandbox))
        ask(sandbox, "PATCH", "/settings", {"progress": "manual"})
        assert not sandbox.busy
        ask(sandbox, "PATCH", "/settings", {"progress": "auto", "pace": 0})
        sandbox.wait_until(lambda sandbox: sandbox.message(sid).status == "delivered")


def test_it_shows_messages_and_how_often_each_was_accepted(sandbox: Sandbox, client: Client) -> None:
    sids = [send(client), send(client)]
    answer = ask(sandbox, "GET", "/messages").json()
    assert [message["sid"] for message in answer["messages"]] == sids
    assert answer["messages"][0]["body"] == "Hi"
    assert answer["creates"] == [{"to": ANN, "body": "Hi", "count": 2}]
    assert ask(sandbox, "GET", "/messages?to=%2B15551239999").json()["creates"] == []


def test_it_tells_which_text_went_out_twice(sandbox: Sandbox, client: Client) -> None:
    send(client)
    client.messages.create(to=ANN, from_=OURS, body="Bye")
    assert ask(sandbox, "GET", "/creates").json() == {"accepted": 2, "distinct": 2, "doubled": []}
    send(client)
    answer = ask(sandbox, "GET", "/creates").json()
    assert answer["doubled"] == [{"to": ANN, "body": "Hi", "count": 2}]


def test_it_moves_a_message_and_shows_its_callback(
    sandbox: Sandbox, client: Client, application: Application
) -> None:
    sid = send(client, application.url)
    answer = ask(sandbox, "POST", f"/messages/{sid}/status", {"status": "failed", "error_code": 30008}).json()
    assert (answer["message"]["status"], answer["message"]["error_code"]) == ("failed", 30008)
    assert answer["callback"]["status"] == 204
    assert ask(sandbox, "GET", "/callbacks").json()["callbacks"] == [answer["callback"]]


def test_it_moves_no_unknown_message(sandbox: Sandbox) -> None:
    assert ask(sandbox, "POST", "/messages/SM1/status", {"status": "sent"}).status_code == 404


def test_it_counts_answers_and_faults(sandbox: Sandbox, client: Client) -> None:
    send(client)
    sandbox.fail_next("cut_after")
    with pytest.raises(requests.exceptions.ConnectionError):
        send(client)
    answer = ask(sandbox, "GET", "/requests").json()
    assert answer == {"requests": {"create": {"cut": 1, "201": 1}}, "faults": {"cut_after": 1}}


def test_somebody_texts_in(sandbox: Sandbox, client: Client, application: Application) -> None:
    client.messages.list()
    answer = ask(
        sandbox,
        "POST",
        "/inbound",
        {"account_sid": ACCOUNT, "from": ANN, "to": OURS, "body": "STOP", "url": application.url},
    ).json()
    assert answer["webhook"]["status"] == 204
    opt_out = {"account_sid": ACCOUNT, "sender": OURS, "number": ANN}
    assert ask(sandbox, "GET", "/messages").json()["opt_outs"] == [opt_out]


def test_a_reset_forgets_all_but_the_accounts(sandbox: Sandbox, client: Client, application: Application) -> None:
    sid = send(client, application.url)
    sandbox.push(sid, "sent")
    sandbox.faults = {"cut_after": 1}
    assert ask(sandbox, "POST", "/reset").status_code == 204
    assert (sandbox.messages, sandbox.callbacks) == ([], [])
    assert sandbox.faults["cut_after"] == 0
    assert not sandbox.requests
    sandbox.push(send(client, application.url), "sent")
    assert application.received[-1].headers["X-Twilio-Signature"]


def test_it_is_well(sandbox: Sandbox) -> None:
    assert ask(sandbox, "GET", "").json() == {"status": "ok", "busy": False}


def test_a_wrong_token_is_nothing_to_its_own_endpoints(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.url}/sandbox", auth=("nobody", TOKEN), timeout=30).ok
