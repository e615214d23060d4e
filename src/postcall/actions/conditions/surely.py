"""What needs no reading: who is meant is said, and what is known of a call for sure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from postcall.actions.conditions.written import START, Written, hint, without
from postcall.actions.english import BASE, PAST, sentence, third_person
from postcall.actions.warning import Warning


def first_or_second_person(written: Written) -> Iterator[Warning]:
    found = re.match(rf"({START}\s+|)(?:(you)|(i|we))(?:['’](?:ve|re|d|m))?\b\s*", written.text, re.IGNORECASE)
    if not found or not written.text[found.end() :]:
        return
    rest = re.sub(r"\byourself\b", "themselves", written.text[found.end() :], flags=re.IGNORECASE)
    start = sentence(found[1]) or "If"
    verb, _, more = rest.partition(" ")
    if verb.lower() in ("am", "are"):
        verb = "is"
    elif verb.lower() in PAST and verb.lower() not in BASE:
        verb = third_person(verb.lower())
    rest = f"{verb} {more}".rstrip()
    caller, agent = f"{start} the caller {rest}", f"{start} the agent {rest}"
    yield hint(
        "who_is_meant",
        f"A judge does not know who “{(found[2] or found[3])}” is: say the caller, or the agent",
        *((caller, agent) if found[2] else (agent, caller)),
    )


_UNIT: Final = {"s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1}
_NUMBER_WORDS: Final = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "ten": 10,
    "thirty": 30,
}
_AMOUNT: Final = (
    r"\b(?P<n>\d+(?:[.,]\d+)?|a|an|one|two|three|four|five|ten|thirty)"
    r"[ -]?(?P<unit>s|secs?|seconds?|m|mins?|minutes?)"
)
_AMOUNT_SPOKEN: Final = _AMOUNT.replace("?P<n>", "?P<n2>").replace("?P<unit>", "?P<unit2>")
_LENGTH: Final = re.compile(
    r"\b(?:call|conversation)(?:['’]s)?\b[^.;]{0,25}?\b(?:last(?:s|ed|ing)?|took|takes|longer|shorter|more|less|"
    r"over|under|at least|exceed(?:s|ed)|is|was)\b[^.;]{0,25}?" + _AMOUNT + r"\b"
    r"|\b(?:long|short)(?:er)? (?:call|conversation)|\b(?:call|conversation) (?:duration|length|was (?:long|"
    r"short))|"
    r"\bduration\b|\b(?:speaks?|spoke|talk(?:s|ed)?) (?:for )?(?:more|longer|less) than " + _AMOUNT_SPOKEN + r"\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(
    r"\b(?:(?:caller|customer|phone|calling|their|mobile|cell)(?:['’]?s)? (?:phone )?number|number|area code|"
    r"caller id) "
    r"(?:is(?! (?:given|asked|provided|confirmed|told|wrong|requested))|starts|begins|ends|contains|=|equals|"
    r"matches)|"
    r"\b(?:calls?|called|calling) from (?:the number |a number )?\+?\(?\d|\barea code\b",
    re.IGNORECASE,
)
_MACHINE: Final = re.compile(
    rf"(?:{START} )?(?:(?:it|this|that|the call) )?(?:(?:was|is|it['’]s|were|be|goes|went|got|gets|reach(?:ed|"
    rf"es)|hit|"
    r"sent|going) )?(?:not )?"
    r"(?:(?:answered|picked up|sent|taken|going|straight) )*(?:by |to |on |into |an? |the |not )*"
    r"(?:voice ?mail|answering machine|mailbox|machine)(?: (?:was|is|has been|picks|picked))?"
    r"(?: (?:reached|detected|up|answered|answers))?"
    rf"|(?:{START} )?(?:nobody|no ?one|the (?:caller|customer)|they) (?:answers?|answered|(?:does|did|do) "
    rf"?n[o'’]t answer|"
    r"(?:does|did|do)n['’]t (?:answer|pick up)|picks? up|picked up)(?: the (?:call|phone))?"
    rf"|(?:{START} )?(?:the |a )?(?:call )?(?:(?:was|is) )?(?:missed(?: call)?|not (?:answered|connected)|"
    rf"unanswered|"
    r"busy|no answer)(?: call)?",
    re.IGNORECASE,
)
_DIRECTION: Final = re.compile(
    rf"(?:{START} )?(?:for )?(?:the |this |it |on |all |an? )*(?:(?:call )?(?:is|was|['’]s) )?(?:an? )?"
    r"(?P<way>inbound|outbound|incoming|outgoing)(?: calls?)?(?: only)?",
    re.IGNORECASE,
)


def known_without_judge(written: Written) -> Iterator[Warning]:
    told = _rule_in_its_place(written.text)
    if told:
        yield hint("needs_no_judge", told, without(written.text, _rule_in_its_place))


def _rule_in_its_place(text: str) -> str:
    if found := _LENGTH.search(text):
        seconds = _seconds(found)
        less = re.search(r"\b(?:short|shorter|less|under)\b", found[0], re.IGNORECASE)
        value = f" {'less' if less else 'greater'} than {seconds}" if seconds else ", compared with a number"
        rule = f"“Its length in seconds”{value}"
        return f"How long a call was is known for sure: on the agent’s page set the rule {rule}"
    if _NUMBER.search(text):
        return (
            "The number is known for sure: on the agent’s page set the rule “The customer’s number” is, or contains"
        )
    if _MACHINE.fullmatch(text.rstrip(".")):
        return (
            "A call that reached a machine or nobody is not judged, and no text follows it; say what must have "
            "happened in a call with a person"
        )
    if found := _DIRECTION.fullmatch(text.rstrip(".")):
        way = {"incoming": "inbound", "outgoing": "outbound"}.get(found["way"].lower(), found["way"].lower())
        return f"Who called whom is known for sure: on the agent’s page set the rule “Inbound or outbound” is {way}"
    return ""


def _seconds(found: re.Match[str]) -> int | None:
    number, unit = found["n"] or found["n2"], found["unit"] or found["unit2"]
    if not number:
        return None
    amount = _NUMBER_WORDS.get(number.lower()) or float(number.replace(",", "."))
    return round(amount * _UNIT.get(unit.lower(), 60))
