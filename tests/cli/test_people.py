"""Tenants, people and keys from the command line."""

import json

import pytest

from postcall.workspaces.invitations import invite
from postcall.workspaces.models import ApiKey, Invitation, Membership, User, Workspace

from .conftest import Run

EMAIL = "dana@northgate.example"


def role() -> str:
    return Membership.objects.get(user__email=EMAIL).role


def test_it_prints_a_workspace_with_brackets_as_it_is(on_database: Run) -> None:
    ended = on_database("workspace", "create", "North [/bold] [gate]")
    assert ended.code == 0
    assert "North [/bold] [gate]" in ended.out
    assert on_database("workspace", "create", "North [/bold] [gate]").code == 1


def test_it_lists_keys_and_revokes_one_by_how_it_begins(on_database: Run) -> None:
    secret = on_database("key", "create", "--name", "[/x] till").out.strip()
    listed = on_database("key", "list")
    assert "[/x] till" in listed.out
    assert secret not in listed.out
    assert on_database("key", "revoke", secret[:7]).code == 0
    assert ApiKey.objects.get(digest=ApiKey.digest_of(secret)).revoked_at is not None
    assert on_database("key", "revoke", secret[:7]).code == 1


def test_it_revokes_a_key_by_its_id_and_by_itself(on_database: Run) -> None:
    row, _ = ApiKey.issue(Workspace.objects.create(name="Northgate Clinic"), "till", ApiKey.Scope.READ)
    _, secret = ApiKey.issue(row.workspace, "till", ApiKey.Scope.READ)
    assert on_database("key", "revoke", str(row.pk)).code == 0
    assert on_database("key", "revoke", secret).code == 0
    assert not ApiKey.objects.filter(revoked_at=None).exists()


def test_it_asks_which_key_when_several_begin_so(on_database: Run) -> None:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    keys = [ApiKey.issue(workspace, "till", ApiKey.Scope.READ, f"pc_same{n}")[0] for n in range(2)]
    ended = on_database("key", "revoke", "pc_same")
    assert ended.code == 1
    assert str(keys[0].pk) in ended.err


def test_it_lists_the_keys_of_one_workspace(on_database: Run) -> None:
    ApiKey.issue(Workspace.objects.create(name="Northgate Clinic"), "till", ApiKey.Scope.READ)
    ApiKey.issue(Workspace.objects.create(name="Southgate Clinic"), "desk", ApiKey.Scope.READ)
    rows = json.loads(on_database("key", "list", "--workspace", "Northgate Clinic", "--json").out)
    assert [row["name"] for row in rows] == ["till"]


def test_it_keeps_role_and_password_of_somebody_it_knows(on_database: Run) -> None:
    made = json.loads(on_database("user", "create", EMAIL, "--role", "viewer", "--json").out)
    again = on_database("user", "create", EMAIL)
    assert role() == "viewer"
    assert "password stays" in again.err
    assert User.objects.get(email=EMAIL).check_password(made["password"])


@pytest.mark.parametrize(("given", "then"), [("editor", "editor"), ("owner", "owner")])
def test_it_changes_a_role_that_is_given(on_database: Run, given: str, then: str) -> None:
    on_database("user", "create", EMAIL, "--role", "viewer", "--json")
    on_database("user", "create", EMAIL, "--role", given)
    assert role() == then


@pytest.mark.parametrize("way_out", [("remove", EMAIL), ("create", EMAIL, "--role", "editor")])
def test_it_leaves_no_invitation_of_an_owner_who_goes(on_database: Run, way_out: tuple[str, ...]) -> None:
    on_database("user", "create", EMAIL, "--json")
    home = Membership.objects.get(user__email=EMAIL).workspace
    invite(home, "back-door@northgate.example", Membership.Role.OWNER, EMAIL)
    assert on_database("user", *way_out).code == 0
    assert not Invitation.objects.exists()
