"""What cannot be heard in a call: the time after it, other systems, feelings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from postcall.actions.conditions.written import FEW_WORDS, OF_WHAT, START, TIME_FIRST, WHO, Written, hint, without
from postcall.actions.english import BASE, is_verb, sentence, words_in
from postcall.actions.warning import Warning

# What somebody says, wants or asks is heard in the call, whatever it is about.
_IN_WORDS: Final = re.compile(
    r"\b(?:sa(?:id|ys|ying)|ask(?:s|ed|ing)?|mention(?:s|ed)?|tell(?:s|ing)?|told|promis(?:es|ed)|agree[sd]?|"
    r"want(?:s|ed)?|"
    r"would like|offer(?:s|ed)?|confirm(?:s|ed)?|announc\w+|request(?:s|ed)?|plans?|intends?|prefers?|quer\w+|"
    r"inquir\w+|"
    r"enquir\w+|report(?:s|ed)?|question|about|schedul\w+|book(?:s|ed|ing)? (?:an?|the|for|in)|reserv\w+|whether|"
    r"state[sd]?|complain(?:s|ed)?|explain(?:s|ed)?|wish(?:es|ed)?|need(?:s|ed)?|call(?:ed)? back|agreed|details?|"
    r"order(?:s|ed)? (?:an?|the))\b",
    re.IGNORECASE,
)
_FUTURE: Final = re.compile(
    rf"\b{WHO} (?:(?:do|does|did)(?: not|n['’]t) )?(?:really )?"
    r"(?:(?P<shows>(?:shows?|turn(?:s|ed)?|showed) up|arrives?|arrived|comes? (?:in|back|by|again)|came (?:in|"
    r"back|by)|"
    r"visits? (?:us|the)|attend(?:s|ed)?)"
    r"|(?P<later>(?:pays?|books?|calls?|orders?|buys?|comes?|repl(?:y|ies)|answers?|cancels?|returns?|signs? up|"
    r"confirms?|"
    r"responds?|texts?)(?: \w+){0,3}? (?:later|tomorrow|again|next (?:day|week|month|time)|afterwards?|soon|in "
    r"the future|"
    r"online|by email|to (?:the|our|this) (?:text|message|sms)))"
    r"|(?P<will>(?:will|['’]ll|is going to|are going to|won['’]t|will not) .+))|\bno[- ]?shows?\b",
    re.IGNORECASE,
)
_OUTSIDE: Final = re.compile(
    r"\b(?:it (?:rains?|snows?|is (?:raining|snowing|sunny|hot|cold))|weather is|"
    r"already (?:\w+ )?(?:online|on (?:the|our) (?:web)?site|in (?:the|our) (?:app|system|crm|shop|store|"
    r"calendar))|"
    r"(?:is |are )?(?:not )?(?:in|on) (?:our|the) (?:crm|database|system|mailing list|newsletter)|"
    r"(?:opens?|opened|clicks?|clicked|read|reads) (?:on )?(?:the|our|this) (?:link|text|message|e-?mail|sms)|"
    r"(?:calendar|slot|schedule) (?:is|has) (?:full|free|openings?)|"
    r"(?:payment|invoice|money) (?:arrives?|has arrived|is received|comes? in|is overdue)|"
    r"(?:is|was|are) (?:already )?(?:a |an )?(?:new|existing|returning|repeat|vip|first[- ]time|regular|loyal) "
    r"(?:caller|customer|client|patient|guest)s?|"
    r"(?:called|texted|booked|bought) (?:us )?(?:before|in the past|last (?:week|month|year)|more than once|"
    r"twice))\b",
    re.IGNORECASE,
)
_AT_A_TIME: Final = re.compile(
    r"\b(?:(?:\d+|an?|one|two|three|four|five|six|seven|ten|few|some|several) (?:minutes?|mins?|hours?|days?|"
    r"weeks?|months?) "
    r"(?P<way>after|later|before|prior to|following|past)|after (?:\d+|one|two|three|four|five|six|seven|a few|"
    r"some|several) "
    r"(?:minutes?|mins?|hours?|days?|weeks?|months?)|"
    r"(?:the )?(?:next|following) (?:day|morning|week|month|evening)|(?:on )?the day (?:before|after|of)|"
    r"(?:the )?(?:evening|morning|night|week) before|every (?:day|week|month|monday|morning)|"
    r"on (?:mondays|tuesdays|wednesdays|thursdays|fridays|saturdays|sundays|weekends|weekdays)$)",
    re.IGNORECASE,
)
_TIME_LAST: Final = re.compile(
    r"[, ]+(?:(?:but )?(?:only )?(?:on |in |the )?(?:next|following) (?:day|morning|week|month|evening)|"
    r"(?:after )?(?:\d+|an?|one|two|three|four|five|six|seven|a few|some|several) (?:minutes?|mins?|hours?|days?|"
    r"weeks?|months?)"
    r"(?: later| after(?:wards)?)?|on (?:\w+days?|weekends?))$",
    re.IGNORECASE,
)


def outside_the_call(written: Written) -> Iterator[Warning]:
    text = written.text
    if _waits(text):
        yield hint(
            "at_a_time",
            "Texts go out when the call has ended, or in the sending hours after it; a condition cannot make one "
            "wait. Say only what must have happened",
            _without_its_time(text) or written.example,
        )
        return
    if found := _FUTURE.search(text):
        before = text[: found.start()]
        if not _IN_WORDS.search(before):
            yield hint(
                "not_in_the_call",
                "The judge knows the call and nothing that comes after it. Say what the caller said they would do",
                without(text, _is_outside) or _as_said(text) or written.example,
            )
            return
    if (found := _OUTSIDE.search(text)) and not _IN_WORDS.search(text[: found.start()]):
        yield hint(
            "not_in_the_call",
            "The judge knows nothing but the call; what your systems know can be a rule on the agent’s page. Say "
            "what was "
            "said in the call",
            _without_exception(text) or without(text, _is_outside) or _as_said(text) or written.example,
        )


def _waits(text: str) -> bool:
    """Whether it asks for a text at a later time; what is said about times is none of that."""
    time = _AT_A_TIME.search(text)
    if time is None or _is_about_a_booking(text, time):
        return False
    before = text[: time.start()]
    apart = re.search(r"[,;] (?:but |then |only )*$", before)
    return bool(apart or TIME_FIRST.match(text) or not _IN_WORDS.search(before))


def _is_about_a_booking(text: str, time: re.Match[str]) -> bool:
    """“booked for the next day” says what was booked, not when to send."""
    return bool(
        re.search(
            r"\b(?:for|to|on|in|until|is|was|by|within|than|needs?|wants?)\s+(?:the |an? )?$",
            text[: time.start()],
            re.IGNORECASE,
        )
        and not re.search(r"\b(?:send|wait)\b", text, re.IGNORECASE)
    )


def _is_outside(text: str) -> str:
    return "outside" if _FUTURE.search(text) or _OUTSIDE.search(text) else ""


def _without_exception(text: str) -> str | None:
    """What stands before an “unless” that nobody can know."""
    kept, unless, rest = text.partition(" unless ")
    return sentence(kept) if unless and _OUTSIDE.search(rest) and len(words_in(kept)) >= FEW_WORDS else None


def _without_its_time(text: str) -> str | None:
    if found := TIME_FIRST.match(text):
        rest = found["rest"]
        noun = next((better for noun, better in OF_WHAT.items() if re.search(rf"\b{noun}s?\b", rest, re.I)), None)
        has_verb = any(is_verb(word) for word in words_in(rest))
        return sentence(f"After {rest}") if has_verb else noun
    kept = _TIME_LAST.sub("", text)
    return sentence(kept) if kept != text and len(words_in(kept)) >= FEW_WORDS else None


def _as_said(text: str) -> str | None:
    who = re.match(rf"(?P<start>{START} |){WHO} ", text, re.IGNORECASE)
    if not who or re.match("unless", text, re.IGNORECASE):
        return None
    rest = text[who.end() :]
    if re.match(r"(?:do|does|did)(?: not|n['’]t)\b|won", rest, re.IGNORECASE):
        told = re.sub(r"^(?:(?:do|does|did)(?: not|n['’]t)|won['’]t)\s+", "will not ", rest, flags=re.IGNORECASE)
    elif re.match(r"(?:will|is|are|was|were|would|might|may|could)\b", rest, re.IGNORECASE):
        told = re.sub(r"^(?:is|was)\b", "are", rest, flags=re.IGNORECASE)
        told = re.sub(r"^would\b", "would", told)
    else:
        verb, _, more = rest.partition(" ")
        told = f"will {_base(verb)} {more}"
    return sentence(f"If the caller said that they {told}").rstrip(".")


def _base(verb: str) -> str:
    plain = verb.lower()
    if plain in BASE:
        return BASE[plain]
    if plain.endswith("ies"):
        return f"{plain[:-3]}y"
    return plain.removesuffix("s")


_FEELING: Final = (
    r"happy|unhappy|satisfied|dissatisfied|pleased|angry|upset|frustrated|annoyed|excited|sad|confused|impressed|"
    r"unsure|"
    r"hesitant|undecided|serious|keen|enthusiastic|disappointed|worried|nervous|bored|grateful|thankful|in a "
    r"hurry|ready to buy|"
    r"interested|curious|willing|convinced|comfortable|friendly|rude|nice|polite|important|genuine|motivated"
)
_MIND: Final = re.compile(
    rf"\b(?:(?P<looks>seem(?:s|ed)?|appear(?:s|ed)?|sound(?:s|ed)?|look(?:s|ed)? (?=like|{_FEELING}))"
    r"(?P<like> (?:to be|like|as if|as though|to))?|"
    r"(?P<might>might|may(?= (?:be|want|come|need|book|buy|like|call|show))|could be|probably|is likely to|are "
    r"likely to|is probably|likely)|"
    rf"(?P<feels>(?:is|was|are|were|feels?|felt)(?: not|n['’]t)?(?: (?:very|really|quite|so|truly|clearly|"
    rf"obviously))?"
    rf"(?= (?!interested|curious|willing|important)(?:{_FEELING})\b)))",
    re.IGNORECASE,
)


def mind_reading(written: Written) -> Iterator[Warning]:
    found = _MIND.search(written.text)
    if not found or _IN_WORDS.search(written.text[: found.start()]):
        return
    yield hint(
        "mind_reading",
        "What somebody feels or might do is not heard in a call; what they said is",
        _felt_as_said(written.text, found) or written.example,
    )


def _felt_as_said(text: str, found: re.Match[str]) -> str | None:
    who = re.match(rf"(?P<start>{START} |){WHO} $", text[: found.start()], re.IGNORECASE)
    rest = text[found.end() :].strip()
    if not who or not rest or re.match(r"(?:friendly|rude|nice|polite|important|genuine|serious)\b", rest, re.I):
        return None
    start = sentence(who["start"]) or "If"
    if found["looks"]:
        like = (found["like"] or "").strip().lower()
        told = rest if like in ("like", "as if", "as though") else f"they are {rest}"
        if like == "to":
            told = f"they {rest}"
        return f"{start} the caller said that {told}".rstrip(".")
    if found["might"]:
        rest = re.sub(r"^(?:going to|to|gonna) ", "", rest)
        return f"{start} the caller said that they might {rest}".rstrip(".")
    denied = " not" if re.search(r"not|n['’]t", found["feels"]) else ""
    return f"{start} the caller said that they are{denied} {rest}".rstrip(".")
