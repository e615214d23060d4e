"""The one shape in which every voice platform's report of an ended call enters Postcall."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field, field_validator

from postcall.shapes import Identifier, Strict, Text, storable_json

Role = Literal["agent", "customer", "system", "tool"]
Direction = Literal["inbound", "outbound"]
Ending = Literal[
    "customer_hung_up",
    "agent_hung_up",
    "hung_up",
    "transferred",
    "voicemail",
    "no_answer",
    "busy",
    "failed",
    "canceled",
    "too_long",
    "silence",
    "error",
]
"""How a call ended, in one language for all platforms. `hung_up`: somebody did, and the platform does not say who;
`failed`: it never came about; `error`: something broke while it went on; `too_long`: the platform's limit."""
Removed = Literal["transcript", "customer_number", "variables"]
"""What a platform took out of its report before it sent it."""

DO_NOT_TEXT: Final = "do_not_text"
"""The hint, true, with which a platform says that the customer may not want to be called or texted again."""

NOT_REACHED: Final = frozenset({"no_answer", "busy", "failed", "canceled"})

MAX_TURNS = 5_000
MAX_TURN_CHARS = 20_000
MAX_WAIT = timedelta(hours=1)


class Turn(Strict):
    role: Role
    text: Annotated[Text, Field(max_length=MAX_TURN_CHARS)]
    at: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="Seconds since the call's start.")
    tool: Annotated[Text, Field(max_length=255)] | None = Field(
        default=None, description="With the role `tool`: which one was called, or answered."
    )


class Variables(Strict):
    """What is known beside the words, each in the namespace that says who knew it."""

    pre_call: dict[str, Any] = Field(default_factory=dict, description="Given to the platform with the call.")
    collected: dict[str, Any] = Field(default_factory=dict, description="Collected by the agent during the call.")
    extracted: dict[str, Any] = Field(default_factory=dict, description="Extracted by the platform after it.")
    action_results: dict[str, Any] = Field(
        default_factory=dict, description="By tool or action name: what it answered during the call."
    )

    @field_validator("pre_call", "collected", "extracted", "action_results")
    @classmethod
    def _storable(cls, value: dict[str, Any]) -> dict[str, Any]:
        return storable_json(value)  # type: ignore[no-any-return]  # a dict in is a dict out


class EndedCall(Strict):
    """One ended phone call as a source reports it, whatever the platform."""

    external_id: Identifier = Field(
        description="The platform's id of the call: the same id again is the same call."
    )
    agent: Identifier | None = Field(default=None, description="The platform's id of the agent, or Postcall's.")
    direction: Direction | None = None
    customer_number: Annotated[Text, Field(max_length=64)] | None = None
    agent_number: Annotated[Text, Field(max_length=64)] | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    end_reason: Annotated[Text, Field(max_length=255)] | None = None
    ending: Ending | None = Field(
        default=None, description="How it ended, in Postcall's words; `end_reason` has the platform's."
    )
    connected: bool | None = Field(
        default=None, description="False: nobody was reached. Unset: judged by the words."
    )
    final: bool = Field(default=True, description="False: a richer event follows; judged then, or at judge_after.")
    judge_after: AwareDatetime | None = Field(
        default=None,
        description="With final=false: when to judge if nothing richer came (default: two minutes).",
    )
    transcript: list[Turn] = Field(default_factory=list, max_length=MAX_TURNS)
    variables: Variables = Field(default_factory=Variables)
    redacted: list[Removed] = Field(
        default_factory=list,
        max_length=3,
        description="What the platform took out before it sent the call, such as for privacy.",
    )
    hints: dict[str, Any] = Field(
        default_factory=dict,
        description="What the platform makes of the call: a summary, a success flag. Shown, and never a reason to "
        "send; `do_not_text`: true holds what would be sent.",
    )
    also_known_as: list[Identifier] = Field(
        default_factory=list, max_length=10, description="Other ids by which later events of the platform name it."
    )

    @field_validator("hints")
    @classmethod
    def _storable(cls, value: dict[str, Any]) -> dict[str, Any]:
        return storable_json(value)  # type: ignore[no-any-return]  # a dict in is a dict out

    def wait_until(self, now: datetime) -> datetime:
        """When a call that is not final is judged at the latest."""
        asked = self.judge_after or now + timedelta(minutes=2)
        return max(now, min(asked, now + MAX_WAIT))
