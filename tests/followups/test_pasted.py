"""Reading a transcript that somebody pasted."""

from __future__ import annotations

import pytest

from postcall.followups.pasted import NotATranscript, read_pasted


@pytest.mark.parametrize(
    "text",
    [
        "Agent: Hello?\nCaller: Hi there",
        "bot: Hello?\n\nhuman: Hi there\n",
        "[00:01] **Assistant:** Hello?\n(0:04) **User**: Hi there",
        "AI (0:01): Hello?\nCustomer 0:04: Hi there",
        "- Voice agent : Hello?\r\n- client : Hi\nthere",
        '[{"role": "bot", "message": "Hello?"}, {"role": "user", "message": "Hi there"}]',
        '{"transcript": [{"role": "agent", "text": "Hello?"}, {"role": "customer", "content": "Hi there"}]}',
    ],
)
def test_it_reads_what_platforms_export(text: str) -> None:
    turns = [(turn.role, turn.text.replace("\n", " ")) for turn in read_pasted(text)]
    assert turns == [("agent", "Hello?"), ("customer", "Hi there")]


def test_it_leaves_colons_in_what_is_said() -> None:
    assert read_pasted("Agent: It is 9:40: ok?")[0].text == "It is 9:40: ok?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Paste a transcript"),
        ("Hello?\nCaller: Hi", "Line 1 does not say who speaks"),
        ("Agent: Hello?\nMaya: Hi", "Line 2 begins with “Maya:”"),
        ("Agent:\nCaller:", "Nobody says anything"),
        ('{"words": 1}', "holds no list of turns"),
        ('[{"role": "chef", "text": "x"}]', "Turn 1 of this JSON"),
        ("x" * 200_001, "200,001 characters"),
    ],
)
def test_it_says_how_a_transcript_should_be(text: str, said: str) -> None:
    with pytest.raises(NotATranscript, match=said):
        read_pasted(text)
