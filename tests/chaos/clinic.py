"""What calls come in and which texts must come of them: three agents with one, two and three actions."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

AREAS = (201, 202, 203, 205, 206, 207, 212, 213, 214, 215, 216, 217, 301, 302, 303, 312, 313, 314, 404, 405, 415)
MESSAGES = (
    "Thanks for your call, <name>. It is noted under <word>.",
    "Hi <name>, we keep <word> for you.",
    "<name>, please say <word> when you come.",
)
_NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal")


@dataclass(frozen=True)
class Text:
    """What a recipient must get, exactly once."""

    to: str
    body: str


@dataclass(frozen=True)
class Call:
    """One ended call as the platform reports it. `texts` must come of it."""

    external_id: str
    to: str
    body: dict[str, Any]
    texts: tuple[Text, ...]


def number(nth: int) -> str:
    """The nth fictional number, past those that the stand-in gives a fate."""
    area, line = divmod(nth, 9_800)
    return f"+1{AREAS[area]}555{line + 200:04}"


def calls(tag: str, count: int, seed: int, first_number: int) -> list[Call]:
    """`count` calls whose ids, numbers and texts are nobody else's. `tag` is made of letters."""
    chance = random.Random(seed)
    return [_call(tag, nth, chance, number(first_number + nth)) for nth in range(count)]


def _call(tag: str, nth: int, chance: random.Random, to: str) -> Call:
    actions = chance.choice((1, 2, 3))
    name = chance.choice(_NAMES)
    word = f"{tag}{_letters(nth)}"
    body = {
        "external_id": f"{tag}-{nth}",
        "agent": f"desk-{actions}",
        "customer_number": to,
        "connected": True,
        "transcript": [
            {"role": "agent", "text": "Lakeside clinic, good morning."},
            {"role": "customer", "text": "Good morning, I would like to know your opening hours please."},
        ],
        "variables": {"collected": {"name": name, "word": word}},
    }
    texts = tuple(Text(to, _filled(message, name, word)) for message in MESSAGES[:actions])
    return Call(f"{tag}-{nth}", to, body, texts)


def _filled(message: str, name: str, word: str) -> str:
    return message.replace("<name>", name).replace("<word>", word)


def _letters(nth: int) -> str:
    """A number in letters: a value out of a call must not look like a phone number."""
    letters = ""
    while True:
        nth, rest = divmod(nth, 26)
        letters = chr(ord("a") + rest) + letters
        if not nth:
            return letters
