from __future__ import annotations

import time

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from postcall.sandbox.faults import FAULTS, KNOBS, Faults, fault_names, parse_faults
from postcall.sandbox.running import Sandbox

from .application import ACCOUNT, ANN, OURS, TOKEN
from .conftest import Connect

BOB = "+15551230002"


def send(client: Client, to: str = ANN) -> str:
    return str(client.messages.create(to=to, from_=OURS, body="Hi").sid)


def test_a_refusal_names_when_to_come_back(sandbox: Sandbox) -> None:
    sandbox.faults = {"retry_after_s": 3}
    sandbox.fail_next("refuse_429")
    url = f"{sandbox.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    form = {"To": ANN, "From": OURS, "Body": "Hi"}
    response = requests.post(url, form, auth=(ACCOUNT, TOKEN), timeout=30)
    assert (response.status_code, response.json()["code"]) == (429, 20429)
    assert response.headers["Retry-After"] == "3"
    assert sandbox.messages == []


@pytest.mark.parametrize(("fault", "accepted"), [("error_500_before", 0), ("error_500_after", 1)])
def test_it_fails_before_or_after_accepting(sandbox: Sandbox, client: Client, fault: str, accepted: int) -> None:
    sandbox.fail_next(fault)
    with pytest.raises(TwilioRestException) as failed:
        send(client)
    assert (failed.value.status, failed.value.code) == (500, 20500)
    assert sandbox.creates[ANN, "Hi"] == accepted


@pytest.mark.parametrize(("fault", "accepted"), [("cut_before", 0), ("cut_after", 1)])
def test_it_cuts_before_or_after_accepting(sandbox: Sandbox, client: Client, fault: str, accepted: int) -> None:
    sandbox.fail_next(fault)
    with pytest.raises(requests.exceptions.ConnectionError):
        send(client)
    assert sandbox.creates[ANN, "Hi"] == accepted
    assert sandbox.requests["create", 0] == 1
    send(client)


@pytest.mark.parametrize(("fault", "accepted"), [("hang_before", 0), ("hang_after", 1)])
def test_it_hangs_until_the_client_gives_up(sandbox: Sandbox, connect: Connect, fault: str, accepted: int) -> None:
    sandbox.fail_next(fault)
    with pytest.raises(requests.exceptions.ReadTimeout):
        send(connect(sandbox, timeout=0.2))
    sandbox.wait_until(lambda sandbox: sandbox.requests["create", 0] == 1)
    assert sandbox.creates[ANN, "Hi"] == accepted


def test_a_hanging_request_is_cut_in_the_end(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults = {"hang_s": 0.05}
    sandbox.fail_next("hang_after")
    with pytest.raises(requests.exceptions.ConnectionError):
        send(client)


def test_a_slow_answer_comes_late(sandbox: Sandbox, client: Client) -> None:
    sandbox.faults = {"slow_ms": 100}
    sandbox.fail_next("slow")
    started = time.monotonic()
    assert send(client)
    assert time.monotonic() - started >= 0.1


def test_an_unreadable_answer_hides_an_accepted_message(sandbox: Sandbox, client: Client) -> None:
    sandbox.fail_next("unreadable_201")
    with pytest.raises(ValueError, match="string"):
        send(client)
    assert sandbox.creates[ANN, "Hi"] == 1


def test_reading_one_message_fails_on_demand(sandbox: Sandbox, client: Client) -> None:
    sid = send(client)
    sandbox.fail_next("fetch_error")
    with pytest.raises(TwilioRestException) as failed:
        client.messages(sid).fetch()
    assert failed.value.status == 500
    assert client.messages(sid).fetch().sid == sid


def test_latency_is_added_to_every_answer(connect: Connect) -> None:
    with Sandbox(latency_ms=50, progress="manual").running() as sandbox:
        client = connect(sandbox)
        started = time.monotonic()
        client.messages(send(client)).fetch()
        assert time.monotonic() - started >= 0.1


def test_an_armed_fault_strikes_as_often_as_told(sandbox: Sandbox, client: Client) -> None:
    sandbox.fail_next("refuse_429", count=2)
    for _ in range(2):
        with pytest.raises(TwilioRestException):
            send(client)
    assert send(client)
    assert sandbox.fired == {"refuse_429": 2}


def test_an_armed_fault_waits_for_its_recipient(sandbox: Sandbox, client: Client) -> None:
    sandbox.fail_next("refuse_429", to=BOB)
    assert send(client, ANN)
    with pytest.raises(TwilioRestException):
        send(client, BOB)


def test_rates_can_be_given_at_the_start(connect: Connect) -> None:
    with Sandbox(faults={"refuse_429": 1}, progress="manual").running() as sandbox:
        with pytest.raises(TwilioRestException):
            send(connect(sandbox))
        sandbox.faults = {}
        assert send(connect(sandbox))


def struck(seed: int, **rates: float) -> list[str | None]:
    faults = Faults(rates, seed=seed)
    return [faults.strike("create") for _ in range(500)]


def test_the_same_seed_strikes_the_same_requests() -> None:
    assert struck(7, cut_after=0.2) == struck(7, cut_after=0.2)
    assert struck(7, cut_after=0.2) != struck(8, cut_after=0.2)


def test_a_rate_is_about_kept() -> None:
    assert 50 < struck(7, cut_after=0.2).count("cut_after") < 150


def test_one_rate_does_not_move_another() -> None:
    alone = [n for n, fault in enumerate(struck(7, cut_before=0.1)) if fault]
    among = [n for n, fault in enumerate(struck(7, cut_before=0.1, cut_after=0.3)) if fault == "cut_before"]
    assert alone == among


def test_callbacks_do_not_shift_what_strikes_requests() -> None:
    faults = Faults({"cut_after": 0.2}, seed=7)
    mixed = []
    for _ in range(500):
        faults.strike("callback")
        mixed.append(faults.strike("create"))
    assert mixed == struck(7, cut_after=0.2)


def test_it_reads_faults_from_words() -> None:
    assert parse_faults(["cut_after=0.05", "list_lag_s=2"]) == {"cut_after": 0.05, "list_lag_s": 2}


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("cut_after", "is not NAME=NUMBER"),
        ("cut_after=often", "'often' is not a number"),
        ("cut_after=2", "a rate between 0 and 1"),
        ("cut_after=nan", "a rate between 0 and 1"),
        ("explode=1", "unknown fault 'explode'; known are refuse_429"),
        ("slow_ms=-1", "at least 0"),
        ("slow_ms=inf", "at least 0"),
    ],
)
def test_it_says_what_is_wrong_with_a_word(word: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_faults([word])


def test_every_fault_has_a_line_of_help() -> None:
    assert list(fault_names()) == [*FAULTS, *KNOBS]
    assert all(fault_names().values())


def test_it_arms_known_faults_only(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        sandbox.fail_next("explode")
    with pytest.raises(ValueError, match="at least 1"):
        sandbox.fail_next("cut_after", count=0)
