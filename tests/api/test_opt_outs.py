"""/opt-outs: who must not be texted."""

import pytest

from .conftest import Api


def test_it_opts_a_number_out_once(api: Api) -> None:
    first = api.post("/opt-outs", {"number": "+1 (415) 555-0132", "quote": "Please don't text me"})
    again = api.post("/opt-outs", {"number": "+14155550132"})
    assert (first.status, again.status, again.json["id"]) == (201, 200, first.json["id"])
    assert (first.json["number"], first.json["origin"]) == ("+14155550132", "operator")


def test_it_takes_an_opt_out_back(api: Api) -> None:
    api.post("/opt-outs", {"number": "+14155550132"})
    assert api.delete("/opt-outs/+14155550132").status == 204
    assert api.get("/opt-outs").json["items"] == []
    assert api.delete("/opt-outs/+14155550132").status == 404


@pytest.mark.parametrize("number", ["nobody", "%00", "+", "+1415555013299999"])
def test_it_finds_no_opt_out_of_what_is_no_number(api: Api, number: str) -> None:
    assert api.delete(f"/opt-outs/{number}").status == 404


@pytest.mark.parametrize("number", ["nobody", "", None, 7, "\x00", "5550132"])
def test_it_refuses_what_is_no_number(api: Api, number: object) -> None:
    refused = api.post("/opt-outs", {"number": number})
    assert (refused.status, refused.fields) == (422, ["number"])


@pytest.mark.parametrize(
    ("query", "found"), [("", 2), ("number=0132", 1), ("number=%2B1415", 2), ("number=999", 0)]
)
def test_it_finds_opt_outs(api: Api, query: str, found: int) -> None:
    for number in ("+14155550132", "+14155550133"):
        api.made("/opt-outs", {"number": number})
    assert len(api.get(f"/opt-outs?{query}").json["items"]) == found


def test_it_keeps_workspaces_apart(api: Api, stranger: Api) -> None:
    api.made("/opt-outs", {"number": "+14155550132"})
    assert stranger.get("/opt-outs").json["items"] == []
    assert stranger.delete("/opt-outs/+14155550132").status == 404
