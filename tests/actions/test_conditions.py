"""What a careful colleague says about conditions, by a table: those that can be judged are let alone."""

from __future__ import annotations

import pytest

from postcall.actions.conditions import about_condition
from postcall.actions.hints import Draft, praise_for, warnings_about, warnings_in

# A condition, what is said of it, and what one click puts in its place where that follows from its own words.
HINTED = [
    (
        "booked and also asked for directions or wanted a refund",
        "and_or",
        "Booked and, in the same call, either asked for directions or wanted a refund",
    ),
    (
        "If the caller booked an appointment and asked for directions or wanted a refund",
        "and_or",
        "If the caller booked an appointment and, in the same call, either asked for directions or wanted a refund",
    ),
    (
        "If the caller asked for the price or booked a table and gave their name",
        "and_or",
        "If the caller either asked for the price, or both booked a table and gave their name",
    ),
    (
        "When the caller asks for directions and/or parking",
        "and_or",
        "When the caller asks for directions or parking",
    ),
    ("appointment", "asked_or_done", "After the caller booked an appointment"),
    ("about booking", "asked_or_done", "When the caller asked about a booking"),
    ("booking", "asked_or_done", "After the caller made a booking"),
    ("Booking", "asked_or_done", "After the caller made a booking"),
    ("dentist appointment", "asked_or_done", "After the caller booked an appointment"),
    ("If refund", "asked_or_done", "After the agent promised a refund"),
    ("after booking", "asked_or_done", "After the caller made a booking"),
    ("After an appointment", "asked_or_done", "After the caller booked an appointment"),
    ("appointment request", "asked_or_done", "When the caller asked about an appointment"),
    ("price", "asked_or_done", "When the caller asked for the price"),
    ("next day", "at_a_time", "After the caller booked an appointment"),
    ("the next day", "at_a_time", "After the caller booked an appointment"),
    ("after 3 days", "at_a_time", "After the caller booked an appointment"),
    ("3 days after the appointment was booked", "at_a_time", "After the appointment was booked"),
    ("The day before the appointment", "at_a_time", "After the caller booked an appointment"),
    ("Send it 2 hours before the visit", "at_a_time", "After the caller booked an appointment"),
    ("After the caller booked an appointment, the next day", "at_a_time", "After the caller booked an appointment"),
    ("If the caller did not decline the offer", "double_negation", "If the caller agreed to the offer"),
    ("If they did not refuse to be texted", "double_negation", "If they agreed to be texted"),
    ("If the caller didn't say no", "double_negation", "If the caller said yes"),
    ("When the caller did not fail to book", "double_negation", "When the caller booked"),
    ("If the booking was not unsuccessful", "double_negation", "If the booking was successful"),
    ("every call", "every_call", "After the caller booked an appointment"),
    ("After every call", "every_call", "After the caller booked an appointment"),
    ("always", "every_call", "After the caller booked an appointment"),
    ("after the call", "every_call", "After the caller booked an appointment"),
    ("When the call ends", "every_call", "After the caller booked an appointment"),
    ("When someone calls", "every_call", "After the caller booked an appointment"),
    ("all customers", "every_call", "After the caller booked an appointment"),
    (
        "After booking unless they cancelled unless they booked again",
        "exceptions",
        "After the caller booked an appointment",
    ),
    ("Unless they booked", "exceptions", "If they did not book"),
    ("Unless the caller declined", "exceptions", "If the caller did not decline"),
    ("Send them the link", "instruction", "When the caller asked for the link"),
    ("Text the customer their address", "instruction", "When the caller asked for the address"),
    ("Send the caller the price list when they ask for it", "instruction", "When they ask for it"),
    ("Please send a confirmation", "instruction", "After the caller booked an appointment"),
    ("Remind them of their appointment", "instruction", "After the caller booked an appointment"),
    ("Thank them for calling", "instruction", "After the caller booked an appointment"),
    ("The caller should receive the booking link", "instruction", "When the caller asked for the booking link"),
    ("tell them we are closed on Mondays", "instruction", "After the caller booked an appointment"),
    ("Confirm the reservation", "instruction", "After the caller made a reservation"),
    ("Hi Anna, thanks for calling!", "message_in_condition", "After the caller booked an appointment"),
    ("Thanks for calling Sunny Dental", "message_in_condition", "After the caller booked an appointment"),
    (
        "After the caller asked for https://example.com/menu",
        "message_in_condition",
        "After the caller booked an appointment",
    ),
    ("If the caller is happy", "mind_reading", "If the caller said that they are happy"),
    (
        "When the customer seems interested in a demo",
        "mind_reading",
        "When the caller said that they are interested in a demo",
    ),
    (
        "If they might come to the open day",
        "mind_reading",
        "If the caller said that they might come to the open day",
    ),
    ("If the caller sounds angry", "mind_reading", "If the caller said that they are angry"),
    ("when the customer appears to want a quote", "mind_reading", "When the caller said that they want a quote"),
    ("If the caller was rude", "mind_reading", "After the caller booked an appointment"),
    (
        "if the caller is not satisfied with the repair",
        "mind_reading",
        "If the caller said that they are not satisfied with the repair",
    ),
    ("If the caller is probably going to buy", "mind_reading", "If the caller said that they might buy"),
    ("If the call lasted more than 2 minutes", "needs_no_judge", ""),
    ("call longer than 90 seconds", "needs_no_judge", ""),
    ("If the caller booked and the call lasted more than 2 minutes", "needs_no_judge", "If the caller booked"),
    ("if duration > 60", "needs_no_judge", ""),
    ("Long calls", "needs_no_judge", ""),
    ("When the caller talked for more than 3 minutes", "needs_no_judge", ""),
    ("If the caller's number is +15551230001", "needs_no_judge", ""),
    ("when the caller calls from +1555", "needs_no_judge", ""),
    ("If the number starts with +49", "needs_no_judge", ""),
    ("if voicemail", "needs_no_judge", ""),
    ("If it was a voicemail", "needs_no_judge", ""),
    ("If the call went to voicemail", "needs_no_judge", ""),
    ("When nobody answers", "needs_no_judge", ""),
    ("missed call", "needs_no_judge", ""),
    ("outbound calls only", "needs_no_judge", ""),
    ("if the call is inbound", "needs_no_judge", ""),
    ("if they show up", "not_in_the_call", "If the caller said that they will show up"),
    (
        "If the customer shows up for the appointment",
        "not_in_the_call",
        "If the caller said that they will show up for the appointment",
    ),
    ("when they pay later", "not_in_the_call", "If the caller said that they will pay later"),
    ("If the caller pays online", "not_in_the_call", "If the caller said that they will pay online"),
    ("If it rains", "not_in_the_call", "After the caller booked an appointment"),
    ("If it rains tomorrow", "not_in_the_call", "After the caller booked an appointment"),
    (
        "After booking unless they already booked online",
        "not_in_the_call",
        "After the caller booked an appointment",
    ),
    (
        "After booking unless they have already booked online",
        "not_in_the_call",
        "After the caller booked an appointment",
    ),
    ("If the caller will come back", "not_in_the_call", "If the caller said that they will come back"),
    ("If the caller clicks the link", "not_in_the_call", "If the caller said that they will click the link"),
    (
        "If the customer is a returning customer",
        "not_in_the_call",
        "If the caller said that they are a returning customer",
    ),
    ("If they are already in our CRM", "not_in_the_call", "If the caller said that they are already in our CRM"),
    ("If the caller doesn't show up", "not_in_the_call", "If the caller said that they will not show up"),
    ("no-show", "not_in_the_call", "After the caller booked an appointment"),
    (
        "After <customer_name> booked an appointment on <appointment_date>",
        "placeholder_in_condition",
        "After the caller booked an appointment on the appointment date",
    ),
    ("When {{customer_name}} asks for the price", "placeholder_in_condition", "When the caller asks for the price"),
    ("Did the caller book?", "question", "After the caller booked"),
    ("Did the caller book an appointment?", "question", "After the caller booked an appointment"),
    ("Was the dental appointment booked?", "question", "After the dental appointment was booked"),
    ("Has the caller agreed to a visit?", "question", "After the caller has agreed to a visit"),
    ("Does the caller want a quote?", "question", "If the caller wants a quote"),
    ("Didn't the caller book?", "question", "If the caller did not book"),
    ("Is the caller interested?", "question", "If the caller is interested"),
    ("¿Reservó el cliente una cita?", "question", ""),
    ("AFTER THE CALLER BOOKED AN APPOINTMENT", "shouting_condition", "After the caller booked an appointment"),
    ("good call", "vague_condition", "After the caller booked an appointment"),
    ("if relevant", "vague_condition", "After the caller booked an appointment"),
    ("when appropriate", "vague_condition", "After the caller booked an appointment"),
    ("If interested", "vague_condition", "If the caller asked for more information"),
    ("if the caller is interested", "vague_condition", "If the caller asked for more information"),
    ("interested", "vague_condition", "If the caller asked for more information"),
    ("After booking, if appropriate", "vague_condition", "After the caller booked an appointment"),
    ("Send when it makes sense", "vague_condition", "After the caller booked an appointment"),
    ("the call went well", "vague_condition", "After the caller booked an appointment"),
    ("If it was a successful call", "vague_condition", "After the caller booked an appointment"),
    ("If the lead is qualified", "vague_condition", "After the caller booked an appointment"),
    ("hot lead", "vague_condition", "After the caller booked an appointment"),
    ("ok", "vague_condition", "After the caller booked an appointment"),
    ("if you booked", "who_is_meant", "If the caller booked"),
    ("If you booked an appointment for them", "who_is_meant", "If the caller booked an appointment for them"),
    ("When I give the price", "who_is_meant", "When the agent gives the price"),
    ("if you want a quote", "who_is_meant", "If the caller wants a quote"),
    ("After we agreed on a time", "who_is_meant", "After the agent agreed on a time"),
]

WELL_WORDED = [
    "After scheduling an appointment",
    "When the customer requests more information",
    "After the caller has booked an appointment",
    "If the customer said they are unhappy with the work",
    "The customer says she is excited about the tour",
    "If the caller says they might come on Tuesday",
    "If the caller booked a table for the next day",
    "If they ask to be called back next week",
    "If the caller said they are a new customer",
    "If the caller gave their phone number",
    "If the caller asked to leave a voicemail",
    "After the call ends with a booking",
    "Send this after the caller booked a room",
    "Send when the customer asks about prices",
    "Send a text if they booked",
    "If the caller booked a table or a room",
    "If the caller booked a table and a room or two",
    "The caller both booked a flight and got tickets",
    "If the caller either booked or asked for the price",
    "If the caller does not want to cancel",
    "If the customer does not want to transfer money when offered",
    "After booking a room unless the caller declined a text",
    "Después de reservar una cita",
    "Cuando el cliente pide más información",
    "Si la persona que llama quiere una cita y pregunta por el precio o la dirección",
    "Wenn der Anrufer einen Termin vereinbart hat",
    "Nachdem ein Termin vereinbart wurde",
    "Wenn der Kunde nach dem Preis fragt",
    "Termin vereinbart",
    "Quand l'appelant a pris un rendez-vous",
    "Après la prise de rendez-vous",
    "Si le client demande une information sur les prix",
    "Cita reservada",
    "Lorsque le client veut annuler",
    "Als de beller een afspraak heeft gemaakt",
    "After the caller moved their appointment to another day",
    "When the caller could not be helped and a colleague will call back",
    "If no appointment was made",
    "If the caller asks when we are open",
    "The caller asked what it costs and where to park",
    "When a technician visit was arranged for today or tomorrow",
    "If the agent promised that somebody will call back",
    "When the caller said they will pay later",
    "After the caller placed an order for pickup",
    "When the caller asked for directions",
    "If the caller asked to move the appointment, and a new time was agreed",
    "When the caller complained about the service",
    "After the caller agreed to receive a text",
    "If the caller wanted to cancel but kept the appointment",
    "When the caller asked whether you take walk-ins",
    "If the customer reported a leak",
    "When a quote above 500 dollars was given",
    "If an emergency was reported and no technician was free",
    "Once the reservation is confirmed by the agent",
    "The customer wants to know if there is parking",
    "When the caller may bring their dog",
    "If the caller wants to be reminded the day before",
    "After the caller agreed to come in on Monday",
]


@pytest.mark.parametrize(("condition", "code", "better"), HINTED)
def test_it_says_what_cannot_be_judged_and_how_to_say_it(condition: str, code: str, better: str) -> None:
    (hint,) = about_condition(condition)
    assert (hint.code, hint.suggestion or "", hint.field) == (code, better, "condition")


@pytest.mark.parametrize("condition", WELL_WORDED)
def test_it_lets_a_testable_condition_alone(condition: str) -> None:
    assert about_condition(condition) == []


@pytest.mark.parametrize("condition", [condition for condition, _, _ in HINTED])
def test_it_suggests_nothing_that_it_would_hint_at_itself(condition: str) -> None:
    for hint in about_condition(condition):
        for better in (hint.suggestion, *hint.alternatives):
            assert not better or [again.code for again in about_condition(better) if again.code == hint.code] == []


def test_it_offers_both_readings() -> None:
    (hint,) = about_condition("appointment")
    assert [hint.suggestion, *hint.alternatives] == [
        "After the caller booked an appointment",
        "When the caller asked about an appointment",
    ]


def test_it_takes_its_example_from_the_message() -> None:
    (hint,) = about_condition("if relevant", "Your order is on its way, <customer_name>.")
    assert hint.suggestion == "After the caller placed an order"


def test_it_names_the_rule_with_its_number_of_seconds() -> None:
    (hint,) = about_condition("If the call lasted more than 2 minutes")
    assert "“Its length in seconds” greater than 120" in hint.message


def test_it_says_that_a_condition_is_too_long_and_offers_its_first_sentence() -> None:
    (hint,) = about_condition("After the caller booked a viewing. " + "It was agreed with the owner. " * 12)
    assert (hint.code, hint.suggestion) == ("long_condition", "After the caller booked a viewing")


def test_it_reads_no_condition_where_every_call_is_meant() -> None:
    assert warnings_in(Draft("See you at Northgate Clinic", "good call", always=True)) == []


def test_it_praises_what_it_does_not_hint_at() -> None:
    said = "The condition says what has to have happened."
    assert said in praise_for(Draft("See you", "After the caller booked an appointment"))
    assert said not in praise_for(Draft("See you", "good call"))


def test_it_tells_of_which_field_a_warning_is() -> None:
    told = warnings_about("Hi {{name}}", "good call")
    assert [(each.code, each.field) for each in told] == [
        ("braces_placeholder", "message"),
        ("vague_condition", "condition"),
    ]


@pytest.mark.parametrize(
    "bit", ["a ", "call is ", "and booked ", "if it is ", "not ", "1 day after ", "they will "]
)
def test_it_reads_the_longest_condition_at_once(bit: str) -> None:
    about_condition((bit * 2000)[:2000])
