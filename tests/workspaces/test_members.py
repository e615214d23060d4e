"""Somebody always owns a workspace, and who is an owner no more left no way back."""

import threading

import pytest
from django.db import connection, transaction

from postcall.workspaces.invitations import invite
from postcall.workspaces.members import CannotChange, address_of, change_role, hold, named_once, remove, rename
from postcall.workspaces.models import Invitation, Membership, User, Workspace

Role = Membership.Role


def a_workspace() -> Workspace:
    return Workspace.objects.create(name="Northgate Clinic")


def a_member(workspace: Workspace, name: str, role: str = Role.OWNER) -> Membership:
    person = User.objects.create(email=f"{name}@northgate.example")
    return Membership.objects.create(workspace=workspace, user=person, role=role)


@pytest.mark.django_db
def test_it_keeps_the_last_owner() -> None:
    workspace = a_workspace()
    only = a_member(workspace, "dana")
    a_member(workspace, "kim", Role.EDITOR)
    with pytest.raises(CannotChange, match="needs an owner"):
        change_role(only, Role.EDITOR)
    with pytest.raises(CannotChange, match="needs an owner"):
        remove(only)
    assert Membership.objects.get(pk=only.pk).role == Role.OWNER


@pytest.mark.django_db
def test_it_counts_no_owner_who_cannot_sign_in() -> None:
    workspace = a_workspace()
    only, gone = a_member(workspace, "dana"), a_member(workspace, "kim")
    User.objects.filter(pk=gone.user_id).update(is_active=False)
    with pytest.raises(CannotChange, match="needs an owner"):
        remove(only)


@pytest.mark.django_db(transaction=True)
def test_it_lets_two_owners_not_remove_each_other() -> None:
    workspace = a_workspace()
    dana, kim = a_member(workspace, "dana"), a_member(workspace, "kim")
    refused = []

    def remove_dana() -> None:
        try:
            remove(dana)
        except CannotChange as refusal:
            refused.append(str(refusal))
        finally:
            connection.close()

    other = threading.Thread(target=remove_dana)
    with transaction.atomic():
        remove(kim)
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join()
    assert len(refused) == 1
    assert workspace.memberships.get() == dana


@pytest.mark.django_db
def test_it_changes_nobody_by_who_owns_it_no_more_nor_who_has_left() -> None:
    workspace = a_workspace()
    a_member(workspace, "dana")
    kim, lee = a_member(workspace, "kim"), a_member(workspace, "lee", Role.VIEWER)
    hold(kim)
    Membership.objects.filter(pk=kim.pk).update(role=Role.EDITOR)
    with pytest.raises(CannotChange, match="no more"):
        hold(kim)
    Membership.objects.filter(pk=lee.pk).delete()
    for change in (lambda: change_role(lee, Role.OWNER), lambda: remove(lee)):
        with pytest.raises(CannotChange, match="no member any more"):
            change()


@pytest.mark.parametrize(
    "typed",
    ["dana", "vıctim@x.example", "\u212aim@x.example", "a@exımple.org", f"{'a' * 250}@x.example", "a@b\0.example"],
)
def test_it_takes_nothing_for_an_address_that_could_stand_for_anothers(typed: str) -> None:
    with pytest.raises(CannotChange) as refused:
        address_of(typed)
    assert refused.value.field == "email"
    assert address_of(" Dana@X.Example ") == "Dana@x.example"


@pytest.mark.django_db
def test_it_says_that_a_name_was_given_away_this_very_moment() -> None:
    a_workspace()
    with pytest.raises(CannotChange, match="already"), named_once():
        a_workspace()


@pytest.mark.django_db
def test_it_withdraws_what_an_owner_had_open_as_they_go() -> None:
    workspace = a_workspace()
    a_member(workspace, "dana")
    kim = a_member(workspace, "kim")
    invite(workspace, "back-door@northgate.example", Role.OWNER, kim.user.email)
    invite(workspace, "lee@northgate.example", Role.EDITOR, "dana@northgate.example")
    assert change_role(kim, Role.VIEWER) == 1
    assert Invitation.objects.get().email == "lee@northgate.example"


@pytest.mark.django_db
def test_it_gives_each_workspace_a_name_of_its_own() -> None:
    workspace = a_workspace()
    Workspace.objects.create(name="Southgate Clinic")
    with pytest.raises(CannotChange, match="already"):
        rename(workspace, "southgate  clinic ")
    with pytest.raises(CannotChange, match="1 to 100"):
        rename(workspace, "  ")
    rename(workspace, " northgate  clinic ")
    assert Workspace.objects.get(pk=workspace.pk).name == "northgate clinic"
