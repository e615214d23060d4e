"""Attaching an action to an agent, changing how, and detaching it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from pydantic import AfterValidator, Field

from postcall.actions.bindings import Binding, Rule, dump
from postcall.actions.editing import Archived, locked, unbound
from postcall.actions.models import Action, Attachment
from postcall.agents.editing import Conflict, Invalid
from postcall.agents.models import Agent
from postcall.numbers import e164
from postcall.shapes import Strict, Text

MAX_RULES = 20


class AlreadyAttached(Conflict):
    """The action is attached to this agent: one attachment an (agent, action)."""

    def __init__(self, attachment: Attachment) -> None:
        super().__init__(
            f"this action is attached to this agent already (attachment {attachment.pk}): change that one instead",
            "action_id",
        )
        self.attachment = attachment


class NotAllBound(Invalid):
    """A mode other than `off` needs every input bound. `names` are those that are not."""

    def __init__(self, mode: str, names: list[str]) -> None:
        super().__init__(
            f"mode “{mode}” needs every input bound; nothing is bound to {', '.join(names)}. "
            "Bind them in `inputs`, or save with mode “off”",
            "mode",
        )
        self.names = names


class AttachmentChanged(Conflict):
    """Somebody else saved or detached the attachment since it was read. `attachment` is as it stands now."""

    def __init__(self, attachment: Attachment) -> None:
        what = "detached" if attachment.deleted_at else "saved"
        super().__init__(f"somebody else {what} this meanwhile: look at both before you save yours")
        self.attachment = attachment


def _number(written: str) -> str:
    if number := e164(written):
        return number
    raise ValueError("a phone number with its country code is needed, such as +14155550100")


class AttachmentContent(Strict):
    """How an action is attached to an agent."""

    action_id: UUID
    mode: Literal["off", "shadow", "approve", "live"] | None = Field(
        default=None,
        description="Left out: `live` for a new attachment whose inputs are all bound, else `off`; "
        "a change keeps what was.",
    )
    on_unclear: Literal["hold", "skip"] = Field(
        default="hold", description="What an `unclear` verdict does: hold it for the operator, or skip it."
    )
    recipient_override: Annotated[Text, Field(max_length=64), AfterValidator(_number)] | None = Field(
        default=None, description="Text this number in place of the customer's.", examples=["+14155550180"]
    )
    only_if: list[Rule] = Field(
        default_factory=list, max_length=MAX_RULES, description="All must hold before anything is judged."
    )
    inputs: dict[str, Binding] = Field(
        default_factory=dict, description="By input: where its value comes from.", max_length=200
    )


@transaction.atomic
def attach(agent: Agent, action: Action, content: AttachmentContent) -> Attachment:
    """Raises Archived, AlreadyAttached, NotAllBound, or Invalid when `inputs` binds what the message lacks."""
    action = locked(action)
    if action.deleted_at is not None:
        raise Archived
    if there := Attachment.objects.filter(agent=agent, action=action, deleted_at=None).first():
        raise AlreadyAttached(there)
    attachment = Attachment(workspace=agent.workspace, agent=agent, action=action, inputs={})
    _apply(attachment, action, content)
    attachment.mode = content.mode or ("off" if _missing(attachment, action) else "live")
    _refuse_unbound(attachment, action)
    try:
        with transaction.atomic():
            attachment.save(force_insert=True)
    except IntegrityError:
        raise AlreadyAttached(Attachment.objects.get(agent=agent, action=action, deleted_at=None)) from None
    return attachment


@transaction.atomic
def update_attachment(
    attachment: Attachment, content: AttachmentContent, *, seen: datetime | None = None
) -> Attachment:
    """Makes the attachment what `content` says. `seen` is the `updated_at` of what the editor read.

    Raises NotAllBound, Invalid, or AttachmentChanged when it is not as it was `seen`.
    """
    action = locked(attachment.action)
    if seen is not None:
        present = Attachment.objects.select_for_update().get(pk=attachment.pk)
        if present.updated_at != seen or present.deleted_at:
            raise AttachmentChanged(present)
        attachment = present
    if content.action_id != action.pk:
        raise Invalid("an attachment keeps its action: attach the other one as well, and detach this", "action_id")
    _apply(attachment, action, content)
    attachment.mode = content.mode or attachment.mode
    _refuse_unbound(attachment, action)
    attachment.save()
    return attachment


def detach(attachment: Attachment) -> None:
    """Nothing more is decided by it; what it decided stays. Attaching the action again is allowed."""
    attachment.deleted_at = timezone.now()
    attachment.save(update_fields=["deleted_at", "updated_at"])


def _apply(attachment: Attachment, action: Action, content: AttachmentContent) -> None:
    inputs = _inputs(action)
    for name in content.inputs:
        if name not in inputs:
            known = ", ".join(inputs) or "none"
            raise Invalid(f"the message has no input “{name}” (it has: {known})", f"inputs.{name}")
    attachment.on_unclear = content.on_unclear
    attachment.recipient_override = content.recipient_override or ""
    attachment.only_if = [dump(rule) for rule in content.only_if]
    attachment.inputs = {name: dump(binding) for name, binding in content.inputs.items()}


def _refuse_unbound(attachment: Attachment, action: Action) -> None:
    missing = _missing(attachment, action)
    if missing and attachment.mode != Attachment.Mode.OFF:
        raise NotAllBound(attachment.mode, missing)


def _missing(attachment: Attachment, action: Action) -> list[str]:
    return unbound(attachment, _inputs(action))


def _inputs(action: Action) -> list[str]:
    assert action.revision is not None
    return action.revision.inputs
