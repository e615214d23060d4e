"""How the parts of a condition hang together: denials, exceptions, and beside or."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from postcall.actions.conditions.written import FEW_WORDS, START, WHO, Written, hint
from postcall.actions.english import BASE, is_verb, sentence, words_in
from postcall.actions.warning import Warning

_NO: Final = (
    r"(?:not|never|no|without|nobody|none|(?:do|does|did|was|were|is|has|have|had|could|would)n['’]t|"
    r"cannot|can['’]t)"
)
_TWICE_NO: Final = re.compile(
    rf"\b{_NO}\b(?:\s+\w+){{0,2}}?\s+(?P<no>declin(?:e|ed)|refus(?:e|ed)|reject(?:ed)?|object(?:ed)?|"
    rf"fail(?:ed)?(?: to)?|disagree[d]?|"
    r"say no|said no|unsuccessful|unhappy|unable|impossible|uninterested|not)\b(?!\s+(?:only|just|yet))",
    re.IGNORECASE,
)
_TWICE: Final[dict[str, tuple[str, str]]] = {
    "declin": ("agreed to", "agreed"),
    "refus": ("agreed to", "agreed"),
    "reject": ("accepted", "accepted"),
    "object": ("agreed", "agreed"),
    "disagree": ("agreed", "agreed"),
    "say no": ("said yes", "said yes"),
    "said no": ("said yes", "said yes"),
}


def double_negation(written: Written) -> Iterator[Warning]:
    found = _TWICE_NO.search(written.text)
    if found:
        yield hint(
            "double_negation",
            "Two denials in one sentence are easily read the wrong way round; say what did happen",
            _affirmed(written.text, found) or written.example,
        )


def _affirmed(text: str, found: re.Match[str]) -> str | None:
    no, rest = found["no"].lower(), text[found.end() :].lstrip()
    before = re.sub(r"\s*\b(?:do|does|did|has|have|had|was|were|is|could|would)\s*$", "", text[: found.start()])
    if not before.strip():
        return None
    if no == "unsuccessful":
        return sentence(f"{before} was successful {rest}")
    if no.startswith("fail"):
        verb, _, more = rest.partition(" ")
        past = next((past for past, base in BASE.items() if base == verb.lower()), None)
        return sentence(f"{before} {past} {more}") if past else None
    for start, (with_object, alone) in _TWICE.items():
        if no.startswith(start):
            return sentence(f"{before} {with_object if rest else alone} {re.sub(r'^to ', '', rest)}")
    return None


_UNLESS: Final = re.compile(
    r"\b(?:unless|except(?: (?:if|when|for))?|but not (?:if|when)|only if not)\b", re.IGNORECASE
)


def unless(written: Written) -> Iterator[Warning]:
    exceptions = list(_UNLESS.finditer(written.text))
    if len(exceptions) > 1:
        better = sentence(written.text[: exceptions[0].start()])
        yield hint(
            "exceptions",
            "Exceptions to exceptions are read differently by everybody. Say the one thing that must have "
            "happened, and make "
            "another action of the other case",
            better if len(words_in(better)) >= FEW_WORDS else written.example,
        )
    elif exceptions and exceptions[0].start() == 0:
        yield hint(
            "exceptions",
            "This says only when not to send. Say what must have happened for the text to go out",
            _turned_round(written.text) or written.example,
        )


def _turned_round(text: str) -> str | None:
    """`Unless they booked` as `If they did not book`."""
    found = re.fullmatch(rf"unless ({WHO}) (\w+)\b(.*)", text, re.IGNORECASE)
    if not found:
        return None
    who, verb, rest = found[1], found[2].lower(), found[3].rstrip(".")
    if verb in ("is", "are", "was", "were", "has", "have", "had"):
        return f"If {who} {verb} not{rest}"
    return f"If {who} did not {BASE[verb]}{rest}" if verb in BASE else None


_JOINED: Final = re.compile(
    r"\s*,?\s+(and/or|and|or)\s+(?:(?:also|then|additionally|if|when|even)\s+)?", re.IGNORECASE
)


def mixed(written: Written) -> Iterator[Warning]:
    text = written.text.rstrip(".")
    parts = _JOINED.split(text)
    joints = [joint.lower() for joint in parts[1::2]]
    if "and/or" in joints:
        yield hint(
            "and_or",
            "“And/or” leaves open whether one is enough",
            re.sub(r"\band/or\b", "or", written.text),
            re.sub(r"\band/or\b", "and", written.text),
        )
        return
    if set(joints) != {"and", "or"} or re.search(r"\b(?:either|both|one of|all of)\b", text, re.IGNORECASE):
        return
    clauses, kinds = _clauses(parts)
    if set(kinds) == {"and", "or"} and len(clauses) == 3:
        yield hint(
            "and_or",
            "“And” beside “or” can be read in two ways: say which belong together, or make two actions",
            *_both_readings(clauses, kinds),
        )


def _clauses(parts: list[str]) -> tuple[list[str], list[str]]:
    """The parts that say that something happened, and how they are joined; a list of nouns is one part."""
    clauses, kinds = [parts[0]], []
    for joint, part in zip(parts[1::2], parts[2::2], strict=True):
        words = words_in(part)[:3]
        if any(is_verb(word) or word in BASE.values() for word in words) and words[0] != "to":
            clauses.append(part)
            kinds.append(joint.lower())
        else:
            clauses[-1] += f" {joint} {part}"
    return clauses, kinds


def _both_readings(clauses: list[str], kinds: list[str]) -> tuple[str, str]:
    a, b, c = clauses
    who = re.match(rf"(?:{START} )?{WHO} ", a, re.IGNORECASE)
    lead = who[0] if who else (m[0] if (m := re.match(rf"{START} ", a, re.IGNORECASE)) else "")
    a = a[len(lead) :]
    b, c = (re.sub(rf"^{WHO} ", "", each, flags=re.IGNORECASE) if who else each for each in (b, c))
    if kinds == ["and", "or"]:
        return (
            sentence(f"{lead}{a} and, in the same call, either {b} or {c}"),
            sentence(f"{lead}either both {a} and {b}, or {c}"),
        )
    return (
        sentence(f"{lead}either {a}, or both {b} and {c}"),
        sentence(f"{lead}either {a} or {b}, and in any case {c}"),
    )
