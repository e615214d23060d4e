"""Calls put together from phrases of our own, in trades and about outcomes that the corpora lack: texts that were
wanted or refused, promotions, offers, cancelled and failed appointments, call-backs, payments.

A call is a few scenes. A scene adds its turns and notes what happened under a fact's name; conditions are read off
the facts, near misses first.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from postcall.judge.verdicts import Role, Turn
from training.augment import whole_without_goodbye
from training.phrases import ANY_QUESTION, ASKED, CONDITIONS, FACTS, LINES, TOPICS, TRADES, Holds, Trade
from training.rows import LabelledCall, Question

QUESTIONS_A_CALL = 8
DAYS = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "tomorrow",
    "the 14th",
    "the 3rd",
    "next week Tuesday",
)
TIMES = ("9 am", "10:30", "noon", "2 pm", "half past three", "4:15", "five o'clock", "8:45 in the morning")
NAMES = ("Dana", "Luis", "Priya", "Tom", "Aisha", "Greg", "Mei", "Sofia", "Ben", "Noor")


@dataclass
class Scene:
    """A call being written."""

    trade: Trade
    rng: random.Random
    turns: list[Turn] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    slot: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first, second = self.rng.sample(DAYS, 2)
        early, late = self.rng.sample(TIMES, 2)
        self.slot = {"day": first, "day2": second, "time": early, "time2": late, "name": self.rng.choice(NAMES)}

    def say(self, *names: str) -> None:
        """Adds one line of each bank named; a bank's name begins with who speaks: a_ or c_."""
        for name in names:
            role: Role = "agent" if name.startswith("a_") else "customer"
            text = self.rng.choice(LINES[name]).format(**self.slot, **self.trade.words())
            self.turns.append(Turn(role, text))


def booking(scene: Scene) -> None:
    outcome = scene.rng.choice(FACTS["booking"])
    scene.facts["booking"] = outcome
    if outcome == "about":
        scene.say("c_ask_about_booking", "a_explain_booking", "c_will_see")
        return
    scene.say("c_want_booking")
    if scene.rng.random() < 0.5:
        scene.say("a_name", "c_name")
    if outcome == "failed":
        scene.say(
            *scene.rng.choice((("a_no_slot", "c_pity"), ("a_offer_slot", "c_take", "a_system_down", "c_pity")))
        )
        return
    scene.say("a_offer_slot")
    if outcome == "declined":
        scene.say("c_decline", "a_understand")
        return
    if outcome == "think":
        scene.say("c_think", "a_understand")
        return
    if outcome == "cut":
        scene.say(*scene.rng.choice((("c_take", "a_one_moment"), ("c_hold_on",))))
        return
    if scene.rng.random() < 0.3:
        scene.facts["other_slot"] = "yes"
        scene.say("c_other_slot", "a_offer_other")
    scene.say("c_take")
    if scene.rng.random() < 0.5:
        _read_back(scene)
    scene.say("a_booked")
    if outcome == "undone":
        scene.say("c_undo", "a_undone")


def _read_back(scene: Scene) -> None:
    scene.say("a_read_back")
    if scene.rng.random() < 0.4:
        scene.facts["read_back"] = "corrected"
        scene.say("c_correct", "a_corrected", "c_confirm")
        return
    scene.facts["read_back"] = "confirmed"
    scene.say("c_confirm")


def existing(scene: Scene) -> None:
    outcome = scene.rng.choice(FACTS["existing"])
    scene.facts["existing"] = outcome
    if outcome == "cancelled":
        scene.say("c_want_cancel", "a_cancelled")
    elif outcome == "kept":
        scene.say("c_want_cancel", "a_fee", "c_keep", "a_kept")
    elif outcome == "moved":
        scene.say("c_want_move", "a_offer_slot", "c_take", "a_moved")
    elif outcome == "not_moved":
        scene.say("c_want_move", "a_no_slot", "c_keep", "a_kept")
    else:
        scene.say("c_check_existing", "a_tell_existing")


def offer(scene: Scene) -> None:
    outcome = scene.rng.choice(FACTS["offer"])
    scene.facts["offer"] = outcome
    scene.say(
        "a_pitch",
        {"yes": "c_interested", "no": "c_not_interested", "details": "c_offer_details", "maybe": "c_maybe"}[
            outcome
        ],
    )
    scene.say(
        {"yes": "a_great", "no": "a_understand", "details": "a_offer_details", "maybe": "a_understand"}[outcome]
    )
    if outcome == "details":
        final = scene.rng.choice(("yes", "no"))
        scene.facts["offer"] = f"details_{final}"
        scene.say(
            "c_interested" if final == "yes" else "c_not_interested",
            "a_great" if final == "yes" else "a_understand",
        )


def information(scene: Scene) -> None:
    for topic in scene.rng.sample(sorted(TOPICS), scene.rng.choice((1, 1, 2))):
        scene.asked.add(topic)
        question, told = scene.rng.choice(TOPICS[topic].questions), scene.rng.choice(TOPICS[topic].answers)
        scene.turns += [Turn("customer", question), Turn("agent", told)]
    if scene.rng.random() < 0.4:
        scene.say("c_ack")


def volunteered(scene: Scene) -> None:
    topic = scene.rng.choice(sorted(TOPICS))
    if topic in scene.asked:
        return
    scene.told.add(topic)
    scene.turns.append(
        Turn(
            "agent",
            scene.rng.choice(("By the way, ", "Just so you know, ", "")) + scene.rng.choice(TOPICS[topic].answers),
        )
    )
    scene.say("c_ack")


def text(scene: Scene) -> None:
    outcome = scene.rng.choice(FACTS["text"])
    scene.facts["text"] = outcome
    scene.say(
        *{
            "asked": ("c_ask_text", "a_will_text"),
            "asked_refused": ("c_ask_text", "a_cannot_text", "c_ack"),
            "offered_yes": ("a_offer_text", "c_yes_text", "a_will_text"),
            "offered_no": ("a_offer_text", "c_no_text", "a_understand"),
            "email": ("a_offer_text", "c_email_instead", "a_will_email"),
            "changed_mind": ("a_offer_text", "c_yes_text", "a_will_text", "c_no_text_after_all", "a_understand"),
            "announced": ("a_announce_text", "c_ack"),
            "got_already": ("c_got_text", "a_understand"),
        }[outcome]
    )


def promotions(scene: Scene) -> None:
    outcome = scene.rng.choice(FACTS["promotions"])
    scene.facts["promotions"] = outcome
    scene.say("a_offer_promotions", "c_yes_promotions" if outcome == "yes" else "c_no_promotions", "a_understand")


def callback(scene: Scene) -> None:
    outcome = scene.rng.choice(FACTS["callback"])
    scene.facts["callback"] = outcome
    if outcome == "wanted":
        scene.say("c_want_callback", "a_will_call")
    elif outcome == "offered_yes":
        scene.say("a_offer_callback", "c_yes_callback", "a_will_call")
    else:
        scene.say("a_offer_callback", "c_no_callback", "a_understand")


def person(scene: Scene) -> None:
    outcome = scene.rng.choice(FACTS["person"])
    scene.facts["person"] = outcome
    scene.say("c_want_person", "a_transfer" if outcome == "transferred" else "a_nobody_free")


def payment(scene: Scene) -> None:
    outcome = scene.rng.choice(FACTS["payment"])
    scene.facts["payment"] = outcome
    if outcome == "refused":
        scene.say("a_ask_payment", "c_refuse_payment", "a_understand")
        return
    scene.say("a_ask_payment", "c_give_card", "a_paid" if outcome == "paid" else "a_card_declined")


def complaint(scene: Scene) -> None:
    scene.facts["complaint"] = "made"
    scene.say("c_complain", "a_sorry")


def wrong_number(scene: Scene) -> None:
    scene.facts["wrong_number"] = "yes"
    scene.say("c_wrong_number", "a_sorry_wrong")


MAIN: tuple[Callable[[Scene], None], ...] = (
    booking,
    booking,
    booking,
    existing,
    existing,
    offer,
    offer,
    information,
    complaint,
    payment,
    person,
)
EXTRA: tuple[Callable[[Scene], None], ...] = (
    text,
    text,
    text,
    text,
    promotions,
    information,
    volunteered,
    callback,
    payment,
)


def write(rng: random.Random) -> LabelledCall:
    scene = Scene(rng.choice(TRADES), rng)
    scene.say("a_greet")
    if rng.random() < 0.03:
        wrong_number(scene)
    else:
        rng.choice(MAIN)(scene)
        for extra in dict.fromkeys(rng.choices(EXTRA, k=rng.choice((0, 1, 1, 2, 3, 4)))):
            if not (extra is payment and "payment" in scene.facts):
                extra(scene)
    scene.say("c_bye", "a_bye")
    return LabelledCall(tuple(scene.turns), tuple(_questions(scene)))


def _answer(scene: Scene, fact: str, holds: Holds) -> bool | None:
    """None where a fact of another scene makes the condition a matter of opinion."""
    facts = scene.facts
    if fact in facts:
        unclear = (
            fact == "booking" and facts.get("other_slot") == "yes" and holds("declined") and not holds("think")
        )
        return None if unclear else holds(facts[fact])
    opinion = {
        "booking": facts.get("existing") == "moved"
        or "offer" in facts
        or bool("existing" in facts and holds("cut")),
        "existing": facts.get("booking") == "undone",
        "text": "promotions" in facts,
        "offer": "promotions" in facts,
        "promotions": "offer" in facts,
    }
    return None if opinion.get(fact) else holds("none")


def _questions(scene: Scene) -> list[Question]:
    """Half of them met where the call allows it, and conditions on what the call was about before all others."""
    rng = scene.rng
    met: list[Question] = []
    near: list[Question] = []
    far: list[Question] = []
    for fact, holds, wordings in CONDITIONS:
        answer = _answer(scene, fact, holds)
        if answer is None:
            continue
        condition = rng.choice(wordings).format(**scene.slot, **scene.trade.words())
        (met if answer else near if fact in scene.facts else far).append(Question(condition, answer, fact))
    near.append(_other_thing(scene))
    if not {"about", "checked"} & set(scene.facts.values()):
        any_question = bool(scene.asked) or scene.facts.get("offer", "").startswith("details")
        (met if any_question else far).append(Question(rng.choice(ANY_QUESTION), any_question, "asked"))
    for topic, material in TOPICS.items():
        question = Question(
            rng.choice(ASKED).format(topic=rng.choice(material.names)), topic in scene.asked, "asked"
        )
        (met if question.met else near if topic in scene.told else far).append(question)
    for group in (met, near, far):
        rng.shuffle(group)
    half = QUESTIONS_A_CALL // 2
    chosen = met[:half] + near[: half - 1]
    return chosen + far[: QUESTIONS_A_CALL - len(chosen)]


def _other_thing(scene: Scene) -> Question:
    other = scene.rng.choice([trade for trade in TRADES if trade.thing != scene.trade.thing])
    wording = scene.rng.choice(("After booking {thing}", "When the caller books {thing}", "{thing} was booked"))
    return Question(wording.format(**other.words()), False, "other")


# Kinds of the corpora's questions that a scene at the end leaves as they were.
UNTOUCHED = {"done", "not_done", "wanted", "topic", "both", "value"}
AT_THE_END = (text, text, text, promotions, callback, volunteered)


def spliced(call: LabelledCall, rng: random.Random) -> LabelledCall:
    """A call of the corpora with a scene or two of ours before its goodbye, asked about both."""
    scene = Scene(rng.choice(TRADES), rng, list(whole_without_goodbye(call.turns)))
    for extra in dict.fromkeys(rng.choices(AT_THE_END, k=rng.choice((1, 2)))):
        extra(scene)
    scene.say("c_bye", "a_bye")
    kept = [question for question in call.questions if question.kind in UNTOUCHED]
    questions: list[Question] = []
    for fact, holds, wordings in CONDITIONS:
        if fact in ("text", "promotions", "callback") and (answer := _answer(scene, fact, holds)) is not None:
            questions.append(
                Question(rng.choice(wordings).format(**scene.slot, **scene.trade.words()), answer, fact)
            )
    rng.shuffle(questions)
    met = [question for question in questions if question.met]
    unmet = [question for question in questions if not question.met]
    return LabelledCall(tuple(scene.turns), tuple(kept[:5] + met[:3] + unmet[:3]))
