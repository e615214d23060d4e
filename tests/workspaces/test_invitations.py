"""An invitation lets one person in, once, for a week; its token is nowhere to be read."""

from datetime import timedelta

import pytest
from django.core import serializers

from postcall.work import clock
from postcall.workspaces import invitations
from postcall.workspaces.invitations import InvitationOver, accept, invite, open_invitation, revoke
from postcall.workspaces.members import CannotChange
from postcall.workspaces.models import Invitation, Membership, User, Workspace

pytestmark = pytest.mark.django_db
Role = Membership.Role
KIM = "kim@northgate.example"


@pytest.fixture
def workspace() -> Workspace:
    return Workspace.objects.create(name="Northgate Clinic")


@pytest.fixture
def kim() -> User:
    return User.objects.create(email=KIM)


def test_it_lets_in_whom_it_was_made_for(workspace: Workspace, kim: User) -> None:
    made, token = invite(workspace, "Kim@Northgate.example", Role.VIEWER, "dana@northgate.example")
    assert open_invitation(token) == made
    assert accept(made, kim).role == Role.VIEWER
    assert open_invitation(token) is None


def test_it_lets_nobody_else_in(workspace: Workspace, kim: User) -> None:
    made, _ = invite(workspace, "lee@northgate.example", Role.OWNER, "dana@northgate.example")
    with pytest.raises(InvitationOver):
        accept(made, kim)
    assert not workspace.memberships.exists()


def test_it_works_once(workspace: Workspace, kim: User) -> None:
    made, _ = invite(workspace, KIM, Role.VIEWER, "dana@northgate.example")
    again = Invitation.objects.get(pk=made.pk)
    accept(made, kim)
    workspace.memberships.all().delete()
    with pytest.raises(InvitationOver):
        accept(again, kim)
    assert not workspace.memberships.exists()


def test_it_is_not_revoked_once_it_was_accepted(workspace: Workspace, kim: User) -> None:
    made, _ = invite(workspace, KIM, Role.VIEWER, "dana@northgate.example")
    again = Invitation.objects.get(pk=made.pk)
    accept(made, kim)
    with pytest.raises(InvitationOver):
        revoke(again)


def test_it_is_over_after_its_week(workspace: Workspace, kim: User) -> None:
    made, token = invite(workspace, KIM, Role.VIEWER, "dana@northgate.example")
    assert timedelta(days=6, hours=23) < made.expires_at - clock.now() <= timedelta(days=7)
    Invitation.objects.update(expires_at=clock.now())
    assert open_invitation(token) is None
    with pytest.raises(InvitationOver):
        accept(made, kim)


def test_it_counts_no_more_once_it_is_over(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MAX_OPEN", 1)
    invite(workspace, KIM, Role.VIEWER, "dana@northgate.example")
    with pytest.raises(CannotChange, match="are open"):
        invite(workspace, "lee@northgate.example", Role.VIEWER, "dana@northgate.example")
    Invitation.objects.update(expires_at=clock.now())
    invite(workspace, "lee@northgate.example", Role.VIEWER, "dana@northgate.example")
    assert Invitation.objects.count() == 2


def test_it_is_replaced_by_another_for_the_same_address(workspace: Workspace) -> None:
    _, first = invite(workspace, KIM, Role.OWNER, "dana@northgate.example")
    made, second = invite(workspace, KIM.upper(), Role.VIEWER, "dana@northgate.example")
    assert open_invitation(first) is None
    assert open_invitation(second) == made == Invitation.objects.get()


def test_it_leaves_the_role_of_who_became_a_member_meanwhile(workspace: Workspace, kim: User) -> None:
    made, _ = invite(workspace, KIM, Role.OWNER, "dana@northgate.example")
    Membership.objects.create(workspace=workspace, user=kim, role=Role.VIEWER)
    assert accept(made, kim).role == Role.VIEWER
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    ("email", "role", "field"),
    [("kim", "viewer", "email"), (KIM, "admin", "role"), ("MEMBER@x.example", "viewer", "email")],
)
def test_it_says_what_is_wrong_with_it(workspace: Workspace, email: str, role: str, field: str) -> None:
    member = User.objects.create(email="member@x.example")
    Membership.objects.create(workspace=workspace, user=member, role=Role.VIEWER)
    with pytest.raises(CannotChange) as refused:
        invite(workspace, email, role, "dana@northgate.example")
    assert refused.value.field == field


def test_it_keeps_only_a_digest_of_its_token(workspace: Workspace) -> None:
    made, token = invite(workspace, KIM, Role.VIEWER, "dana@northgate.example")
    assert len(token) >= 43
    assert token not in serializers.serialize("json", [Invitation.objects.get(pk=made.pk)])
