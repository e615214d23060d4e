"""Making, changing and deleting actions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator

from postcall.actions.bindings import Binding, dump
from postcall.actions.message import MAX_LENGTH, PLACEHOLDER, inputs_of
from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.editing import Conflict, Invalid, Name
from postcall.shapes import Strict, Text
from postcall.workspaces.models import Workspace

MAX_INPUTS = 50


class InputsUnbound(Conflict):
    """The new message has inputs that attachments which are switched on do not bind.

    `missing` lists, by attachment, the names.
    """

    def __init__(self, missing: Mapping[Attachment, list[str]]) -> None:
        where = "; ".join(
            f"the agent “{attachment.agent.name}” ({attachment.mode}) lacks {', '.join(names)}"
            for attachment, names in missing.items()
        )
        super().__init__(
            f"the new message has inputs that nothing is bound to: {where}. Send `bindings` with this request "
            "(by agent id, attachment id or “*” for all), or switch these attachments off first",
            "bindings",
        )
        self.missing = dict(missing)


class ChangedMeanwhile(Conflict):
    """Somebody else saved the action since it was read. `action` is as it stands now."""

    def __init__(self, action: Action) -> None:
        super().__init__("somebody else saved this action meanwhile: look at both before you save yours")
        self.action = action


class Archived(Conflict):
    """The action is archived: it has to be restored before anything is done with it."""

    def __init__(self) -> None:
        super().__init__("this action is archived: restore it first")


def sendable(message: str) -> str:
    if not message.strip():
        raise ValueError("may not be empty")
    fixed = PLACEHOLDER.sub("", message)
    if len(fixed) > MAX_LENGTH:
        raise ValueError(f"{len(fixed)} characters beside its inputs; a text holds {MAX_LENGTH:,} at most")
    if len(inputs_of(message)) > MAX_INPUTS:
        raise ValueError(f"more than {MAX_INPUTS} inputs")
    return message


class ActionContent(Strict):
    """What one says of an action."""

    type: Literal["post_call_sms"] = "post_call_sms"
    name: Name = Field(examples=["Booking confirmation"])
    message: Annotated[Text, Field(min_length=1, max_length=6_000), AfterValidator(sendable)] = Field(
        description="The text; `<name>` stands for an input, which each attachment binds.",
        examples=["Hi <customer_name>, your appointment is confirmed for <appointment_date>."],
    )
    condition: Annotated[Text, Field(max_length=2_000)] | None = Field(
        default=None,
        description="When it goes out, in plain words. Required unless `always`.",
        examples=["After scheduling an appointment"],
    )
    always: StrictBool = Field(
        default=False, description="True: after every connected call, in place of a condition."
    )
    urgency: Literal["now", "window"] = Field(
        default="now", description="`window`: only inside the workspace's send window."
    )
    send_within_s: StrictInt = Field(
        default=86_400, ge=60, le=2_592_000, description="Seconds that it may wait (window, approval) at most."
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        said = bool(self.condition and self.condition.strip())
        if said and self.always:
            raise ValueError("`always` stands in place of a condition: give one of the two")
        if not said and not self.always:
            raise ValueError('a `condition` is required; to text after every connected call, say "always": true')
        return self

    @property
    def words(self) -> dict[str, Any]:
        """What makes a revision."""
        return {
            "message": self.message,
            "condition": (self.condition or "").strip(),
            "always": self.always,
            "urgency": self.urgency,
            "send_within_s": self.send_within_s,
        }


# By attachment id, agent id or "*" (every attachment), then by input.
BindingsByAttachment = dict[str, dict[str, Binding]]


def create_action(workspace: Workspace, content: ActionContent) -> Action:
    with transaction.atomic():
        action = Action.objects.create(workspace=workspace, type=content.type, name=content.name)
        return _revise(action, content, number=1)


@transaction.atomic
def update_action(
    action: Action,
    content: ActionContent,
    bindings: BindingsByAttachment | None = None,
    *,
    switch_off: Collection[UUID] = (),
    seen: datetime | None = None,
) -> Action:
    """A new revision when the words changed, none when only the name did.

    `bindings` are added to the attachments that they name; those of `switch_off` are off afterwards. `seen` is the
    `updated_at` of what the editor read. Raises InputsUnbound when an attachment that is switched on would lack
    one, Invalid when `bindings` names what there is not, ChangedMeanwhile when the action is not as it was `seen`,
    Archived.
    """
    action = locked(action)
    if action.deleted_at is not None:
        raise Archived
    if seen is not None and action.updated_at != seen:
        raise ChangedMeanwhile(action)
    attachments = _locked_attachments(action)
    inputs = inputs_of(content.message)
    _bind(attachments, bindings or {}, inputs)
    _switch_off([attachment for attachment in attachments if attachment.pk in switch_off])
    if missing := _lacking(attachments, inputs):
        raise InputsUnbound(missing)
    action.name = content.name
    present = action.revision
    assert present is not None
    if all(getattr(present, name) == value for name, value in content.words.items()):
        action.save(update_fields=["name", "updated_at"])
        return action
    return _revise(action, content, number=present.number + 1)


@transaction.atomic
def delete_action(action: Action) -> None:
    """Its revisions and what they sent stay; it is detached from every agent."""
    action = locked(action)
    now = timezone.now()
    action.deleted_at = now
    action.save(update_fields=["deleted_at", "updated_at"])
    action.attachments.filter(deleted_at=None).update(deleted_at=now)


@transaction.atomic
def restore_action(action: Action) -> Action:
    """An archived action as it was, attached to nobody. One that is not archived stays as it is."""
    action = locked(action)
    action.deleted_at = None
    action.save(update_fields=["deleted_at", "updated_at"])
    return action


def content_of(action: Action, revision: Revision) -> ActionContent:
    """What one would say to make the action what `revision` was, under its present name."""
    return ActionContent(
        name=action.name,
        message=revision.message,
        condition=revision.condition or None,
        always=revision.always,
        urgency=revision.urgency,
        send_within_s=revision.send_within_s,
    )


@transaction.atomic
def lacking(action: Action, message: str) -> dict[Attachment, list[str]]:
    """By attachment that is switched on, which inputs of `message` it binds to nothing; they stay so until the
    caller's transaction ends."""
    return _lacking(_locked_attachments(locked(action)), inputs_of(message))


def locked(action: Action) -> Action:
    """The action, whose words nobody changes until this transaction ends.

    Its revision is read after the lock was got: one joined in the same statement may be of before it, and then
    PostgreSQL finds no row at all.
    """
    return Action.objects.select_for_update().get(pk=action.pk)


def unbound(attachment: Attachment, inputs: list[str]) -> list[str]:
    """The inputs that the attachment binds to nothing, in their order."""
    return [name for name in inputs if name not in attachment.inputs]


def _revise(action: Action, content: ActionContent, number: int) -> Action:
    action.revision = Revision.objects.create(
        action=action, number=number, inputs=inputs_of(content.message), **content.words
    )
    action.save(update_fields=["name", "revision", "updated_at"])
    return action


def _locked_attachments(action: Action) -> list[Attachment]:
    attachments = list(action.attachments.select_for_update().filter(deleted_at=None).order_by("pk"))
    agents = {attachment.pk: attachment.agent for attachment in action.attachments.select_related("agent")}
    for attachment in attachments:
        attachment.agent = agents[attachment.pk]
    return attachments


def _lacking(attachments: list[Attachment], inputs: list[str]) -> dict[Attachment, list[str]]:
    return {
        attachment: names
        for attachment in attachments
        if attachment.mode != Attachment.Mode.OFF and (names := unbound(attachment, inputs))
    }


def _switch_off(attachments: list[Attachment]) -> None:
    for attachment in attachments:
        attachment.mode = Attachment.Mode.OFF
        attachment.save(update_fields=["mode", "updated_at"])


def _bind(attachments: list[Attachment], bindings: BindingsByAttachment, inputs: list[str]) -> None:
    for key, by_input in bindings.items():
        meant = [
            attachment for attachment in attachments if key in ("*", str(attachment.pk), str(attachment.agent_id))
        ]
        if not meant:
            raise Invalid("no attachment of this action has this id, nor has its agent", f"bindings.{key}")
        for name in by_input:
            if name not in inputs:
                raise Invalid(f"the message has no input “{name}”", f"bindings.{key}.{name}")
        for attachment in meant:
            attachment.inputs |= {name: dump(binding) for name, binding in by_input.items()}
            attachment.save(update_fields=["inputs", "updated_at"])
