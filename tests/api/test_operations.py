"""The probes' doors, and the names under which we are reached."""

from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from postcall.database import room

from .conftest import Api, a_webhook

PROBLEM = "application/problem+json"


def test_it_says_which_setting_names_us(client: Client) -> None:
    page = client.get("/sign-in", HTTP_HOST="texts.northgate.example")
    assert page.status_code == 400
    assert "POSTCALL_ALLOWED_HOSTS" in page.content.decode()
    assert page["Content-Type"].startswith("text/plain")


def test_it_says_so_to_programs_too(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    refused = client.get("/api/v1/agents", HTTP_HOST="no such name")
    assert (refused.status_code, refused["Content-Type"]) == (400, PROBLEM)
    assert "POSTCALL_ALLOWED_HOSTS" in refused.json()["detail"]
    assert "Traceback" not in caplog.text


@pytest.mark.django_db
def test_it_answers_probes_under_any_name(client: Client) -> None:
    assert client.get("/healthz", HTTP_HOST="10.1.2.3:8000").status_code == 200


@pytest.mark.django_db
def test_it_tells_nothing_of_a_database_error(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE worker RENAME TO not_there")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "does not answer")


@pytest.mark.django_db
def test_it_reports_that_the_embedded_databases_disk_is_full(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "disk" not in client.get("/readyz").json()["checks"]
    monkeypatch.setenv(room.IN_USE, str(tmp_path))
    monkeypatch.setattr(room, "FULL_BYTES", 0)
    assert client.get("/readyz").json()["checks"]["disk"] == "ok"
    monkeypatch.setattr(room, "FULL_BYTES", 1 << 62)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["disk"].startswith("full")


def test_it_counts_what_webhooks_were_told(api: Api, client: Client) -> None:
    a_webhook(api)
    assert b'postcall_webhook_deliveries{status="arrived"} 1.0' in client.get("/metrics").content
