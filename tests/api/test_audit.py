"""Whatever a key changes stands in the audit log, and nothing changes or leaves there what stands in it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from postcall.api.routes import UNAUDITED
from postcall.api.serving import api as the_api
from postcall.followups.models import FollowUp
from postcall.messages.models import Account
from postcall.sources.models import Source
from postcall.workspaces.audit import Actor, Thing, record
from postcall.workspaces.models import ApiKey, AuditEntry

from .conftest import ACTION, Api, Followed, a_backtest, a_webhook, api_for
from .test_messages import ended

SECRET = "whsec_" + "c2VjcmV0" * 6
OWN = {
    "use": "own",
    "account_sid": "AC" + "1" * 32,
    "auth_token": "token-of-the-clinic",
    "from_number": "+14155550100",
}


def changing() -> list[tuple[str, str, str]]:
    """Every operation that is not a look: (id, method, path)."""
    paths = the_api.get_openapi_schema(path_prefix="")["paths"]
    return [
        (operation["operationId"], method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if method != "get" and operation["operationId"] not in UNAUDITED
    ]


# By operation: what is sent. One that is not here is sent without a body; a new operation that needs one fails.
BODIES: dict[str, Callable[[dict[str, str]], Any]] = {
    "create_action": lambda ids: ACTION | {"name": "Another"},
    "update_action": lambda ids: {"name": "Thanks", "message": "Thank you!", "always": True},
    "create_agent": lambda ids: {"name": "Back desk"},
    "update_agent": lambda ids: {"name": "Front desk, renamed"},
    "create_attachment": lambda ids: {"action_id": ids["spare_action_id"]},
    "update_attachment": lambda ids: {"action_id": ids["action_id"], "mode": "off"},
    "create_source": lambda ids: {"kind": "generic", "name": "Desk", "auth": {"secret": SECRET}},
    "update_source": lambda ids: {"kind": "generic", "name": "Desk", "auth": {"secret": SECRET}},
    "create_webhook": lambda ids: {"url": "https://93.184.216.34/in", "events": ["message.sent"]},
    "update_webhook": lambda ids: {"url": "https://93.184.216.34/in", "events": ["message.failed"]},
    "create_opt_out": lambda ids: {"number": "+14155550188", "quote": "please never again"},
    "assign_call": lambda ids: {"agent_id": ids["agent_id"]},
    "approve_follow_up": lambda ids: {"body": "In words of mine"},
    "give_feedback": lambda ids: {"right": True},
    "resend_message": lambda ids: {"reason": "Ann asked for it again"},
    "begin_backtest": lambda ids: {"action_id": ids["action_id"], "condition": "After they please never again"},
    "run_cases": lambda ids: {"condition": "After they please never again"},
    "create_case": lambda ids: {
        "transcript": [{"role": "customer", "text": "please never again"}],
        "expected": "met",
        "note": "in words of mine",
    },
    "update_case": lambda ids: {"expected": "not_met", "note": "in words of mine"},
    "put_sending": lambda ids: {"window": {"start": "10:00", "end": "19:00"}},
    "put_retention": lambda ids: {"days": 30},
    "put_twilio": lambda ids: OWN,
}


@pytest.fixture
def ids(api: Api, follow: Callable[..., Followed], agent: dict[str, Any]) -> dict[str, str]:
    """By the names that stand in the paths: one thing of each kind."""
    done = follow()
    attachment = api.get(f"/agents/{agent['id']}/attachments").json["items"][0]
    return {
        "action_id": attachment["action_id"],
        "spare_action_id": api.made("/actions", ACTION)["id"],
        "agent_id": agent["id"],
        "attachment_id": attachment["id"],
        "call_id": done.call,
        "follow_up_id": done.follow_up,
        "message_id": str(done.message),
        "source_id": api.made("/sources", {"kind": "generic", "name": "Counter"})["id"],
        **a_webhook(api),
        **a_backtest(api, attachment["action_id"], done.call),
        "number": api.made("/opt-outs", {"number": "+14155550139"})["number"],
    }


@pytest.fixture
def ready(api: Api, ids: dict[str, str], follow: Callable[..., Followed]) -> Callable[[str], None]:
    """Brings things into the state in which the operation does something."""

    def bring(operation: str) -> None:
        if operation in ("approve_follow_up", "reject_follow_up", "rejudge_call"):
            held = follow("approve", customer_number="+14155550133")
            ids.update(follow_up_id=held.follow_up, call_id=held.call)
        if operation == "rejudge_call":
            FollowUp.objects.filter(pk=ids["follow_up_id"]).update(reason="judge_failed")
        if operation == "give_feedback":
            FollowUp.objects.filter(pk=ids["follow_up_id"]).update(result="met")
        if operation in ("resume_backtest", "delete_backtest"):
            assert api.post(f"/backtests/{ids['backtest_id']}/cancel").status == 200
        if operation == "assign_call":
            ids["call_id"] = api.made("/calls", {"external_id": "nobodys", "agent": "unknown"})["id"]
        if operation == "resend_message":
            ended(Followed(api, ids["call_id"], ids["follow_up_id"], ids["message_id"]), "undelivered", 30003)

    return bring


@pytest.mark.parametrize(("operation", "method", "path"), changing())
def test_it_notes_every_change(
    api: Api, ids: dict[str, str], ready: Callable[[str], None], operation: str, method: str, path: str
) -> None:
    ready(operation)
    before = AuditEntry.objects.count()
    answer = api.call(method, path.format(**ids), BODIES.get(operation, lambda ids: None)(ids))
    assert answer.status < 300, answer.json
    assert AuditEntry.objects.count() == before + 1
    entry = AuditEntry.objects.order_by("-id")[0]
    assert (entry.workspace, entry.actor_kind) == (api.workspace, "key")
    assert entry.actor_id == str(ApiKey.objects.get(digest=ApiKey.digest_of(api.key)).pk)
    assert entry.verb
    assert entry.object_kind
    told = json.dumps([entry.object_name, entry.changes])
    tokens = [
        *Source.objects.values_list("token", flat=True),
        *Account.objects.values_list("inbound_token", flat=True),
    ]
    words = ("5550188", "5550139", "never again", "words of mine", "Ann asked")
    assert not [hidden for hidden in (SECRET, OWN["auth_token"], *words, *tokens) if hidden in told]


def test_it_leaves_out_only_what_changes_nothing() -> None:
    assert set(UNAUDITED) == {"create_call", "test", "estimate_backtest"}


def test_it_tells_what_a_field_was_and_is(api: Api) -> None:
    api.put("/settings/retention", {"days": 30})
    api.put("/settings/twilio", OWN)
    twilio, retention = api.get("/audit").json["items"]
    assert retention["changes"] == {"days": [90, 30]}
    assert retention["object"] == {"kind": "retention", "id": "", "name": ""}
    assert twilio["changes"]["use"] == [None, "own"]
    assert twilio["changes"]["auth_token"] == "changed"


def test_it_tells_that_a_text_changed_but_not_the_words(api: Api, action: dict[str, Any]) -> None:
    api.put(f"/actions/{action['id']}", ACTION | {"message": "Hello <customer_name>, see you <day>."})
    assert api.get("/audit").json["items"][0]["changes"] == {"message": "changed", "revision": [1, 2]}


def test_it_keeps_the_name_of_that_moment(api: Api, action: dict[str, Any]) -> None:
    api.put(f"/actions/{action['id']}", ACTION | {"name": "Renamed"})
    assert [entry["object"]["name"] for entry in api.get("/audit").json["items"]] == [
        "Renamed",
        "Booking confirmation",
    ]


def test_it_notes_nothing_of_what_was_refused(api: Api, reader: Api, action: dict[str, Any]) -> None:
    before = AuditEntry.objects.count()
    assert api.put(f"/actions/{action['id']}", {"name": "x"}).status == 422
    assert api.put(f"/actions/{action['id']}", ACTION, If_Match='"old"').status == 412
    assert reader.delete(f"/actions/{action['id']}").status == 403
    assert AuditEntry.objects.count() == before


def test_it_undoes_a_change_whose_entry_cannot_be_written(api: Api, action: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE audit_entry ADD CONSTRAINT no_more CHECK (verb <> 'delete') NOT VALID")
    assert api.delete(f"/actions/{action['id']}").status == 500
    assert api.get(f"/actions/{action['id']}").status == 200


def test_it_notes_a_repeated_request_once(api: Api) -> None:
    for _ in range(2):
        api.post("/agents", {"name": "Front desk"}, Idempotency_Key="k-1")
    assert AuditEntry.objects.count() == 1


def test_it_is_for_admins_of_the_workspace(api: Api, reader: Api, ingester: Api, stranger: Api) -> None:
    api.put("/settings/retention", {"days": 30})
    assert reader.get("/audit").status == ingester.get("/audit").status == 403
    assert stranger.get("/audit").json == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "verbs"),
    [
        ("", ["delete", "update", "create"]),
        ("?verb=update", ["update"]),
        ("?object=agent", ["delete", "create"]),
        ("?object=ID", ["delete", "create"]),
        ("?actor=key", ["delete", "update", "create"]),
        ("?actor=user", []),
        ("?from=2000-01-01&to=2001-01-01", []),
        ("?from=2000-01-01", ["delete", "update", "create"]),
        ("?limit=1", ["delete"]),
    ],
)
def test_it_finds(api: Api, query: str, verbs: list[str]) -> None:
    agent = api.made("/agents", {"name": "Front desk"})["id"]
    api.put("/settings/retention", {"days": 30})
    api.delete(f"/agents/{agent}")
    answer = api.get("/audit" + query.replace("ID", agent))
    assert [entry["verb"] for entry in answer.json["items"]] == verbs


@pytest.mark.parametrize(("query", "headers"), [("?format=csv", {}), ("", {"Accept": "text/csv"})])
def test_it_comes_as_a_table(api: Api, query: str, headers: dict[str, str]) -> None:
    api.made("/agents", {"name": '=HYPERLINK("http://elsewhere.example")'})
    response = api.client.get(f"/api/v1/audit{query}", headers={"Authorization": f"Bearer {api.key}"} | headers)
    assert response["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(b"".join(response.streaming_content).decode().splitlines())  # type: ignore[attr-defined]
    assert (row["verb"], row["object_kind"], row["actor_kind"]) == ("create", "agent", "key")
    assert row["object_name"].startswith("'=HYPERLINK")
    assert json.loads(row["changes"])["name"][0] is None


def test_it_writes_a_table_in_parts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcall.api.audit._AT_ONCE", 2)
    for number in range(5):
        api.made("/agents", {"name": f"Desk {number}"})
    response = api.client.get("/api/v1/audit?format=csv", headers={"Authorization": f"Bearer {api.key}"})
    rows = list(csv.DictReader(b"".join(response.streaming_content).decode().splitlines()))  # type: ignore[attr-defined]
    assert [row["object_name"] for row in rows] == [f"Desk {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda: AuditEntry.objects.update(actor_name="Somebody else"),
        lambda: AuditEntry.objects.all().delete(),
    ],
)
def test_its_table_refuses_to_forget(api: Api, rewrite: Callable[[], object]) -> None:
    api.put("/settings/retention", {"days": 30})
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        rewrite()


@pytest.mark.django_db(transaction=True)
def test_it_takes_no_entry_outside_a_transaction() -> None:
    home = api_for("Northgate Clinic").workspace
    with pytest.raises(transaction.TransactionManagementError):
        record(home, Actor("cli", "", "dana"), "update", Thing("retention"))


def test_it_masks_numbers_and_leaves_out_what_is_long(api: Api) -> None:
    changes: dict[str, Any] = {
        "to": [None, "+14155550132"],
        "long": [None, "x" * 2_000],
        "deep": [None, {"a": ["+14155550132"]}],
    }
    entry = record(api.workspace, Actor("cli", "", "dana"), "update", Thing("x", "", "+14155550132"), changes)
    assert entry.object_name == "…0132"
    assert entry.changes == {"to": [None, "…0132"], "long": "changed", "deep": [None, {"a": ["…0132"]}]}
