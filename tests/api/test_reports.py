"""/reports/usage by its door; tests/dashboard/test_usage.py has the sums."""

from __future__ import annotations

import pytest
from django.test import Client

from .conftest import Api

pytestmark = pytest.mark.django_db


def test_it_reports_usage(api: Api) -> None:
    report = api.get("/reports/usage?from=2026-01-01&to=2026-02-01&group_by=agent").json
    assert (report["from"], report["group_by"], report["items"]) == ("2026-01-01T00:00:00Z", "agent", [])
    assert report["total"]["messages"] == 0


@pytest.mark.parametrize("asked", [{"Accept": "text/csv"}, {}])
def test_it_reports_usage_as_csv(api: Api, asked: dict[str, str]) -> None:
    query = "" if asked else "?format=csv"
    headers = {"Authorization": f"Bearer {api.key}"} | asked
    answer = Client().get(f"/api/v1/reports/usage{query}", headers=headers)
    assert answer["Content-Type"].startswith("text/csv")
    assert answer.content.startswith(b"key,name,messages")


def test_it_reports_who_judged(api: Api) -> None:
    report = api.get("/reports/judge?from=2026-01-01&to=2026-02-01").json
    assert (report["calls"], report["items"], report["seconds"], report["saving"]) == (0, [], None, None)
    assert report["judging"] == {
        "requests": 0, "input_tokens": 0, "output_tokens": 0, "cost": {"amount": "0", "currency": "USD"},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {api.key}", "Accept": "text/csv"}
    table = Client().get("/api/v1/reports/judge", headers=headers).content
    assert table.startswith(b"judge,built_in,verdicts,met")


@pytest.mark.parametrize("report", ["usage", "judge"])
@pytest.mark.parametrize(
    "query", ["from=2026-02-01&to=2026-01-01", "from=2024-01-01&to=2026-01-01", "group_by=day", "from=soon"]
)
def test_it_refuses_a_stretch_of_time_that_is_none(api: Api, report: str, query: str) -> None:
    assert api.get(f"/reports/{report}?{query}").status == 422
