"""The audit log: readable, filtered by its address, and taken along."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from postcall.dashboard.views.settings import audit as page_of_the_log
from postcall.workspaces.audit import CHANGED, Actor, Thing, record
from postcall.workspaces.models import Membership, User, Workspace

from .factories import a_member, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def entries(workspace: Workspace, owner: User) -> None:
    dana = Actor.of_person(owner)
    with transaction.atomic():
        record(
            workspace,
            dana,
            "update",
            Thing("sending"),
            {"countries": [["US"], ["US", "CA"]], "window": [None, "x"]},
        )
        record(workspace, Actor("cli", "", "root"), "create", Thing("key", name="=1+1"), {"auth": CHANGED})
        record(a_workspace("Copperkettle Garage"), dana, "delete", Thing("agent", name="Their night desk"))


def shown(client: Client, workspace: Workspace, query: str = "") -> str:
    return client.get(f"/w/{workspace.pk}/settings/audit{query}").content.decode()


def body(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_it_tells_who_changed_what(browser_client: Client, workspace: Workspace, owner: User) -> None:
    page = shown(browser_client, workspace)
    assert f">{owner.email}</option>" in page
    assert "US, CA</ins>" in page
    assert "At the command line" in page
    assert "Their night desk" not in page


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("?who=root", False),
        ("?did=update", True),
        ("?what=sending", True),
        ("?what=key", False),
        ("?from=2001-01-01&to=2001-02-01", None),
        ("?from=2001-01-01", True),
        ("?from=yesterday&to=99999-01-01", True),
        ("?from=0001-01-01&to=9999-12-31", True),
        ("?who=%00&did=%00&what=%ED%A0%80", None),
    ],
)
def test_the_address_says_what_is_shown(
    browser_client: Client, workspace: Workspace, query: str, fits: bool | None
) -> None:
    page = shown(browser_client, workspace, query)
    assert ("US, CA</ins>" in page) is (fits is True)
    assert ("No entry fits" in page) is (fits is None)


def test_it_leads_to_what_was_changed(browser_client: Client, workspace: Workspace, owner: User) -> None:
    action = an_action(an_agent(workspace)).action
    with transaction.atomic():
        record(workspace, Actor.of_person(owner), "update", Thing("action", action.pk, action.name))
    assert f'href="/w/{workspace.pk}/actions/{action.pk}"' in shown(browser_client, workspace)


def test_a_table_of_it_holds_what_is_filtered_and_no_formula(browser_client: Client, workspace: Workspace) -> None:
    answer = browser_client.get(f"/w/{workspace.pk}/settings/audit.csv?who=root")
    rows = list(csv.DictReader(body(answer).splitlines()))
    assert [(row["verb"], row["object_name"]) for row in rows] == [("create", "'=1+1")]
    assert answer["Content-Disposition"] == 'attachment; filename="audit.csv"'


def test_lines_of_it_are_json(browser_client: Client, workspace: Workspace) -> None:
    answer = browser_client.get(f"/w/{workspace.pk}/settings/audit.jsonl?did=update")
    (line,) = body(answer).splitlines()
    assert json.loads(line)["changes"]["countries"] == [["US"], ["US", "CA"]]


def test_an_export_is_whole_and_itself_noted(
    browser_client: Client, workspace: Workspace, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_the_log, "AT_ONCE", 1)
    answer = browser_client.get(f"/w/{workspace.pk}/settings/audit.jsonl?from=2001-01-01")
    told = [json.loads(line) for line in body(answer).splitlines()]
    assert [each["verb"] for each in told] == ["export", "create", "update"]
    assert (told[0]["actor_name"], told[0]["changes"]) == (owner.email, {"from": [None, "2001-01-01"]})


@pytest.mark.parametrize("place", ["audit", "audit.csv", "audit.jsonl"])
def test_viewers_do_not_read_of_other_peoples_sign_ins(client: Client, workspace: Workspace, place: str) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    assert client.get(f"/w/{workspace.pk}/settings/{place}").status_code == 403
    assert "Audit log" not in client.get(f"/w/{workspace.pk}/settings/keys").content.decode()


def test_it_pages(browser_client: Client, workspace: Workspace, owner: User) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO audit_entry (id, at, workspace_id, actor_kind, actor_id, actor_name, verb, object_kind,
                                        object_id, object_name, changes)
               SELECT gen_random_uuid(), now(), %s, 'cli', '', 'many', 'update', 'agent', '', '', '{}'
               FROM generate_series(1, 60)""",
            [workspace.pk],
        )
    page = shown(browser_client, workspace, "?who=many")
    assert page.count("<tr>") == 51
    assert 'rel="next"' in page
