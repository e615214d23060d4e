"""Changes a labelled call without changing its answers: so that training does not learn the corpus's habits."""

from __future__ import annotations

import random
import re
from dataclasses import replace

from postcall.judge.verdicts import Turn
from training.rows import LabelledCall

FILLERS = ("uh", "um", "you know", "okay so", "like", "i mean")
GOODBYE = re.compile(
    r"\b(bye|goodbye|have a (?:nice|great|good|wonderful|lovely)|that(?:'s| is|'ll be| will be) (?:all|it)|"
    r"anything else|no,? thank|thanks|thank you|welcome|enjoy)\b",
    re.IGNORECASE,
)
CLOSINGS_AFTER_AGENT = (
    (("customer", "I have to go now, bye."), ("agent", "Goodbye, have a nice day.")),
    (("customer", "Sorry, I have to run. Bye."), ("agent", "Thanks for calling. Goodbye.")),
    (("customer", "Alright, bye bye."),),
    (("customer", "Thanks for your time. Goodbye."), ("agent", "You're welcome. Take care.")),
)
CLOSINGS_AFTER_CUSTOMER = (
    (("agent", "Thank you for calling. Goodbye."),),
    (("agent", "Thanks for your time today. Have a great day."), ("customer", "You too, bye.")),
    (("agent", "Have a good one. Bye."), ("customer", "Bye.")),
)
# Words that name what the call is about, and trades to put in their place, the same way in call and conditions.
SUBJECTS = (
    r"restaurants?",
    r"hotels?",
    r"flights?",
    r"bus",
    r"dentist",
    r"doctor",
    r"hair(?:cut)?|stylist|salon",
    r"songs?|music",
    r"movies?|films?|cinema",
    r"events?|concerts?",
    r"cabs?|taxis?|rides?",
    r"cars?",
    r"house|apartment|property|home",
    r"tickets?",
    r"table",
    r"room",
    r"playback",
    r"calendar",
)
TRADES = (
    "oil change",
    "massage",
    "inspection",
    "plumber",
    "roof repair",
    "facial",
    "lesson",
    "quote",
    "policy",
    "loan",
    "test drive",
    "delivery",
    "pickup",
    "cleaning",
    "repair",
    "consultation",
    "tour",
    "membership",
    "subscription",
    "warranty",
    "prescription",
    "vaccination",
    "eye exam",
    "checkup",
    "trial",
    "class",
    "workshop",
    "brake check",
    "tire change",
    "grooming",
    "estimate",
    "viewing",
    "installation",
    "upgrade",
    "donation",
    "survey",
    "refund",
    "parcel",
    "locksmith",
    "boiler",
    "walkthrough",
)
DECIDED_BY_AN_EVENT = {"done", "not_done", "declined", "confirmed", "failed", "changed", "alts", "both", "value"}


def heard_by_a_machine(text: str, rng: random.Random) -> str:
    """As raw speech recognition writes: no case, no punctuation, fillers, a word lost here and there."""
    kept = []
    for word in re.sub(r"[^\w\s']", " ", text.lower()).split():
        if rng.random() < 0.05:
            kept.append(rng.choice(FILLERS))
        if rng.random() >= 0.03:
            kept.append(word)
        if rng.random() < 0.01:
            kept.append(word)
    return " ".join(kept) or text


def other_ending(turns: tuple[Turn, ...], rng: random.Random) -> tuple[Turn, ...]:
    """Cut calls get a goodbye and whole ones lose theirs, so that a goodbye tells nothing about the answer."""
    if not turns:
        return turns
    if not GOODBYE.search(turns[-1].text):
        if rng.random() < 0.35:
            return turns
        closings = CLOSINGS_AFTER_AGENT if turns[-1].role == "agent" else CLOSINGS_AFTER_CUSTOMER
        return turns + tuple(Turn(role, text) for role, text in rng.choice(closings))  # type: ignore[arg-type]
    if rng.random() < 0.5:
        return turns
    return whole_without_goodbye(turns)


def whole_without_goodbye(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    kept = list(turns)
    while len(kept) > 2 and GOODBYE.search(kept[-1].text) and len(kept[-1].text) < 60:
        kept.pop()
    return tuple(kept)


def other_trade(call: LabelledCall, rng: random.Random) -> LabelledCall:
    trades = iter(rng.sample(TRADES, len(SUBJECTS)))
    swaps = [(re.compile(rf"\b(?:{subject})\b", re.IGNORECASE), next(trades)) for subject in SUBJECTS]
    swaps = [swap for swap in swaps if rng.random() < 0.7]

    def swapped(text: str) -> str:
        for pattern, trade in swaps:
            text = pattern.sub(trade, text)
        return text

    return LabelledCall(
        tuple(replace(turn, text=swapped(turn.text)) for turn in call.turns),
        tuple(replace(question, condition=swapped(question.condition)) for question in call.questions),
    )


def hardly_a_call(call: LabelledCall, rng: random.Random) -> LabelledCall:
    """Its first turns only: nothing has happened yet, so only conditions of absence hold."""
    questions = tuple(
        replace(question, met=question.kind == "not_done")
        for question in call.questions
        if question.kind in DECIDED_BY_AN_EVENT
    )
    if not questions:
        return call
    return LabelledCall(call.turns[: rng.choice((0, 1, 2, 2))], questions)


def varied(call: LabelledCall, rng: random.Random) -> LabelledCall:
    if rng.random() < 0.03:
        return hardly_a_call(call, rng)
    if rng.random() < 0.3:
        call = other_trade(call, rng)
    turns = other_ending(call.turns, rng)
    if rng.random() < 0.35:
        turns = tuple(replace(turn, text=heard_by_a_machine(turn.text, rng)) for turn in turns)
    questions = list(call.questions)
    rng.shuffle(questions)
    return LabelledCall(turns, tuple(questions[:10]))
