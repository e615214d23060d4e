"""Making, changing and deleting agents; and the errors that every kind of editing raises.

CannotEdit
├── Invalid      what is asked for makes no sense as it stands; `field` is where
└── Conflict     it would make sense, were it not for something else that exists
    ├── ExternalIdTaken
    └── AgentChanged
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal, Self, cast
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError
from django.db import IntegrityError, transaction
from django.utils import timezone as clock
from pydantic import AfterValidator, Field, StrictBool, field_validator, model_validator

from postcall.agents.models import Agent, ExternalId
from postcall.numbers import e164
from postcall.shapes import Identifier, Strict, Text
from postcall.workspaces.models import Workspace

SourceName = Literal[
    "api", "generic", "synthflow", "vapi", "retell", "elevenlabs", "bland", "telnyx", "livekit", "twilio"
]


class CannotEdit(Exception):
    """The text is one sentence for a person; `field` is the dotted path of what it is about, where there is one."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Invalid(CannotEdit):
    pass


class Conflict(CannotEdit):
    pass


class ExternalIdTaken(Conflict):
    """Another living agent of the workspace has this id already."""

    def __init__(self, taken: ExternalId, field: str) -> None:
        super().__init__(
            f"the {taken.source_kind} id “{taken.external_id}” belongs to the agent “{taken.agent.name}” already: "
            "take it from that agent first",
            field,
        )
        self.agent = taken.agent


class AgentChanged(Conflict):
    """Somebody else saved the agent since it was read. `agent` is as it stands now."""

    def __init__(self, agent: Agent) -> None:
        super().__init__("somebody else saved this agent meanwhile: look at both before you save yours")
        self.agent = agent


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("may not be empty")
    return text.strip()


Name = Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(_filled)]

_SHORT_CODE = re.compile(r"\d{3,8}")
_SENDER_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}")


def sender_number(written: str) -> str:
    """A number, short code or alphanumeric sender as Twilio takes it; ValueError when it is none."""
    text = written.strip()
    if _SHORT_CODE.fullmatch(text) or _SENDER_NAME.fullmatch(text):
        return text
    if number := e164(text):
        return number
    raise ValueError("a phone number with its country code, such as +14155550100, a short code or a sender name")


FromNumber = Annotated[Text, Field(max_length=64), AfterValidator(sender_number)]
MessagingServiceSid = Annotated[str, Field(pattern="^MG[0-9a-fA-F]{32}$")]


class SenderChoice(Strict):
    """Who an agent's texts come from: exactly one of the three."""

    from_number: FromNumber | None = Field(default=None, examples=["+14155550100"])
    messaging_service_sid: MessagingServiceSid | None = None
    follow_agent_number: StrictBool = Field(default=False, description="The number that the call was on.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(map(bool, (self.from_number, self.messaging_service_sid, self.follow_agent_number))) != 1:
            raise ValueError("give exactly one of from_number, messaging_service_sid and follow_agent_number: true")
        return self


class ExternalIdContent(Strict):
    """A platform's id of an agent."""

    source: SourceName = Field(description="The kind of source that uses it; `api` for POST /calls.")
    id: Identifier


class AgentContent(Strict):
    """What one says of an agent."""

    name: Name = Field(examples=["Front desk"])
    external_ids: list[ExternalIdContent] = Field(
        default_factory=list,
        max_length=50,
        description="By which ids voice platforms name it; unique in the workspace.",
    )
    timezone: str = Field(default="UTC", description="An IANA time zone.", examples=["America/New_York"])
    locale: str = Field(default="en-US", description="Language and country.", examples=["en-US"])
    business_name: Annotated[Text, Field(max_length=100)] = Field(default="", examples=["Northgate Clinic"])
    sender: SenderChoice | None = Field(default=None, description="Null: the workspace's sender.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("no such time zone; an IANA name such as America/New_York is needed")
        return value

    @field_validator("locale")
    @classmethod
    def _known_locale(cls, value: str) -> str:
        try:
            return str(Locale.parse(value.replace("-", "_"))).replace("_", "-")
        except (ValueError, UnknownLocaleError, TypeError):
            raise ValueError("no such locale; language and country such as en-US are needed") from None

    @field_validator("external_ids")
    @classmethod
    def _distinct(cls, value: list[ExternalIdContent]) -> list[ExternalIdContent]:
        if len({(external.source, external.id) for external in value}) != len(value):
            raise ValueError("the same id stands here twice")
        return value


@transaction.atomic
def create_agent(workspace: Workspace, content: AgentContent) -> Agent:
    """Raises ExternalIdTaken when another agent has one of the ids."""
    agent = Agent.objects.create(workspace=workspace, **_columns(content))
    _set_external_ids(agent, content)
    return agent


@transaction.atomic
def update_agent(agent: Agent, content: AgentContent, *, seen: datetime | None = None) -> Agent:
    """Makes the agent, which the caller has locked, what `content` says, its external ids included. `seen` is the
    `updated_at` of what the editor read.

    Raises ExternalIdTaken, or AgentChanged when it is not as it was `seen`.
    """
    if seen is not None and agent.updated_at != seen:
        raise AgentChanged(agent)
    for name, value in _columns(content).items():
        setattr(agent, name, value)
    agent.save()
    _set_external_ids(agent, content)
    return agent


@transaction.atomic
def delete_agent(agent: Agent) -> None:
    """Its calls and their follow-ups stay; its ids are free again, and nothing is attached to it any more."""
    now = clock.now()
    agent.deleted_at = now
    agent.save(update_fields=["deleted_at", "updated_at"])
    agent.external_ids.update(live=False)
    agent.attachments.filter(deleted_at=None).update(deleted_at=now)


@transaction.atomic
def add_external_id(agent: Agent, source_kind: str, external_id: str) -> None:
    """Without effect where the agent has it already. Raises ExternalIdTaken."""
    kept = [*agent.external_ids.filter(live=True).order_by("pk")]
    if any((row.source_kind, row.external_id) == (source_kind, external_id) for row in kept):
        return
    content = content_of(agent)
    added = ExternalIdContent.model_validate({"source": source_kind, "id": external_id})
    content.external_ids.append(added)
    _set_external_ids(agent, content)
    # Who has an older version before them would take the id away again.
    agent.save(update_fields=["updated_at"])


def content_of(agent: Agent) -> AgentContent:
    """The agent as it is, as one would say it."""
    known = agent.external_ids.filter(live=True).order_by("pk")
    return AgentContent.model_construct(
        name=agent.name,
        external_ids=[
            ExternalIdContent.model_construct(source=cast(SourceName, row.source_kind), id=row.external_id)
            for row in known
        ],
        timezone=agent.timezone,
        locale=agent.locale,
        business_name=agent.business_name,
        sender=_sender_of(agent),
    )


def _sender_of(agent: Agent) -> SenderChoice | None:
    if not (agent.from_number or agent.messaging_service_sid or agent.follow_agent_number):
        return None
    return SenderChoice.model_construct(
        from_number=agent.from_number or None,
        messaging_service_sid=agent.messaging_service_sid or None,
        follow_agent_number=agent.follow_agent_number,
    )


def _columns(content: AgentContent) -> dict[str, str | bool]:
    sender = content.sender
    return {
        "name": content.name,
        "timezone": content.timezone,
        "locale": content.locale,
        "business_name": content.business_name.strip(),
        "from_number": (sender and sender.from_number) or "",
        "messaging_service_sid": (sender and sender.messaging_service_sid) or "",
        "follow_agent_number": bool(sender and sender.follow_agent_number),
    }


def _set_external_ids(agent: Agent, content: AgentContent) -> None:
    wanted = [(external.source, external.id) for external in content.external_ids]
    present = {(row.source_kind, row.external_id): row for row in agent.external_ids.filter(live=True)}
    gone = [row.pk for key, row in present.items() if key not in wanted]
    ExternalId.objects.filter(pk__in=gone).delete()
    new = [
        ExternalId(workspace=agent.workspace, agent=agent, source_kind=source, external_id=external_id)
        for source, external_id in wanted
        if (source, external_id) not in present
    ]
    _refuse_taken(agent, wanted)
    try:
        with transaction.atomic():
            ExternalId.objects.bulk_create(new)
    except IntegrityError:
        # Somebody gave one of them to another agent since the look above.
        _refuse_taken(agent, wanted)
        raise


def _refuse_taken(agent: Agent, wanted: list[tuple[SourceName, str]]) -> None:
    others = (
        ExternalId.objects.filter(
            workspace=agent.workspace, live=True, external_id__in=[external_id for _, external_id in wanted]
        )
        .exclude(agent=agent)
        .select_related("agent")
    )
    for row in others:
        for position, (source, external_id) in enumerate(wanted):
            if (row.source_kind, row.external_id) == (source, external_id):
                raise ExternalIdTaken(row, f"external_ids.{position}.id")
