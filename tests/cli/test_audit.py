"""What a command changes stands in the audit log, and `postcall audit` shows it."""

import json
from typing import Any

import pytest
from django.test import Client

from postcall.workspaces.models import AuditEntry, Membership, User

from .conftest import Run

EMAIL = "dana@northgate.example"


def told() -> list[tuple[str, str, Any]]:
    entries = AuditEntry.objects.filter(actor_kind="cli").order_by("id")
    return [(entry.verb, entry.object_kind, entry.changes) for entry in entries]


def test_it_notes_tenants_people_and_keys(on_database: Run) -> None:
    on_database("workspace", "create", "Southgate Clinic", "--from", "Default")
    on_database("user", "create", EMAIL, "--json")
    on_database("user", "create", EMAIL, "--role", "viewer")
    on_database("user", "create", EMAIL)
    on_database("user", "remove", EMAIL)
    secret = on_database("key", "create", "--scope", "read").out.strip()
    on_database("key", "revoke", secret)
    assert told() == [
        ("create", "workspace", {"from": [None, "Default"], "actions": [None, 0]}),
        ("create", "user", {"role": [None, "owner"]}),
        ("update", "user", {"role": ["owner", "viewer"]}),
        ("delete", "user", {"role": ["viewer", None]}),
        ("create", "key", {"scope": [None, "read"]}),
        ("revoke", "key", {}),
    ]
    assert secret not in json.dumps(list(AuditEntry.objects.values("object_name", "changes")))


def test_it_shows_who_changed_what(on_database: Run) -> None:
    on_database("key", "create", "--name", "[/x] till")
    shown = on_database("audit").out
    assert "[/x] till" in shown
    assert "scope" in shown
    (entry,) = json.loads(on_database("audit", "--object", "key", "--workspace", "Default", "--json").out)
    assert (entry["actor"]["kind"], entry["verb"], entry["workspace"]) == ("cli", "create", "Default")
    assert entry["changes"]["scope"] == [None, "admin"]
    assert "Nothing was changed" in on_database("audit", "--verb", "delete").err


def test_it_signs_a_person_out_everywhere_with_a_new_password(on_database: Run, client: Client) -> None:
    on_database("user", "create", EMAIL)
    person = User.objects.get(email=EMAIL)
    client.force_login(person)
    assert client.get("/").status_code == 302
    home = client.get("/")["Location"]
    made = json.loads(on_database("user", "password", EMAIL, "--json").out)
    assert client.get(home)["Location"].startswith("/sign-in")
    person.refresh_from_db()
    assert person.check_password(made["password"])
    assert told()[-1] == ("update", "user", {"password": "changed"})


def test_it_keeps_a_removed_person_out_at_once(on_database: Run, client: Client) -> None:
    on_database("user", "create", EMAIL)
    client.force_login(User.objects.get(email=EMAIL))
    home = client.get("/")["Location"]
    assert client.get(home).status_code == 200
    on_database("user", "remove", EMAIL)
    assert client.get(home).status_code == 404
    assert not Membership.objects.filter(user__email=EMAIL).exists()


@pytest.mark.parametrize("command", [("password", EMAIL), ("remove", EMAIL)])
def test_it_says_when_it_knows_nobody(on_database: Run, command: tuple[str, ...]) -> None:
    ended = on_database("user", *command)
    assert (ended.code, "nobody signs in as" in ended.err) == (1, True)
