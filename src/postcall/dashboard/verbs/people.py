"""Letting people in and out, and what they may do; each said in the audit log in the same transaction."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from postcall.actions.copying import create_workspace
from postcall.dashboard.access import Visit
from postcall.dashboard.signing_in import tell
from postcall.workspaces import invitations, members, passwords
from postcall.workspaces.audit import CHANGED, Actor, Changes, Thing, record
from postcall.workspaces.models import Invitation, Membership, User, Workspace

# What is not possible raises CannotChange or InvitationOver, and then nothing is changed and nothing is recorded.


@transaction.atomic
def invite(visit: Visit, email: str, role: str) -> tuple[Invitation, str]:
    """The invitation and its link's token, for this once."""
    members.hold(visit.membership)
    made, token = invitations.invite(visit.workspace, email, role, visit.person.email)
    visit.record("invite", _about_invitation(made), {"role": [None, role]})
    return made, token


@transaction.atomic
def revoke(visit: Visit, invitation: Invitation) -> None:
    members.hold(visit.membership)
    invitations.revoke(invitation)
    visit.record("revoke", _about_invitation(invitation), {"role": [invitation.role, None]})


@transaction.atomic
def accept(invitation: Invitation, person: User) -> Membership:
    membership = invitations.accept(invitation, person)
    actor, role = Actor.of_person(person), [None, membership.role]
    record(invitation.workspace, actor, "accept", _about_invitation(invitation), {"role": role})
    return membership


@transaction.atomic
def join(invitation: Invitation, name: str, password: str) -> User:
    """Accepts as somebody who is not known yet."""
    person = User.objects.create_user(invitation.email, password, name=name)
    accept(invitation, person)
    return person


@transaction.atomic
def change_role(visit: Visit, membership: Membership, role: str) -> None:
    members.hold(visit.membership)
    members.refresh(membership)
    before = membership.role
    withdrawn = members.change_role(membership, role)
    visit.record("update", _about(membership.user), {"role": [before, role], **_told_of(withdrawn)})


@transaction.atomic
def remove(visit: Visit, membership: Membership) -> None:
    members.hold(visit.membership)
    withdrawn = members.remove(membership)
    visit.record("delete", _about(membership.user), {"role": [membership.role, None], **_told_of(withdrawn)})


def _told_of(withdrawn: int) -> dict[str, list[Any] | str]:
    return {"invitations_withdrawn": [None, withdrawn]} if withdrawn else {}


@transaction.atomic
def make_password_link(visit: Visit, person: User) -> tuple[str, str] | None:
    """Who and token of the link's address; None where it is not this owner's to make. Told in every workspace of
    theirs, as it opens all of them."""
    parts = passwords.link_by(visit.person, person)
    if parts is not None:
        tell(person, "password_link", Actor.of_person(visit.person))
    return parts


@transaction.atomic
def use_password_link(who: str, token: str, password: str) -> User | None:
    person = passwords.use_link(who, token, password)
    if person is not None:
        tell(person, "update", Actor.of_person(person), {"password": CHANGED, "by": [None, "a password link"]})
    return person


@transaction.atomic
def change_password(person: User, password: str) -> None:
    person.set_password(password)
    person.save(update_fields=["password"])
    tell(person, "update", Actor.of_person(person), {"password": CHANGED})


@transaction.atomic
def change_name(person: User, name: str) -> None:
    before, person.name = person.name, name
    person.save(update_fields=["name"])
    tell(person, "update", Actor.of_person(person), {"name": [before, name]})


@transaction.atomic
def sign_out_elsewhere(person: User) -> None:
    passwords.end_sessions(person)
    tell(person, "sign_out_elsewhere", Actor.of_person(person))


@transaction.atomic
def rename(visit: Visit, name: str) -> None:
    before = visit.workspace.name
    members.rename(visit.workspace, name)
    after = Workspace.objects.get(pk=visit.workspace.pk).name
    visit.record("update", Thing("workspace", visit.workspace.pk, after), {"name": [before, after]})


@transaction.atomic
def new_workspace(visit: Visit, name: str, source: Workspace | None) -> Workspace:
    """The person's own, with the actions and sending rules of `source`."""
    with members.named_once():
        made, actions = create_workspace(members.free_name(name), source)
    Membership.objects.create(workspace=made, user=visit.person, role=Membership.Role.OWNER)
    told: Changes = {"from": [None, source.name], "actions": [None, actions]} if source else {}
    record(made, Actor.of_person(visit.person), "create", Thing("workspace", made.pk, made.name), told)
    return made


@transaction.atomic
def dismiss_checklist(visit: Visit) -> None:
    Workspace.objects.filter(pk=visit.workspace.pk).update(checklist_dismissed=True)
    thing = Thing("workspace", visit.workspace.pk, visit.workspace.name)
    visit.record("update", thing, {"checklist_dismissed": [visit.workspace.checklist_dismissed, True]})


def _about(person: User) -> Thing:
    return Thing("user", person.pk, person.email)


def _about_invitation(invitation: Invitation) -> Thing:
    return Thing("invitation", invitation.pk, invitation.email)
