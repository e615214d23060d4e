"""Who belongs to a workspace: roles change and people leave, and somebody always owns it."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from postcall.workspaces.models import Invitation, Membership, User, Workspace
from postcall.workspaces.scope import locked

LONGEST_NAME: Final = 100
LAST_OWNER: Final = "A workspace needs an owner, and there is no other: make somebody else one first."


class CannotChange(Exception):
    """Why a member or a workspace is not changed so, in words; `field` is what it is about."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@transaction.atomic
def change_role(membership: Membership, role: str) -> int:
    """Returns how many open invitations went, which an owner who is none any more had made. Raises CannotChange."""
    if role not in Membership.Role.values:
        raise CannotChange("Choose a role.", "role")
    _another_owner_stays(membership, role)
    membership.role = role
    membership.save(update_fields=["role"])
    return 0 if role == Membership.Role.OWNER else _withdraw_invitations_of(membership)


@transaction.atomic
def remove(membership: Membership) -> int:
    """From the person's next click on; what they did stays in the log. Returns as `change_role` does. Raises
    CannotChange."""
    _another_owner_stays(membership, None)
    withdrawn = _withdraw_invitations_of(membership)
    membership.delete()
    return withdrawn


def _another_owner_stays(membership: Membership, role: str | None) -> None:
    """Two owners who remove each other at the same moment wait for one another here."""
    locked(membership.workspace)
    if role != Membership.Role.OWNER and is_last_owner(membership):
        raise CannotChange(LAST_OWNER)


def is_last_owner(membership: Membership) -> bool:
    """Whether nobody would own the workspace without them."""
    owners = Membership.objects.filter(
        workspace=membership.workspace_id, role=Membership.Role.OWNER, user__is_active=True
    )
    return not owners.exclude(pk=membership.pk).exists()


def _withdraw_invitations_of(membership: Membership) -> int:
    """What somebody who is no owner any more may have kept a way back by."""
    made = Invitation.objects.filter(workspace=membership.workspace, invited_by=membership.user.email)
    return made.delete()[0]


@transaction.atomic
def rename(workspace: Workspace, name: str) -> None:
    """Raises CannotChange."""
    here = locked(workspace)
    here.name = free_name(name, here)
    here.save(update_fields=["name"])


def free_name(name: str, for_workspace: Workspace | None = None) -> str:
    """The name as it is kept. Raises CannotChange where it is none, or another workspace's."""
    kept = " ".join(name.split())
    if not kept or len(kept) > LONGEST_NAME:
        raise CannotChange(f"Give it a name of 1 to {LONGEST_NAME} characters.", "workspace_name")
    others = Workspace.objects.filter(name__iexact=kept)
    if for_workspace is not None:
        others = others.exclude(pk=for_workspace.pk)
    if others.exists():
        raise CannotChange("There is a workspace of that name already: choose another.", "workspace_name")
    return kept


def owns_something(person: User) -> bool:
    return Membership.objects.filter(user=person, role=Membership.Role.OWNER).exists()
