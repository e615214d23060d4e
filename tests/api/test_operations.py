"""The probes' doors, and the names under which we are reached."""

from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from postcall.actions.models import Revision
from postcall.calls.models import Call
from postcall.database import room
from postcall.followups.models import FollowUp

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


def test_it_counts_verdicts_and_what_they_took(client: Client, api: Api) -> None:
    action = api.made(
        "/actions", {"type": "post_call_sms", "name": "A", "message": "Hi", "condition": "After a booking"}
    )
    agent = api.made("/agents", {"name": "Front desk"})
    attachment = api.made(f"/agents/{agent['id']}/attachments", {"action_id": action["id"], "mode": "live"})
    call = Call.objects.create(
        workspace=api.workspace, external_id="c-1", source_kind="api", received_at=timezone.now()
    )
    FollowUp.objects.create(
        workspace=api.workspace, call=call, action_id=action["id"], attachment_id=attachment["id"],
        revision=Revision.objects.get(action=action["id"]), created_at=timezone.now(), result="met",
        judge="openai:gpt-4.1-mini", judge_requests=2, judge_input_tokens=900, judge_output_tokens=80, judge_s=1.5,
    )  # fmt: skip
    told = client.get("/metrics").content.decode().splitlines()
    assert 'postcall_verdicts{judge="model",result="met"} 1.0' in told
    assert {"postcall_judge_requests 2.0", 'postcall_judge_tokens{direction="input"} 900.0'} < set(told)
    assert "postcall_judge_seconds 1.5" in told
