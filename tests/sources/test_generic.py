"""A generic source: what the author's own code tells, as a transcript or as messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from postcall.sources.ended_call import EndedCall, Turn
from postcall.sources.kind import Ignored, Unreadable
from postcall.sources.platforms.generic import Generic

MESSAGES = [
    {"role": "system", "content": "You are the front desk."},
    {"role": "user", "content": "Tuesday, please.", "timestamp": "2026-03-04T10:00:02Z"},
    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "book", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": '{"reference": "X1"}'},
]


def read(**data: Any) -> EndedCall | Ignored:
    return Generic().parse(json.dumps({"type": "call.ended", "data": {"external_id": "c-1"} | data}).encode())


def refused(**data: Any) -> dict[str, str]:
    with pytest.raises(Unreadable) as error:
        read(**data)
    return dict(error.value.errors)


def test_it_reads_messages_in_place_of_a_transcript() -> None:
    ended = read(messages=MESSAGES, started_at="2026-03-04T10:00:00Z")
    assert isinstance(ended, EndedCall)
    assert ended.transcript == [
        Turn(role="customer", text="Tuesday, please.", at=2),
        Turn(role="tool", text="book called with {}", tool="book"),
        Turn(role="tool", text='book answered {"reference": "X1"}', tool="book"),
    ]
    assert ended.variables.action_results == {"book": {"reference": "X1"}}
    assert "messages" not in ended.model_dump(exclude_defaults=True)


def test_it_takes_a_result_that_was_told_before_one_that_was_found() -> None:
    ended = read(messages=MESSAGES, variables={"action_results": {"book": {"reference": "X9"}, "other": 1}})
    assert isinstance(ended, EndedCall)
    assert ended.variables.action_results == {"book": {"reference": "X9"}, "other": 1}


def test_it_wants_a_transcript_or_messages() -> None:
    transcript = [{"role": "agent", "text": "Hello"}]
    assert "one of the two" in refused(messages=MESSAGES, transcript=transcript)["data.messages"]
    assert isinstance(read(messages=[], transcript=transcript), EndedCall)


def test_it_says_which_message_is_none() -> None:
    assert "data.messages.1" in refused(messages=[MESSAGES[0], "Hello"])


def test_it_stores_no_character_that_the_database_cannot_hold() -> None:
    ended = read(
        messages=[
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "bo\x00ok"}}]},
            {"role": "tool", "tool_call_id": "c", "content": '{"a\\u0000": "\\ud800"}'},
        ]
    )
    assert isinstance(ended, EndedCall)
    assert ended.variables.action_results == {"bo�ok": {"a�": "�"}}
