"""What of a condition is looked at in any language: its letters, its length, words that belong elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from postcall.actions.conditions.written import FEW_WORDS, LONGEST, Written, hint
from postcall.actions.english import is_english, sentence, stated, words_in
from postcall.actions.message import BRACES, PLACEHOLDER
from postcall.actions.warning import Warning

_SHOUTED_LETTERS: Final = 8


def shouting(written: Written) -> Iterator[Warning]:
    letters = [letter for letter in PLACEHOLDER.sub("", written.text) if letter.isalpha()]
    large = sum(letter.isupper() for letter in letters)
    if len(letters) >= _SHOUTED_LETTERS and large > 0.6 * len(letters):
        better = sentence(written.text.lower())
        yield hint(
            "shouting_condition", "Capital letters tell a judge nothing more; write it as a sentence", better
        )


def long(written: Written) -> Iterator[Warning]:
    if len(written.text) <= LONGEST:
        return
    first = re.split(r"(?<=[.;!])\s", written.text, maxsplit=1)[0].rstrip(".;!")
    better = first if 20 <= len(first) <= LONGEST and len(words_in(first)) > FEW_WORDS else None
    yield hint(
        "long_condition",
        f"{len(written.text)} characters; the more a condition says, the more there is to be unsure of. "
        "Say the one thing that must have happened",
        better,
    )


_WEB: Final = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_GREETING: Final = re.compile(
    r"(?:hi|hello|hey|dear|hola|hallo|bonjour|good (?:morning|afternoon|evening))\b[ ,!]|"
    r"(?:thanks|thank you) for\b(?!.*\b(?:when|after|if)\b)",
    re.IGNORECASE,
)


def message_words(written: Written) -> Iterator[Warning]:
    if _GREETING.match(written.text) or _WEB.search(written.text):
        yield hint(
            "message_in_condition",
            "These are words of a text; they belong under Message. Say here what must have happened in the call",
            written.example,
        )
        return
    if PLACEHOLDER.search(written.text) or BRACES.search(written.text):
        yield hint(
            "placeholder_in_condition",
            "A condition is not filled in: the judge would read the placeholder as it stands. Say what is meant",
            _spelled_out(written.text),
        )


_WHOM: Final = re.compile(r"customer|caller|client|name|user|guest|patient|lead", re.IGNORECASE)


def _spelled_out(text: str) -> str:
    def said(name: str) -> str:
        return "the caller" if _WHOM.search(name) else f"the {' '.join(words_in(name.replace('_', ' ')))}"

    text = re.sub(r"\{\{?\s*([\w .]+?)\s*\}?\}", r"<\1>", text)
    text = re.sub(r"\b(?:the|a|an)\s+(?=<)", "", text, flags=re.IGNORECASE)
    return sentence(re.sub(r"<([\w .]+)>", lambda found: said(found[1]), text))


def question(written: Written) -> Iterator[Warning]:
    if not written.text.endswith("?"):
        return
    better = stated(written.text) if is_english(written.text) else None
    yield hint("question", "Say it, do not ask it: what must have happened for the text to go out", better)
