"""An ended call as its author's own code tells it: by the API, or by a generic webhook."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from postcall.sources.chat import conversation
from postcall.sources.ended_call import EndedCall

_EXAMPLE = [
    {"role": "assistant", "content": "Northgate Clinic, good morning."},
    {"role": "user", "content": "I would like to come on Tuesday."},
]


class ToldCall(EndedCall):
    """One ended phone call. The words are given as `transcript`, or as `messages`."""

    messages: list[dict[str, Any]] = Field(
        default_factory=list,
        description=(
            "In place of `transcript`: the messages of a chat model, as OpenAI writes them. `assistant` is the "
            "agent, `user` the customer; `tool_calls` and messages of the role `tool` become turns and "
            "`action_results`; `system` and `developer` are instructions, and left out."
        ),
        examples=[_EXAMPLE],
    )

    @field_validator("messages")
    @classmethod
    def _in_place_of_the_transcript(cls, value: list[dict[str, Any]], info: ValidationInfo) -> list[dict[str, Any]]:
        if value and info.data.get("transcript"):
            raise ValueError("give `transcript` or `messages`, one of the two")
        return value

    @model_validator(mode="after")
    def _read(self) -> Self:
        if self.messages:
            said = conversation(self.messages, self.started_at)
            self.transcript, self.messages = said.turns, []
            self.variables.action_results = said.results | self.variables.action_results
        return self
