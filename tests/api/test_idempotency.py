"""Idempotency-Key: the same request twice is done once."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from postcall.actions.models import Action
from postcall.api.answers import forget_old_answers
from postcall.api.models import IdempotentRequest

from .conftest import ACTION, Api, api_for


def test_it_does_the_same_request_once(api: Api) -> None:
    first = api.post("/actions", ACTION, Idempotency_Key="k-1")
    again = api.post("/actions", ACTION, Idempotency_Key="k-1")
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Action.objects.count() == 1


def test_it_keeps_the_version_with_the_answer(api: Api) -> None:
    first = api.post("/actions", ACTION, Idempotency_Key="k-1")
    assert api.post("/actions", ACTION, Idempotency_Key="k-1").headers["ETag"] == first.headers["ETag"]


def test_it_keeps_no_secret_in_the_clear(api: Api) -> None:
    source = {"kind": "generic", "name": "Front desk"}
    secret = api.post("/sources", source, Idempotency_Key="k-1").json["secret"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM idempotent_request")
        assert secret not in cursor.fetchone()[0]
    assert api.post("/sources", source, Idempotency_Key="k-1").json["secret"] == secret


def test_it_refuses_to_do_again_what_it_cannot_answer_again(api: Api) -> None:
    api.post("/actions", ACTION, Idempotency_Key="k-1")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE idempotent_request SET body = 'encrypted with another key'")
    assert api.post("/actions", ACTION, Idempotency_Key="k-1").status == 409
    assert Action.objects.count() == 1


def test_it_refuses_the_key_for_another_request(api: Api) -> None:
    api.post("/actions", ACTION, Idempotency_Key="k-1")
    assert api.post("/actions", ACTION | {"name": "Other"}, Idempotency_Key="k-1").status == 422
    assert api.post("/agents", ACTION, Idempotency_Key="k-1").status == 422


def test_it_forgets_a_refusal(api: Api) -> None:
    assert api.post("/actions", ACTION | {"name": ""}, Idempotency_Key="k-1").status == 422
    assert api.post("/actions", ACTION, Idempotency_Key="k-1").status == 201


def test_it_keeps_keys_of_workspaces_apart(api: Api, stranger: Api) -> None:
    first = api.post("/actions", ACTION, Idempotency_Key="k-1")
    second = stranger.post("/actions", ACTION, Idempotency_Key="k-1")
    assert (second.status, second.json["id"] == first.json["id"]) == (201, False)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x7fb", "ü"])
def test_it_refuses_what_is_no_key(api: Api, key: str) -> None:
    assert api.post("/actions", ACTION, Idempotency_Key=key).status == 400


def test_it_remembers_for_a_day(api: Api) -> None:
    api.post("/actions", ACTION, Idempotency_Key="k-1")
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    assert "Idempotency-Replayed" not in api.post("/actions", ACTION, Idempotency_Key="k-1").headers
    assert forget_old_answers() == 0
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert forget_old_answers() == 1


@pytest.mark.django_db(transaction=True)
def test_it_does_a_request_once_that_comes_twice_at_the_same_instant() -> None:
    api = api_for("Northgate Clinic")
    results: list[int] = []
    together = threading.Barrier(4)

    def one() -> None:
        together.wait()
        results.append(api.post("/actions", ACTION, Idempotency_Key="k-1").status)
        connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) <= {201, 409}
    assert 201 in results
    assert Action.objects.count() == 1
