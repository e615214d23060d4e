"""Who belongs to a workspace: roles change and people leave, and somebody always owns it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from postcall.workspaces.models import Invitation, Membership, User, Workspace
from postcall.workspaces.scope import locked

LONGEST_NAME: Final = 100
LONGEST_EMAIL: Final = 254
NAME_TAKEN: Final = "There is a workspace of that name already: choose another."
LAST_OWNER: Final = "A workspace needs an owner, and there is no other: make somebody else one first."


class CannotChange(Exception):
    """Why a member or a workspace is not changed so, in words; `field` is what it is about."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def address_of(typed: str) -> str:
    """An e-mail address as it is kept. Raises CannotChange where it is none.

    Letters beyond ASCII are none of an address: capitals of some are those of plain ones, so one person's address
    could be made to stand for another's.
    """
    address = User.objects.normalize_email(typed.strip())
    try:
        validate_email(address)
    except ValidationError:
        address = ""
    if not address.isascii() or not 0 < len(address) <= LONGEST_EMAIL:
        raise CannotChange("Type an e-mail address, such as dana@example.org.", "email")
    return address


def hold(by: Membership) -> None:
    """Nobody else changes the workspace's members until this transaction ends. Raises CannotChange where `by`, who
    is about to, owns it no more."""
    locked(by.workspace)
    if not Membership.objects.filter(pk=by.pk, role=Membership.Role.OWNER).exists():
        raise CannotChange("You own this workspace no more.")


def refresh(membership: Membership) -> None:
    """What they are by now. Raises CannotChange where they are no member any more."""
    try:
        membership.refresh_from_db(fields=["role"])
    except Membership.DoesNotExist:
        raise CannotChange("They are no member any more.") from None


@transaction.atomic
def change_role(membership: Membership, role: str) -> int:
    """Returns how many open invitations went, which an owner who is none any more had made. Raises CannotChange."""
    if role not in Membership.Role.values:
        raise CannotChange("Choose a role.", "role")
    _another_owner_stays(membership, role)
    membership.role = role
    membership.save(update_fields=["role"])
    return 0 if role == Membership.Role.OWNER else withdraw_invitations_of(membership)


@transaction.atomic
def remove(membership: Membership) -> int:
    """From the person's next click on; what they did stays in the log. Returns as `change_role` does. Raises
    CannotChange."""
    _another_owner_stays(membership, None)
    withdrawn = withdraw_invitations_of(membership)
    membership.delete()
    return withdrawn


def _another_owner_stays(membership: Membership, role: str | None) -> None:
    """Two owners who remove each other at the same moment wait for one another here."""
    locked(membership.workspace)
    refresh(membership)
    if role != Membership.Role.OWNER and is_last_owner(membership):
        raise CannotChange(LAST_OWNER)


def is_last_owner(membership: Membership) -> bool:
    """Whether nobody would own the workspace without them."""
    owners = Membership.objects.filter(
        workspace=membership.workspace_id, role=Membership.Role.OWNER, user__is_active=True
    )
    return not owners.exclude(pk=membership.pk).exists()


def withdraw_invitations_of(membership: Membership) -> int:
    """What somebody who is no owner any more may have kept a way back by; returns how many."""
    made = Invitation.objects.filter(workspace=membership.workspace, invited_by=membership.user.email)
    return made.delete()[0]


@transaction.atomic
def rename(workspace: Workspace, name: str) -> None:
    """Raises CannotChange."""
    here = locked(workspace)
    here.name = free_name(name, here)
    with named_once():
        here.save(update_fields=["name"])


@contextmanager
def named_once() -> Iterator[None]:
    """Around what gives a workspace a name that was free a moment ago. Raises CannotChange where it is not now."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise CannotChange(NAME_TAKEN, "workspace_name") from None


def free_name(name: str, for_workspace: Workspace | None = None) -> str:
    """The name as it is kept. Raises CannotChange where it is none, or another workspace's."""
    kept = " ".join(name.split())
    if not kept or len(kept) > LONGEST_NAME:
        raise CannotChange(f"Give it a name of 1 to {LONGEST_NAME} characters.", "workspace_name")
    others = Workspace.objects.filter(name__iexact=kept)
    if for_workspace is not None:
        others = others.exclude(pk=for_workspace.pk)
    if others.exists():
        raise CannotChange(NAME_TAKEN, "workspace_name")
    return kept


def owns_something(person: User) -> bool:
    return Membership.objects.filter(user=person, role=Membership.Role.OWNER).exists()
