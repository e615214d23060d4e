"""A key opens its workspace's API as far as its scope goes, until it is revoked."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postcall.workspaces.models import ApiKey

from .conftest import ACTION, Api

CALL = {"external_id": "c-1"}


def test_it_asks_for_a_key(api: Api) -> None:
    response = Client().get("/api/v1/calls")
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer nobody", "Bearer \x7fü", "pc_x"])
def test_it_refuses_what_is_no_key(api: Api, header: str) -> None:
    response = Client().get("/api/v1/calls", headers={"Authorization": header})
    assert response.status_code == 401


def test_it_never_takes_a_cookie(api: Api) -> None:
    client = Client(headers={"Cookie": f"postcall_session={api.key}"})
    assert client.get("/api/v1/calls").status_code == 401


def test_it_refuses_a_revoked_key_at_once(api: Api) -> None:
    assert api.get("/calls").status == 200
    ApiKey.objects.update(revoked_at=timezone.now())
    refused = api.get("/calls")
    assert (refused.status, "revoked" in refused.json["detail"]) == (401, True)


def test_it_lets_a_reader_read_only(reader: Api) -> None:
    assert reader.get("/actions").status == 200
    assert reader.post("/calls", CALL).status == 403
    assert reader.post("/actions", ACTION).status == 403


def test_it_lets_an_ingester_put_calls_in_and_change_nothing(ingester: Api) -> None:
    assert ingester.post("/calls", CALL).status == 202
    assert ingester.get("/calls").status == 200
    refused = ingester.put("/settings/retention", {"days": 1})
    assert (refused.status, "admin" in refused.json["detail"]) == (403, True)


def test_it_notes_the_use_of_a_key_once_a_minute(api: Api) -> None:
    api.get("/calls")
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    api.get("/calls")
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    api.get("/calls")
    again = ApiKey.objects.get().last_used_at
    assert again is not None
    assert again >= first
