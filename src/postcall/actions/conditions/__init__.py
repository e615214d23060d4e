"""Reads a condition as its judge will have to: what of it cannot be heard in a call, and how it would be said so
that it can. The words are those of English; of other languages only what any language shares is looked at."""

from __future__ import annotations

from typing import Final

from postcall.actions.conditions.heard import mind_reading, outside_the_call
from postcall.actions.conditions.instead import bare_noun, every_call, instruction
from postcall.actions.conditions.joined import double_negation, mixed, unless
from postcall.actions.conditions.left_open import few_words, vague_words
from postcall.actions.conditions.shape import long, message_words, question, shouting
from postcall.actions.conditions.surely import first_or_second_person, known_without_judge
from postcall.actions.conditions.written import Check, Written
from postcall.actions.english import is_english
from postcall.actions.warning import Warning


def about_condition(text: str, message: str = "") -> list[Warning]:
    """What a judge could not make out, in the order in which it should be mended. A suggestion is the whole
    condition in better words."""
    written = Written(" ".join(text.split()), message)
    if not written.text:
        return []
    found = [warning for check in _ANY_LANGUAGE for warning in check(written)]
    if not is_english(written.text):
        return found
    # What is no condition at all is told alone: its other faults go with it.
    for check in _INSTEAD:
        if told := list(check(written)):
            return [*found, *told]
    found += [warning for check in _ENGLISH for warning in check(written)]
    return found or list(vague_words(written)) or list(few_words(written))


_ANY_LANGUAGE: Final[tuple[Check, ...]] = (shouting, long, message_words, question)
_INSTEAD: Final[tuple[Check, ...]] = (every_call, instruction, known_without_judge, bare_noun)
_ENGLISH: Final[tuple[Check, ...]] = (
    first_or_second_person, outside_the_call, mind_reading, double_negation, unless, mixed, vague_words,
)  # fmt: skip
