"""/sources: connecting a voice platform."""

from typing import Any

import pytest

from postcall.sources.models import Source
from postcall.sources.refused import refuse

from .conftest import Api

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


def test_it_makes_a_secret_and_shows_it_once(api: Api) -> None:
    made = api.post("/sources", {"kind": "generic", "name": "Desk"})
    assert made.json["secret"].startswith("whsec_")
    assert "/in/generic/" in made.json["url"]
    assert (made.json["verified"], made.json["rejected"]["count"]) == (True, 0)
    shown = api.get(f"/sources/{made.json['id']}")
    assert "secret" not in shown.json
    assert made.json["secret"].encode() not in shown.response.content + api.get("/sources").response.content


def test_it_takes_a_secret_and_never_shows_it(api: Api) -> None:
    made = api.post("/sources", {"kind": "generic", "name": "Desk", "auth": {"secret": SECRET}})
    assert made.json["secret"] is None
    assert SECRET.encode() not in made.response.content


def test_it_keeps_the_secret_before_until_it_is_dropped(api: Api) -> None:
    body = {"kind": "generic", "name": "Desk"}
    made = api.made("/sources", body)
    path = f"/sources/{made['id']}"
    assert api.put(path, body).json["previous_secret"] is False
    assert api.put(path, body | {"auth": {"secret": SECRET}}).json["previous_secret"] is True
    assert api.put(path, body | {"auth": {"secret": SECRET}}).json["previous_secret"] is True
    assert api.put(path, body | {"auth": {"secret": SECRET, "previous": None}}).json["previous_secret"] is False


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"kind": "carrier-pigeon"}, "kind"),
        ({"kind": "\x00"}, "kind"),
        ({"name": ""}, "name"),
        ({"auth": {}}, "auth.secret"),
        ({"auth": {"secret": "short"}}, "auth.secret"),
        ({"auth": {"secret": "ü" * 40}}, "auth.secret"),
        ({"auth": {"secret": 7}}, "auth.secret"),
        ({"auth": {"secret": SECRET, "previous": ""}}, "auth.previous"),
        ({"auth": {"secret": SECRET, "key": "x"}}, "auth.key"),
        ({"auth": "x"}, "auth"),
        ({"token": "x"}, "token"),
    ],
)
def test_it_refuses_what_makes_no_source(api: Api, changed: dict[str, Any], field: str) -> None:
    refused = api.post("/sources", {"kind": "generic", "name": "Desk"} | changed)
    assert (refused.status, refused.fields) == (422, [field])


def test_it_lists_the_kinds_when_there_is_none_of_that_name(api: Api) -> None:
    assert "generic" in api.post("/sources", {"kind": "x", "name": "Desk"}).json["detail"]


def test_it_keeps_the_kind_of_a_source(api: Api) -> None:
    made = api.made("/sources", {"kind": "generic", "name": "Desk"})
    assert api.put(f"/sources/{made['id']}", {"kind": "vapi", "name": "Desk"}).fields == ["kind"]


def test_its_address_is_gone_once_it_is_deleted(api: Api) -> None:
    made = api.made("/sources", {"kind": "generic", "name": "Desk"})
    assert api.delete(f"/sources/{made['id']}").status == 204
    path = made["url"].removeprefix("http://127.0.0.1:8000")
    assert api.client.post(path, b"{}", content_type="application/json").status_code == 404


def test_only_who_may_put_calls_in_sees_the_address_of_a_source_that_cannot_sign(
    api: Api, ingester: Api, reader: Api
) -> None:
    made = api.post("/sources", {"kind": "generic", "name": "Front desk"}).json
    path = f"/sources/{made['id']}"
    assert reader.get(path).json["url"] == made["url"]
    Source.objects.update(auth="")
    assert reader.get(path).json["url"] is None
    assert reader.get("/sources").json["items"][0]["url"] is None
    assert ingester.get(path).json["url"] == api.get(path).json["url"] == made["url"]


def test_it_pages_through_what_was_refused(api: Api) -> None:
    made = api.made("/sources", {"kind": "generic", "name": "Desk"})
    source = Source.objects.get(pk=made["id"])
    for number in range(3):
        refuse(source, f"reason {chr(97 + number)}")
    first = api.get(f"/sources/{made['id']}/refusals?limit=2").json
    rest = api.get(f"/sources/{made['id']}/refusals?limit=2&cursor={first['next']}").json
    assert [each["reason"] for each in first["items"] + rest["items"]] == ["reason c", "reason b", "reason a"]
