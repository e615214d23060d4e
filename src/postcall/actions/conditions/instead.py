"""What is no condition at all: every call, an order to send, a noun."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from postcall.actions.conditions.written import OF_WHAT, TIME_FIRST, Written, hint
from postcall.actions.english import is_verb, sentence, words_in
from postcall.actions.warning import Warning

_EVERY_CALL: Final = re.compile(
    r"(?:please )?(?:send (?:it|this|the text|a text|the message) )?(?:only )?"
    r"(?:always|every ?time|in (?:any|every|all) cases?|no matter what|regardless|everyone|everybody(?: who "
    r"calls)?|anyone|"
    r"all callers|every caller|"
    r"(?:(?:for|on|after|at the end of|when|if|once|upon|following|at|with) )*(?:every|each|any|all) "
    r"(?:single )?(?:connected |finished |completed |ended |answered |incoming )?(?:phone )?"
    r"(?:calls?|conversations?|callers?|customers?)"
    r"(?: (?:ends?|has ended|have ended|is over|is done|that ends?|who calls?|is finished))?|"
    r"(?:(?:after|at the end of|upon|when|once|if|as soon as) )(?:the |a |this )?(?:phone )?(?:call|conversation)"
    r"(?:['’]s)?(?: (?:ends?|ended|has ended|is over|is done|finish(?:es|ed)|is finished|is completed?|was "
    r"completed|"
    r"has been completed|end|was connected|is connected|connected|was answered|is answered|happened|took place|"
    r"came in|comes in))?|"
    r"(?:(?:when|if|after|once) )(?:(?:somebody|someone|anybody|anyone|the (?:caller|customer)|a (?:caller|"
    r"customer)) )"
    r"(?:calls|called|calls us|called us|calls in|hangs up|hung up))\.?",
    re.IGNORECASE,
)


def every_call(written: Written) -> Iterator[Warning]:
    if _EVERY_CALL.fullmatch(written.text):
        yield hint(
            "every_call",
            "For that no judge is needed: switch on “After every connected call” below. Otherwise say what must "
            "have "
            "happened in the call",
            written.example,
        )


_ORDERS: Final = re.compile(
    r"(?:please |pls |kindly |just |always |automatically |then |and )*"
    r"(?P<verb>send|tell|remind|give|notify|forward|inform|thank|let|follow up|invite|confirm|"
    # As nouns these may begin a sentence about what happened.
    r"(?:text|sms|message|e-?mail|share|reply|offer)(?=\s+(?:them|him|her|everyone|the|an?|our|their|all|every|"
    r"to)\b))\b"
    r"(?!\s+(?:of|to \w+ .*(?:rejected|declined|accepted)|was|were|is|has|from|sent|received|rejected|"
    r"declined|accepted|requested|asked|only|when|if|after|once)\b)\s+(?P<rest>.+)",
    re.IGNORECASE,
)
_SHOULD_GET: Final = re.compile(
    r"(?:the )?(?:caller|customer|client|user|they|we|agent)s? (?:should|must|shall|ought to) "
    r"(?:always )?(?:be sent|be texted|receive|get|send|text|be reminded(?: of)?|be told)\s*(?P<rest>.+)",
    re.IGNORECASE,
)
_TO_WHOM: Final = re.compile(
    r"^(?:to )?(?:them all|them|him|her|everyone|everybody|people|callers|customers|clients|"
    r"(?:the|a|our|every|each) (?:caller|customer|client|user|guest|patient|lead)s?|me|us)\b\s*"
    r"|\s+to (?:them|him|her|everyone|(?:the|a|our|every|each) (?:caller|customer|client|user|guest|patient|"
    r"lead)s?)$",
    re.IGNORECASE,
)
_THIS_TEXT: Final = re.compile(
    r"(?:(?:it|this|that|these|(?:the|this|a|an) (?:text|sms|message|follow-?up|confirmation)(?: message| text)?|"
    r"(?:text|sms|confirmation|reminder))"
    r"(?: out| to (?:them|the (?:caller|customer)))?)?$",
    re.IGNORECASE,
)
_WHEN: Final = re.compile(
    r"[,;:]?\s*\b(?:(?:only|but only) )?(?P<when>(?:when(?:ever)?|if|after|once|as soon as|in case|provided)\b.+)",
    re.IGNORECASE,
)


def instruction(written: Written) -> Iterator[Warning]:
    found = _ORDERS.fullmatch(written.text) or _SHOULD_GET.fullmatch(written.text)
    if not found or TIME_FIRST.match(written.text):
        return
    clause = _WHEN.search(found["rest"])
    what = found["rest"][: clause.start()] if clause else found["rest"]
    object_ = _TO_WHOM.sub("", what.strip(" .!")).strip()
    if clause and _THIS_TEXT.fullmatch(object_):
        return
    verb = found.groupdict().get("verb", "send").lower()
    better = sentence(clause["when"]).rstrip(".") if clause else _asked_for(verb, object_, written)
    yield hint(
        "instruction",
        "This says what to do, not when. What is sent stands under Message; say here what must have happened",
        better,
    )


def _asked_for(verb: str, object_: str, written: Written) -> str:
    for noun, better in OF_WHAT.items():
        if re.search(rf"\b{noun}\b", object_, re.IGNORECASE) and not re.search(r"\blink\b", object_):
            return better
    if verb in ("send", "text", "sms", "message", "email", "e-mail", "give", "share", "forward", "confirm"):
        thing = re.sub(r"^(?:their|his|her|our|your|my)\b", "the", object_.rstrip(".!"), flags=re.IGNORECASE)
        if thing and not _THIS_TEXT.fullmatch(thing) and len(words_in(thing)) <= 6:
            return f"When the caller asked for {thing[:1].lower() + thing[1:]}"
    return written.example


_NOUNS: Final[dict[str, tuple[str, str]]] = {
    "appointment": ("After the caller booked an appointment", "When the caller asked about an appointment"),
    "booking": ("After the caller made a booking", "When the caller asked about a booking"),
    "reservation": ("After the caller made a reservation", "When the caller asked about a reservation"),
    "order": ("After the caller placed an order", "When the caller asked about an order"),
    "purchase": ("After the caller bought something", "When the caller asked what they can buy"),
    "payment": ("After the caller made a payment", "When the caller asked how to pay"),
    "refund": ("After the agent promised a refund", "When the caller asked for a refund"),
    "cancellation": ("After the caller cancelled", "When the caller asked how to cancel"),
    "rescheduling": ("After the caller moved their appointment", "When the caller asked to move their appointment"),
    "callback": ("After the agent promised a callback", "When the caller asked to be called back"),
    "quote": ("After the agent gave a quote", "When the caller asked for a quote"),
    "estimate": ("After the agent gave an estimate", "When the caller asked for an estimate"),
    "visit": ("After the caller booked a visit", "When the caller asked about a visit"),
    "demo": ("After the caller booked a demo", "When the caller asked about a demo"),
    "meeting": ("After the caller booked a meeting", "When the caller asked for a meeting"),
    "consultation": ("After the caller booked a consultation", "When the caller asked about a consultation"),
    "delivery": ("After a delivery was arranged", "When the caller asked about a delivery"),
    "complaint": ("After the agent recorded a complaint", "When the caller complained"),
    "registration": ("After the caller registered", "When the caller asked how to register"),
    "subscription": ("After the caller subscribed", "When the caller asked about a subscription"),
}
_NOUN: Final = re.compile(
    r"(?:(?P<start>if|when|after|on|upon|for|in case of|once|with|at)\s+)?(?:(?:about|regarding|concerning|"
    r"re:?)\s+)?"
    r"(?:(?:an?|the|new|any|their)\s+)?(?:[a-z-]+ )??(?P<noun>[a-z]+?)s?(?: (?:request|inquiry|enquiry|call|"
    r"question)s?)?",
    re.IGNORECASE,
)
# Of these nothing but being asked for can be meant.
_FACTS: Final = frozenset(
    {"price", "cost", "address", "direction", "location", "menu", "brochure", "catalogue", "information", "info",
     "detail", "website", "link", "discount", "offer"}
)  # fmt: skip
_UNCOUNTED: Final = frozenset({"directions", "information", "details"})
_GERUNDS: Final = {
    "scheduling": "appointment", "reserving": "reservation", "ordering": "order", "paying": "payment",
    "buying": "purchase", "purchasing": "purchase", "cancelling": "cancellation", "canceling": "cancellation",
    "registering": "registration", "appt": "appointment", "rescheduled": "rescheduling",
}  # fmt: skip


def bare_noun(written: Written) -> Iterator[Warning]:
    found = _NOUN.fullmatch(written.text.rstrip(".!"))
    if not found or any(is_verb(word) for word in words_in(written.text)):
        return
    noun = found["noun"].lower()
    kind = _NOUNS.get(_GERUNDS.get(noun, noun))
    if noun in _FACTS or f"{noun}s" == "address":
        thing = {"direction": "directions", "info": "information", "detail": "details", "addres": "address"}.get(
            noun, noun
        )
        asked_for = f"When the caller asked for {'' if thing in _UNCOUNTED else 'the '}{thing}"
        kind = (asked_for, asked_for)
    if kind is None:
        return
    asked, start = re.search(r"\b(?:about|request|inquiry|enquiry|question)", written.text, re.I), found["start"]
    better = kind[::-1] if asked else kind
    if start and start.lower() in ("after", "once", "upon"):
        better = (kind[0], kind[0])
    yield hint(
        "asked_or_done",
        "This leaves open whether it has to have happened, or was only asked about or offered; say which",
        *better,
    )
