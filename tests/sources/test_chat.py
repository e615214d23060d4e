"""Conversations as agents hand them to chat models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from postcall.sources.chat import conversation, result_of
from postcall.sources.ended_call import Turn

START = datetime(2026, 3, 4, 10, tzinfo=UTC)


def call_of(name: str, arguments: Any, call_id: str = "call_1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_it_reads_messages_of_openais_form() -> None:
    read = conversation(
        [
            {"role": "system", "content": "You are the front desk. Never say no."},
            {"role": "assistant", "content": "Northgate Clinic, good morning."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Tuesday,"}, {"type": "text", "text": "please."}],
            },
            {"role": "assistant", "content": None, "tool_calls": [call_of("book", '{"day": "Tuesday"}')]},
            {"role": "tool", "tool_call_id": "call_1", "content": '{"reference": "X1"}'},
            {"role": "developer", "content": "Say goodbye."},
            {"role": "assistant", "content": "Your reference is X1."},
        ]
    )
    assert read.turns == [
        Turn(role="agent", text="Northgate Clinic, good morning."),
        Turn(role="customer", text="Tuesday, please."),
        Turn(role="tool", text='book called with {"day": "Tuesday"}', tool="book"),
        Turn(role="tool", text='book answered {"reference": "X1"}', tool="book"),
        Turn(role="agent", text="Your reference is X1."),
    ]
    assert read.results == {"book": {"reference": "X1"}}


def test_it_reads_calls_of_the_first_generation_and_of_the_responses_api() -> None:
    read = conversation(
        [
            {"role": "assistant", "content": "", "function_call": {"name": "price", "arguments": "{}"}},
            {"role": "function", "name": "price", "content": "42"},
            {"type": "function_call", "call_id": "c", "name": "book", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "done"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
        ]
    )
    assert read.results == {"price": {"result": "42"}, "book": {"result": "done"}}
    assert [turn.text for turn in read.turns][-1] == "Done."


def test_it_reads_anthropics_blocks() -> None:
    answer = [{"type": "text", "text": '{"reference": "X1"}'}]
    read = conversation(
        [
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "One moment."},
                    {"type": "tool_use", "id": "t", "name": "book", "input": {"day": "Tuesday"}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": answer}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": "gone", "is_error": True}],
            },
        ]
    )
    assert [(turn.role, turn.text) for turn in read.turns] == [
        ("agent", "One moment."),
        ("tool", 'book called with {"day": "Tuesday"}'),
        ("tool", 'book answered {"reference": "X1"}'),
        ("tool", "book answered gone"),
    ]
    assert read.results == {"book": {"reference": "X1"}}


def test_it_knows_what_pipecat_writes_in_place_of_a_result() -> None:
    def answer(content: str) -> dict[str, Any]:
        return {"role": "tool", "tool_call_id": "call_1", "content": content}

    asked = {"role": "assistant", "tool_calls": [call_of("book", "{}")]}
    running = conversation([asked, answer("IN_PROGRESS")])
    assert (len(running.turns), running.results) == (1, {})
    cancelled = conversation([asked, answer("CANCELLED")])
    assert (cancelled.turns[-1].text, cancelled.results) == ("book answered CANCELLED", {})
    assert conversation([asked, answer("COMPLETED")]).results == {"book": {"result": "COMPLETED"}}


def test_it_takes_the_answer_of_a_tool_that_worked_while_pipecats_agent_talked_on() -> None:
    def notice(status: str, **more: str) -> str:
        return json.dumps(
            {"type": "async_tool", "status": status, "tool_call_id": "call_1", "description": "…"} | more
        )

    read = conversation(
        [
            {"role": "assistant", "tool_calls": [call_of("book", "{}")]},
            {"role": "tool", "tool_call_id": "call_1", "content": notice("running")},
            {"role": "developer", "content": notice("running", result='{"step": 1}')},
            {"role": "developer", "content": notice("finished", result='{"reference": "X1"}')},
        ]
    )
    assert [turn.text for turn in read.turns] == ["book called with {}", 'book answered {"reference": "X1"}']
    assert read.results == {"book": {"reference": "X1"}}
    cancelled = notice("finished", result="CANCELLED: this call was cancelled")
    assert conversation([{"role": "developer", "content": cancelled}]).results == {}


def test_it_reads_the_time_of_a_message_where_it_has_one() -> None:
    read = conversation(
        [
            {"role": "user", "content": "One", "at": 1.5},
            {"role": "user", "content": "Two", "timestamp": "2026-03-04T10:00:02Z"},
            {"role": "user", "content": "Three", "created_at": START.timestamp() + 3},
            {"role": "user", "content": "Before", "timestamp": "2026-03-04T09:00:00Z"},
        ],
        START,
    )
    assert [turn.at for turn in read.turns] == [1.5, 2, 3, None]


def test_it_keeps_what_an_unknown_role_says_as_nobodys_words() -> None:
    assert conversation([{"role": "narrator", "content": "The line drops."}]).turns == [
        Turn(role="system", text="The line drops.")
    ]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ("{'reference': 'X1', 'paid': True, 'at': None, 3: (1, 2)}",
         {"reference": "X1", "paid": True, "at": None, "3": [1, 2]}),
        ("{'day': datetime.date(2026, 3, 4)}", {"result": "{'day': datetime.date(2026, 3, 4)}"}),
        ("{'much': 1e999}", {"result": "{'much': 1e999}"}),
        ("{__import__('os')}", {"result": "{__import__('os')}"}),
        ("{(1, 2): 3}", {"result": "{(1, 2): 3}"}),
        ("{no such day", {"result": "{no such day"}),
        ("[" * 5000, {"result": "[" * 5000}),
        ('["a", "b"]', {"result": ["a", "b"]}),
        ({"reference": "X1"}, {"reference": "X1"}),
    ],
)  # fmt: skip
def test_it_reads_what_a_tool_answered_as_json_or_as_python_writes_it(answer: Any, result: Any) -> None:
    assert result_of(answer) == result


def test_it_reads_a_result_whose_call_is_gone_as_a_turn_alone() -> None:
    read = conversation([{"role": "tool", "tool_call_id": "lost", "content": "7"}])
    assert (read.turns, read.results) == ([Turn(role="tool", text="tool answered 7")], {})


def test_it_reads_what_is_no_conversation_at_all_as_nothing() -> None:
    odd: list[Any] = [None, 7, "x", [], {}, {"role": None}, {"role": "user"}, {"role": "user", "content": 7}]
    assert conversation(odd).turns == []
