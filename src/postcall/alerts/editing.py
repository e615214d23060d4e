"""Where alerts go, and of what they tell."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import transaction
from pydantic import Field, field_validator

from postcall.agents.editing import Conflict, Invalid
from postcall.alerts.matters import TOLD
from postcall.alerts.models import AlertChannel, AlertState, AlertWatch
from postcall.outbound.addresses import OutboundError, Resolver, look_up, read
from postcall.outbound.standard_webhook import new_secret
from postcall.shapes import Strict
from postcall.work import clock
from postcall.workspaces.members import LONGEST_EMAIL
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import locked, within

MOST_CHANNELS: Final = 10
MOST_HELD: Final = 100_000


class AlertContent(Strict):
    """Of which kinds nobody is told, and from how many held follow-ups on one is."""

    muted: list[str] = Field(default_factory=list)
    held_over: int = Field(ge=0, le=MOST_HELD)

    @field_validator("muted")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        return [kind.value for kind in TOLD if kind in value]


def watch_of(workspace: Workspace) -> AlertWatch:
    """The workspace's choices; what it never chose is not stored."""
    return within(workspace, AlertWatch).first() or AlertWatch(workspace=workspace)


def channels_of(workspace: Workspace) -> list[AlertChannel]:
    return list(within(workspace, AlertChannel).order_by("pk"))


@transaction.atomic
def set_watch(workspace: Workspace, content: AlertContent) -> None:
    """A kind that is told no more is forgotten: nobody hears that it is over."""
    watch = _stored_watch(locked(workspace))
    watch.muted, watch.held_over = content.muted, content.held_over
    watch.save(update_fields=["muted", "held_over"])


@transaction.atomic
def add_email(workspace: Workspace, address: str) -> AlertChannel:
    """Raises Invalid and Conflict."""
    try:
        EmailValidator("type an e-mail address, such as desk@example.com")(address)
    except ValidationError as error:
        raise Invalid(str(error.messages[0]), "email") from None
    if not address.isascii() or len(address) > LONGEST_EMAIL:
        raise Invalid(f"an e-mail address is made of ASCII letters, {LONGEST_EMAIL} at most", "email")
    return _add(workspace, AlertChannel.Kind.EMAIL, address, address, "")


def check_webhook(address: str, resolve: Resolver | None = None) -> None:
    """Raises Invalid where the address may not be asked, or leads nowhere. Takes as long as looking it up does."""
    try:
        look_up(address, resolve)
    except OutboundError as error:
        raise Invalid(str(error), "webhook") from None


@transaction.atomic
def add_webhook(workspace: Workspace, address: str) -> AlertChannel:
    """One that was checked, with a new secret. Raises Conflict."""
    return _add(workspace, AlertChannel.Kind.WEBHOOK, address, read(address).host_header[:255], new_secret())


def _add(workspace: Workspace, kind: str, address: str, shown: str, secret: str) -> AlertChannel:
    now = clock.now()
    watch = _stored_watch(locked(workspace))
    there = channels_of(workspace)
    if any(each.kind == kind and each.address.lower() == address.lower() for each in there):
        raise Conflict("alerts go there already", kind)
    if len(there) >= MOST_CHANNELS:
        raise Conflict(f"alerts go to {MOST_CHANNELS} places at most: remove one first", kind)
    channel = AlertChannel.objects.create(
        workspace=workspace, kind=kind, address=address, shown=shown, secret=secret, created_at=now
    )
    if watch.due_at is None:
        watch.due_at = now
        watch.save(update_fields=["due_at"])
    return channel


@transaction.atomic
def remove(channel: AlertChannel) -> None:
    """With what was sent there. Without any channel left, what was told is forgotten."""
    workspace = locked(channel.workspace)
    channel.delete()
    if not channels_of(workspace):
        within(workspace, AlertWatch).update(due_at=None, looked_at=None, told_at=None)
        within(workspace, AlertState).delete()


def _stored_watch(workspace: Workspace) -> AlertWatch:
    watch, _ = AlertWatch.objects.select_for_update(no_key=True).get_or_create(workspace=workspace)
    return watch
