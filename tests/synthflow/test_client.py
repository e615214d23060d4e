"""Reading an account: all of it, whatever the server does, and never handing the key to anybody else."""

from __future__ import annotations

import pytest

from postcall.synthflow.client import TRIES, CannotRead, KeyRefused, NotThere, Synthflow

from .stand_in import KEY, Failing, StandIn, agent, sms


def reading(stand_in: StandIn, waited: list[float] | None = None, key: str = KEY) -> Synthflow:
    waits = [] if waited is None else waited
    return Synthflow(stand_in.url, key, sleep=waits.append)


@pytest.mark.parametrize("page", [1, 2, 100])
@pytest.mark.parametrize("total", [True, False])
def test_it_reads_every_page_whatever_its_size(page: int, total: bool) -> None:
    agents = [agent(f"m-{number}") for number in range(5)]
    with StandIn(agents, page=page, total=total) as stand_in, reading(stand_in) as synthflow:
        assert [each["model_id"] for each in synthflow.assistants()] == [f"m-{number}" for number in range(5)]


def test_it_ends_where_a_server_gives_the_same_page_for_ever() -> None:
    class Same(StandIn):
        def answer(self, target: str) -> tuple[int, object]:
            rows = [agent("m-1")]
            return 200, {"response": {"assistants": rows, "pagination": {"total_records": 999}}}

    with Same() as stand_in, reading(stand_in) as synthflow:
        assert len(list(synthflow.assistants())) == 1
    assert len(stand_in.asked) == 2


def test_it_reads_an_action_with_what_it_is_attached_to() -> None:
    with StandIn(actions=[sms("a/1 ü")]) as stand_in, reading(stand_in) as synthflow, pytest.raises(NotThere):
        synthflow.action("a/1 ü")
    assert stand_in.asked == ["/v2/actions/a%2F1%20%C3%BC?include_assistants=true"]


def test_it_says_that_a_key_may_be_of_another_region() -> None:
    with StandIn() as stand_in, reading(stand_in, key="sf-of-another-region") as synthflow:
        with pytest.raises(KeyRefused, match="https://api") as refused:
            list(synthflow.actions())
        assert "sf-of-another-region" not in str(refused.value)
    assert len(stand_in.asked) == 1


@pytest.mark.parametrize(
    ("failing", "waited"),
    [
        ([Failing(429, {"Retry-After": "7"})], [7.0]),
        ([Failing(429), Failing(429)], [1.0, 2.0]),
        ([Failing(429, {"Retry-After": "9999"})], [60.0]),
        ([Failing(429, {"Retry-After": "soon"})], [1.0]),
        ([Failing(503), Failing(500)], [1.0, 2.0]),
        ([Failing(hangs_up=True)], [1.0]),
    ],
)
def test_it_waits_and_tries_again(failing: list[Failing], waited: list[float]) -> None:
    waits: list[float] = []
    with StandIn([agent("m-1")], failing=failing) as stand_in, reading(stand_in, waits) as synthflow:
        assert len(list(synthflow.assistants())) == 1
    assert waits == waited


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        (Failing(429), "429"),
        (Failing(500), "run the same again"),
        (Failing(hangs_up=True), "did not answer"),
    ],
)
def test_it_gives_up_after_a_while(failing: Failing, said: str) -> None:
    waits: list[float] = []
    with (
        StandIn(failing=[failing] * TRIES) as stand_in,
        reading(stand_in, waits) as synthflow,
        pytest.raises(CannotRead, match=said),
    ):
        list(synthflow.assistants())
    assert len(stand_in.asked) == TRIES == len(waits) + 1


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        (Failing(302, {"Location": "http://127.0.0.1:1/"}), "the key is not sent there"),
        (Failing(403), "may not read"),
        (Failing(400), "answered 400"),
        (Failing(200, body=b"<html>"), "/v2"),
        (Failing(200, body=b"[]"), "/v2"),
    ],
)
def test_it_tries_nothing_again_that_would_be_the_same(failing: Failing, said: str) -> None:
    with (
        StandIn(failing=[failing]) as stand_in,
        reading(stand_in) as synthflow,
        pytest.raises(CannotRead, match=said),
    ):
        list(synthflow.assistants())
    assert len(stand_in.asked) == 1


@pytest.mark.parametrize(
    "url",
    ["http://api.synthflow.ai/v2", "ftp://api.synthflow.ai", "api.synthflow.ai/v2", "https://", "https://a b/v2",
     "https://me:x@api.synthflow.ai/v2", "https://api.synthflow.ai/v2?x=1", "http://[::2]/v2", "https://x:99999/"],
)  # fmt: skip
def test_it_sends_no_key_in_the_clear_nor_where_no_address_is(url: str) -> None:
    with pytest.raises(CannotRead) as refused:
        Synthflow(url, KEY)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("key", ["a b", "a\nb", "ключ"])
def test_it_takes_no_key_that_is_none(key: str) -> None:
    with pytest.raises(KeyRefused) as refused:
        Synthflow("https://api.synthflow.ai/v2", key)
    assert key not in str(refused.value)
