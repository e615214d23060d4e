"""Where an input's value comes from, and the plain rules that need no judge: the shapes and their checks."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from postcall.shapes import storable
from postcall.words import is_redacted, says_nothing

Format = Literal["date", "time", "datetime", "number", "money"]
Allowed = Literal["digits", "url", "phone", "line_breaks", "long"]
SystemName = Literal[
    "call_id", "customer_number", "agent_number", "from_number", "to_number", "direction",
    "started_at", "ended_at", "duration_s", "agent_name", "business_name",
]  # fmt: skip

_PATH = re.compile(r"[^.\s][^.]*(\.[^.]+)*")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Fixed(_Shape):
    """The same value in every message."""

    from_: Literal["fixed"] = Field(alias="from")
    value: str | int | float

    @field_validator("value")
    @classmethod
    def _something(cls, value: str | int | float) -> str | int | float:
        if isinstance(value, str) and not value.strip():
            raise ValueError("a fixed value may not be empty")
        return storable(value) if isinstance(value, str) else value


class _Found(_Shape):
    """A value that the call brings. `fallback` is what is sent where the call does not bring it."""

    fallback: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    format: Format | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = Field(
        default=None,
        description="With format `money`: an ISO 4217 code; default: the currency of the agent's locale.",
    )
    allow: list[Allowed] = Field(
        default_factory=list,
        description="What a value out of the call may hold beside plain words; else the follow-up is held.",
    )

    @field_validator("fallback")
    @classmethod
    def _says_something(cls, value: str | None) -> str | None:
        if value is not None and (says_nothing(value) or is_redacted(value)):
            raise ValueError("a fallback has to be something to send; leave it out to send nothing")
        return value


class System(_Found):
    """A fact about the call itself."""

    from_: Literal["system"] = Field(alias="from")
    name: SystemName


class Named(_Found):
    """A variable of one namespace, by its name or dotted path."""

    from_: Literal["collected", "extracted", "pre_call"] = Field(alias="from")
    name: Annotated[str, Field(min_length=1, max_length=255)]

    @field_validator("name")
    @classmethod
    def _path(cls, value: str) -> str:
        return dotted(value)


class ActionResult(_Found):
    """A value out of what a tool answered during the call."""

    from_: Literal["action_result"] = Field(alias="from")
    action: Annotated[str, Field(min_length=1, max_length=255)]
    name: Annotated[str, Field(min_length=1, max_length=255)]

    @field_validator("name")
    @classmethod
    def _path(cls, value: str) -> str:
        return dotted(value)


class Ask(_Found):
    """A value that our judge reads out of the transcript."""

    from_: Literal["ask"] = Field(alias="from")
    description: Annotated[str, Field(min_length=3, max_length=500)]
    example: Annotated[str, Field(max_length=200)] = ""


Binding = Annotated[Fixed | System | Named | ActionResult | Ask, Field(discriminator="from_")]
BINDINGS: TypeAdapter[dict[str, Binding]] = TypeAdapter(dict[str, Binding])


class Rule(_Shape):
    """A plain rule about a value of the call; all of an attachment's rules must hold before anything is judged."""

    from_: Literal["collected", "extracted", "pre_call", "action_result", "system"] = Field(alias="from")
    action: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=255)]
    is_: Literal["present", "absent", "equals", "not_equals", "contains", "greater", "less"] = Field(alias="is")
    value: str | int | float | bool | None = None

    @field_validator("name")
    @classmethod
    def _path(cls, value: str) -> str:
        return dotted(value)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.from_ == "action_result" and self.action is None:
            raise ValueError("`action` is needed: the tool whose result is looked at")
        if self.from_ != "action_result" and self.action is not None:
            raise ValueError("`action` belongs to rules from action_result only")
        if self.is_ in ("present", "absent"):
            if self.value is not None:
                raise ValueError(f"`{self.is_}` takes no `value`")
        elif self.value is None:
            raise ValueError(f"`{self.is_}` needs a `value`")
        if self.is_ in ("greater", "less") and isinstance(self.value, bool):
            raise ValueError(f"`{self.is_}` needs a number or a date as `value`")
        return self


RULES: TypeAdapter[list[Rule]] = TypeAdapter(list[Rule])


def dotted(path: str) -> str:
    """A name or a dotted path such as `plan.name`."""
    if not _PATH.fullmatch(path):
        raise ValueError("a name, or a dotted path such as plan.name")
    return storable(path)


def dump(shape: BaseModel) -> dict[str, Any]:
    """The JSON form, as CONTRACT has it: `from` and `is`, nothing that was left unsaid."""
    return shape.model_dump(mode="json", by_alias=True, exclude_defaults=True)
