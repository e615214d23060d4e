"""What people say, and how conditions are worded: the material of training.written. All of it is our own.

A bank's name begins with who speaks: `a_` the agent, `c_` the customer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Trade:
    """`thing` with its article ("a dental cleaning"), `noun` what the booking is called ("appointment")."""

    business: str
    thing: str
    noun: str

    def words(self) -> dict[str, str]:
        return {"business": self.business, "thing": self.thing, "noun": self.noun}


@dataclass(frozen=True)
class Topic:
    names: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]


TRADES = tuple(
    Trade(*row)
    for row in (
        ("Maple Dental", "a dental cleaning", "appointment"),
        ("Lakeside Physio", "a physiotherapy session", "session"),
        ("Corner Garage", "an oil change", "appointment"),
        ("Corner Garage", "a brake inspection", "appointment"),
        ("Studio Nine", "a haircut", "appointment"),
        ("Studio Nine", "a manicure", "appointment"),
        ("Birch Realty", "a viewing", "viewing"),
        ("Birch Realty", "an open house tour", "tour"),
        ("Rapid Plumbing", "a plumber visit", "visit"),
        ("Rapid Plumbing", "a drain cleaning", "visit"),
        ("Harbor Insurance", "a policy review", "meeting"),
        ("Harbor Insurance", "a quote call", "call"),
        ("Sunny Solar", "a site survey", "survey"),
        ("Sunny Solar", "a consultation", "consultation"),
        ("Paws Vet Clinic", "a vet visit", "appointment"),
        ("Paws Vet Clinic", "a vaccination", "appointment"),
        ("Fit Loft", "a trial class", "class"),
        ("Fit Loft", "a personal training session", "session"),
        ("Clear Optics", "an eye exam", "appointment"),
        ("North Motors", "a test drive", "test drive"),
        ("Blue Kitchen", "a table", "reservation"),
        ("Tidy Homes", "a house cleaning", "cleaning"),
        ("Bright Tutors", "a lesson", "lesson"),
        ("Quick Movers", "a move", "moving date"),
        ("Green Lawn", "a lawn treatment", "visit"),
        ("City Counsel", "a consultation with a lawyer", "consultation"),
        ("Family Doctors", "a check-up", "appointment"),
        ("Cool Air", "an air conditioner repair", "repair"),
        ("Open Software", "a demo", "demo"),
        ("Valley Hotel", "a room", "reservation"),
    )
)

LINES: dict[str, tuple[str, ...]] = {
    "a_greet": (
        "Thanks for calling {business}, how can I help?",
        "Hello, this is {business}.",
        "Hi, {business} here. What can I do for you?",
        "Good afternoon, you have reached {business}, I'm the virtual assistant.",
        "Hi, am I speaking with {name}? This is {business} calling.",
    ),
    "c_bye": (
        "Thanks, bye.",
        "Okay, bye.",
        "That's it. Goodbye.",
        "Great, thank you.",
        "No, that's everything.",
        "Alright, take care.",
        "I have to run. Bye.",
    ),
    "a_bye": (
        "Goodbye.",
        "Have a great day.",
        "Thanks for calling. Bye.",
        "Take care.",
        "Thank you for your time.",
    ),
    "c_ack": ("Okay.", "Got it.", "Alright.", "Mm-hm.", "I see.", "Good to know.", "Okay, thanks."),
    "a_understand": (
        "Understood.",
        "No problem at all.",
        "Okay, that's fine.",
        "Sure, I understand.",
        "Alright, noted.",
        "Of course.",
    ),
    "a_great": (
        "Wonderful, I'll note that down.",
        "Great to hear.",
        "Perfect, we'll get that going.",
        "Excellent.",
    ),
    "c_want_booking": (
        "I'd like to book {thing}.",
        "Can I schedule {thing}?",
        "I need {thing}.",
        "Hi, I'm calling to set up {thing}.",
        "Do you have any openings for {thing}?",
        "I was hoping to get {thing} this week.",
        "We need to arrange {thing}.",
    ),
    "c_ask_about_booking": (
        "How do I go about booking {thing} with you?",
        "Do I need to reserve ahead for {thing}?",
        "Just wondering how {thing} works at your place.",
        "Is it possible to book {thing} online?",
    ),
    "a_explain_booking": (
        "You can book on our site or by phone any time.",
        "Usually a few days ahead is enough, we can do it by phone.",
        "You can do it with me or online, whenever you like.",
    ),
    "c_will_see": (
        "Okay, I'll look at my calendar first.",
        "Good, I was only asking.",
        "Alright, maybe another time.",
        "Okay, I'll think about when.",
    ),
    "a_name": ("May I have your name?", "Who is it for?", "And your name, please?"),
    "c_name": ("It's {name}.", "{name}.", "My name is {name}.", "For {name}, please."),
    "a_offer_slot": (
        "I have {day} at {time}. Does that work?",
        "We could do {day}, {time}.",
        "The next opening is {day} at {time}. Shall I book it?",
        "How about {day} at {time}?",
        "There's a spot on {day} at {time}, would you like it?",
    ),
    "c_take": (
        "Yes, that works.",
        "Perfect, let's do it.",
        "Okay, I'll take it.",
        "Yes please.",
        "Sounds good.",
        "Sure, put me down.",
        "That would be great.",
    ),
    "c_other_slot": (
        "That doesn't work for me, anything else?",
        "Hmm, do you have something later?",
        "What other times do you have?",
        "I can't then. Is there another day?",
    ),
    "a_offer_other": (
        "I also have {day2} at {time2}.",
        "Then how about {day2}, {time2}?",
        "There's {day2} at {time2} as well.",
    ),
    "c_decline": (
        "No, I don't want that then.",
        "No thanks, I'll go somewhere else.",
        "No, leave it. I won't book.",
        "That's too late for me, forget it.",
        "Actually no, I'd rather not.",
        "I'll pass, thank you.",
    ),
    "c_think": (
        "Let me check with my wife and call back.",
        "I need to think about it.",
        "I'm not sure yet, I'll get back to you.",
        "Can I let you know tomorrow?",
        "I have to look at my schedule first, don't book anything yet.",
    ),
    "c_hold_on": (
        "Hold on, someone's at the door. I'll call again.",
        "Wait, I'm getting another call, sorry.",
        "Sorry, I'm losing you, the line is bad.",
    ),
    "a_one_moment": (
        "One moment while I check that.",
        "Let me see if that is still open.",
        "Give me a second to enter that.",
    ),
    "a_read_back": (
        "So that's {thing} on {day} at {time} for {name}. Is that correct?",
        "Let me repeat: {day}, {time}, under {name}. Right?",
        "Just to confirm, {day} at {time}. Are the details correct?",
    ),
    "c_confirm": ("Yes, that's right.", "Correct.", "Yep, all good.", "That's correct.", "Exactly.", "Yes."),
    "c_correct": (
        "No, it should be {day2}.",
        "Not quite, I said {time2}.",
        "No, the name is spelled differently.",
        "Wait, make it {day2} instead.",
        "That's wrong, I meant {time2}.",
    ),
    "a_corrected": (
        "Sorry, I've changed that. Is it right now?",
        "Got it, fixed. Correct now?",
        "Thanks, I've updated it. Anything else wrong?",
    ),
    "a_booked": (
        "You're all set, {noun} booked.",
        "Done, your {noun} is confirmed.",
        "I've got you down for {day}.",
        "It's booked. We'll see you then.",
        "Great, that's in the calendar.",
        "Your {noun} has been scheduled.",
        "I have reserved that for you.",
    ),
    "a_no_slot": (
        "I'm sorry, we have nothing open that week.",
        "Unfortunately we're fully booked.",
        "Sorry, there are no openings at the moment.",
        "We can't do that, everything is taken.",
        "I'm afraid that isn't available.",
    ),
    "a_system_down": (
        "I'm sorry, the system won't let me save it.",
        "Hmm, I get an error, the booking did not go through.",
        "It looks like that slot was just taken, and there is nothing else.",
        "Sorry, our scheduler is down, I can't complete this right now.",
    ),
    "c_pity": (
        "Oh, that's a pity.",
        "Okay, never mind then.",
        "Alright, I'll try again another time.",
        "Hm, too bad.",
    ),
    "c_undo": (
        "Actually, wait, cancel that, I can't make it after all.",
        "You know what, on second thought please take it out again.",
        "Sorry, I've changed my mind, don't keep it.",
        "Hang on, my husband says no. Scrap that, please.",
    ),
    "a_undone": ("Alright, I've removed it.", "Okay, it's cancelled again.", "No problem, I've taken it out."),
    "c_want_cancel": (
        "I need to cancel my {noun}.",
        "I won't be able to come, please cancel.",
        "Can you take me off the schedule for {day}?",
        "I'd like to call off my {noun}.",
    ),
    "a_cancelled": (
        "I've cancelled it for you.",
        "Okay, your {noun} is cancelled.",
        "Done, it's off the calendar.",
    ),
    "a_fee": (
        "There is a fee of thirty dollars if you cancel now. Still cancel?",
        "You'd lose your deposit. Do you want to go ahead?",
        "Are you sure? We have a long waiting list.",
    ),
    "c_keep": (
        "Oh, then leave it as it is.",
        "Then I'll keep it.",
        "No, in that case I'll come as planned.",
        "Okay, keep the old one then.",
    ),
    "a_kept": ("Okay, it stays as it is.", "Good, nothing has changed then.", "Alright, we'll leave it."),
    "c_want_move": (
        "I need to move my {noun}.",
        "Can I reschedule my {noun}?",
        "Could we change my {noun} to another day?",
        "Something came up, can I come at a different time?",
    ),
    "a_moved": (
        "I've moved it to {day} at {time}.",
        "Okay, you're now down for {day}.",
        "Done, your {noun} has been rescheduled.",
    ),
    "c_check_existing": (
        "When is my {noun} again?",
        "I just want to check the time of my {noun}.",
        "Am I in the book for {day}?",
    ),
    "a_tell_existing": ("It's {day} at {time}.", "You're down for {day}, {time}.", "Yes, {day} at {time}."),
    "a_pitch": (
        "We have a special offer, twenty percent off {thing}. Are you interested?",
        "I'm calling about our new plan with {thing} included. Is that something for you?",
        "This month new customers get {thing} at half price. Would you like that?",
        "We're offering a free upgrade. Would that interest you?",
    ),
    "c_interested": (
        "Yes, I'm interested.",
        "That sounds great, sign me up.",
        "Sure, I'd like that.",
        "Yes, count me in.",
        "Oh yes, I want it.",
        "I'd love that.",
    ),
    "c_not_interested": (
        "No, I'm not interested.",
        "No thanks.",
        "I don't need that.",
        "Not for me, thank you.",
        "I'll skip that.",
        "We already have someone for that.",
    ),
    "c_maybe": (
        "Maybe later.",
        "I don't know, not right now.",
        "I'd have to think about it.",
        "Call me again next month perhaps.",
    ),
    "c_offer_details": (
        "What does it include exactly?",
        "Can you tell me more about it?",
        "How does it work?",
        "And what's the catch?",
    ),
    "a_offer_details": (
        "It covers everything for the first three months.",
        "You pay nothing now and can leave at any time.",
        "It's for a whole year, with two visits.",
    ),
    "a_offer_text": (
        "Would you like me to text you the details?",
        "Should I send that to your phone by text?",
        "Can I send you a text with the link?",
        "I can text you a confirmation, is that okay?",
        "Do you want a text message with all that?",
    ),
    "c_yes_text": (
        "Yes, text it to me.",
        "Sure, go ahead.",
        "Yes please, send it.",
        "That would be helpful, yes.",
        "Okay, yeah.",
        "Please do.",
    ),
    "c_no_text": (
        "No, that's not necessary.",
        "No thanks, I've written it down.",
        "No need.",
        "I'd rather not get a text.",
        "No, I'll remember.",
    ),
    "c_email_instead": ("Could you e-mail it instead?", "Email is better for me.", "No, send it by e-mail please."),
    "a_will_email": ("Okay, I'll e-mail it.", "Sure, it goes to your inbox.", "Then you'll get an e-mail."),
    "c_ask_text": (
        "Can you text me that?",
        "Could you send me the details by text?",
        "Please send it to my phone as a message.",
        "Can I get that in a text?",
        "Would you mind texting me the link?",
        "Just shoot me a text with that, please.",
    ),
    "a_will_text": (
        "I'll send it right over.",
        "Sure, you'll get a text in a minute.",
        "Okay, the text is on its way.",
        "Will do, I'll text you.",
        "Of course, sending it now.",
    ),
    "a_cannot_text": (
        "I'm sorry, we cannot send texts.",
        "Unfortunately I can't text from here.",
        "We don't do text messages, sorry.",
    ),
    "c_no_text_after_all": (
        "Actually, don't send the text, I have it here.",
        "Oh wait, never mind the message, I don't need it.",
        "On second thought, no text please.",
    ),
    "a_announce_text": (
        "You will receive a reminder by text the day before.",
        "We send everyone a text with the details.",
        "We'll text you a confirmation shortly.",
    ),
    "c_got_text": (
        "I got your text yesterday.",
        "You already sent me a message about it.",
        "Your text says something else, but okay.",
    ),
    "a_offer_promotions": (
        "May we send you offers and news by text now and then?",
        "Would you like to receive our promotional messages?",
        "Can I sign you up for our deals by text?",
        "Do you agree to get marketing messages from us?",
    ),
    "c_yes_promotions": ("Sure, why not.", "Yes, that's fine.", "Yes, sign me up.", "Okay, you may.", "I agree."),
    "c_no_promotions": (
        "No, please don't.",
        "No, I get enough of those.",
        "I'd rather not.",
        "No advertising, please.",
        "No.",
    ),
    "c_want_callback": (
        "Can somebody call me back?",
        "Please have someone ring me later.",
        "I'd like a call back tomorrow.",
    ),
    "a_offer_callback": (
        "Shall someone call you back?",
        "Would you like a call from my colleague?",
        "Can we ring you later about it?",
    ),
    "c_yes_callback": ("Yes, please call me.", "Sure, after five is best.", "Yes, in the morning."),
    "c_no_callback": ("No, I'll call you.", "No, don't call me.", "Not needed."),
    "a_will_call": ("Someone will call you back.", "Okay, we'll ring you.", "I've put you on the call-back list."),
    "c_want_person": (
        "Can I talk to a real person?",
        "I want to speak with a human.",
        "Get me a manager, please.",
        "Put me through to somebody.",
    ),
    "a_transfer": ("I'll put you through now.", "One moment, connecting you to a colleague.", "Transferring you."),
    "a_nobody_free": (
        "I'm sorry, nobody is free right now.",
        "Everyone has left for today, I'm afraid.",
        "I can't transfer calls at the moment.",
    ),
    "a_ask_payment": (
        "There's a deposit of fifty dollars. May I have your card number?",
        "Would you like to pay now by card?",
        "I can take the payment over the phone.",
    ),
    "c_give_card": (
        "Sure, it's four two four two and so on.",
        "Yes, here's my card.",
        "Okay, use the card on file.",
    ),
    "c_refuse_payment": ("No, I'd rather pay on site.", "I don't give my card over the phone.", "Not now."),
    "a_paid": (
        "Thank you, the payment went through.",
        "Your payment has been received.",
        "That worked, you're paid up.",
    ),
    "a_card_declined": (
        "I'm sorry, the card was declined.",
        "The payment did not go through.",
        "Hm, your bank refused it.",
    ),
    "c_complain": (
        "I'm really unhappy with the last visit.",
        "Your people never showed up yesterday.",
        "I was charged twice and nobody helps me.",
        "I have a complaint, the work was sloppy.",
    ),
    "a_sorry": (
        "I'm very sorry to hear that, I'll pass it on.",
        "I apologise, that should not happen.",
        "I understand your frustration, I've logged it.",
    ),
    "c_wrong_number": (
        "You have the wrong number.",
        "There's nobody by that name here.",
        "I think you misdialled.",
    ),
    "a_sorry_wrong": ("Sorry to bother you.", "My apologies, I'll remove the number."),
}

TOPICS: dict[str, Topic] = {
    "price": Topic(
        ("the price", "how much it costs", "prices", "the cost"),
        ("How much is it?", "What does that cost?", "What do you charge?", "And the price?"),
        ("It's eighty dollars.", "It costs ninety-five dollars.", "That's sixty plus tax."),
    ),
    "hours": Topic(
        ("opening hours", "when you are open", "the business hours"),
        ("What are your hours?", "When do you open?", "How late are you open today?", "Are you open on Saturday?"),
        ("We're open from nine to six.", "We open at eight and close at five.", "We're open every day but Sunday."),
    ),
    "address": Topic(
        ("the address", "where the business is", "the location", "directions"),
        ("Where are you located?", "What's the address?", "How do I get there?", "Where do I have to go?"),
        ("We're at 12 Mill Road.", "The address is 400 Second Street.", "It's next to the library on Oak Avenue."),
    ),
    "parking": Topic(
        ("parking", "where to park"),
        ("Can I park there?", "Is there parking?", "Where do I leave the car?"),
        ("There's a free lot behind the house.", "Street parking only.", "You can use the garage next door."),
    ),
    "duration": Topic(
        ("how long it takes", "the duration", "how much time it needs"),
        ("How long does it take?", "How much time should I plan?", "Will it take long?"),
        ("It takes about forty minutes.", "Plan an hour.", "Usually half an hour."),
    ),
    "insurance": Topic(
        ("insurance", "whether insurance is accepted", "insurance coverage"),
        ("Do you take my insurance?", "Is that covered by insurance?", "Which insurance do you accept?"),
        ("We accept most insurance plans.", "Your plan covers it.", "We don't bill insurance directly."),
    ),
    "bring": Topic(
        ("what to bring", "how to prepare"),
        ("Do I need to bring anything?", "How should I prepare?", "Is there anything I should bring along?"),
        ("Please bring a photo ID.", "Come ten minutes early.", "Just bring your papers."),
    ),
    "website": Topic(
        ("the website", "a link", "the web address"),
        ("Do you have a website?", "Is there a link where I can see that?", "What's your web page?"),
        ("Everything is on our website.", "There's a page with all the details.", "You can look at our site."),
    ),
    "cancellation": Topic(
        ("the cancellation policy", "whether one can cancel"),
        ("Can I still cancel later?", "What's your cancellation policy?", "What if I have to cancel?"),
        ("You can cancel free of charge until the day before.", "We ask for a day's notice for changes."),
    ),
}

ASKED = (
    "When the caller asks about {topic}",
    "Customer asked about {topic}",
    "If they wanted to know {topic}",
    "The user enquires about {topic}",
    "Caller had a question about {topic}",
    "after the customer asks for {topic}",
)

ANY_QUESTION = (
    "When the caller requests more information",
    "The customer has questions",
    "If the caller asks for information",
    "customer wants to know more",
)

FACTS: dict[str, tuple[str, ...]] = {
    "booking": ("done", "done", "done", "undone", "declined", "think", "failed", "failed", "cut", "about"),
    "existing": ("cancelled", "kept", "moved", "moved", "not_moved", "checked"),
    "offer": ("yes", "yes", "no", "no", "details", "maybe"),
    "text": (
        "asked",
        "asked",
        "asked_refused",
        "offered_yes",
        "offered_yes",
        "offered_no",
        "offered_no",
        "email",
        "changed_mind",
        "announced",
        "got_already",
    ),
    "promotions": ("yes", "no"),
    "callback": ("wanted", "offered_yes", "no"),
    "person": ("transferred", "nobody"),
    "payment": ("paid", "declined", "refused"),
}

Holds = Callable[[str], bool | None]


def _is(*outcomes: str, unsure: tuple[str, ...] = ()) -> Holds:
    return lambda outcome: None if outcome in unsure else outcome in outcomes


CONDITIONS: tuple[tuple[str, Holds, tuple[str, ...]], ...] = (
    (
        "booking",
        _is("done", unsure=("undone",)),
        (
            "After scheduling {thing}",
            "When {thing} was booked",
            "The caller booked {thing}",
            "An appointment was made",
            "After booking an appointment",
            "When the agent confirms the {noun}",
            "{noun} successfully scheduled",
            "The call ended with a booked {noun}",
            "If a {noun} got set up",
            "Send once the customer has a confirmed {noun}",
            "booking completed",
            "after an appointment has been arranged",
        ),
    ),
    (
        "booking",
        _is("done"),
        (
            "The call ends with a {noun} that stands",
            "Customer leaves the call with a valid booking",
            "There is a new {noun} at the end of the call",
            "A booking was made and not taken back",
        ),
    ),
    (
        "booking",
        _is("declined", "think", "failed", "cut", "about", "undone", unsure=("none",)),
        (
            "No {noun} came out of the call",
            "If the call ended without a booking",
            "The caller did not book {thing} in the end",
            "When nothing was scheduled",
            "customer left without a {noun}",
        ),
    ),
    (
        "booking",
        _is("declined", unsure=("think", "undone")),
        (
            "The caller turns down the offered {noun}",
            "When the customer declines to book",
            "If the customer did not want {thing} after all",
            "Caller said no to the slot and booked nothing",
        ),
    ),
    (
        "booking",
        _is("failed"),
        (
            "The {noun} could not be booked",
            "When booking failed",
            "The agent was unable to schedule {thing}",
            "If no slot was available or the system failed",
            "booking not possible",
        ),
    ),
    (
        "booking",
        _is("think", unsure=("about",)),
        (
            "The caller wants to think about it",
            "When the customer is undecided about booking",
            "If they say they will get back about the {noun}",
        ),
    ),
    (
        "booking",
        _is("undone"),
        (
            "The customer cancels what was just booked",
            "When the caller changes their mind after booking",
            "A booking was made and taken back in the same call",
        ),
    ),
    (
        "booking",
        _is("done", "undone", "declined", "think", "failed", "cut", unsure=("about",)),
        (
            "The caller wants {thing}",
            "When someone calls to book {thing}",
            "If the customer asks for {thing}",
            "Caller is looking to schedule {thing}",
        ),
    ),
    (
        "other_slot",
        _is("yes"),
        (
            "The caller asks for a different time",
            "When the first slot does not suit the customer",
            "If they wanted another slot than the one offered",
        ),
    ),
    (
        "read_back",
        _is("confirmed", "corrected", unsure=("none",)),
        (
            "The caller confirms the details",
            "When the customer says the details are right",
            "Customer verified what the agent read back",
        ),
    ),
    (
        "read_back",
        _is("corrected"),
        (
            "The caller corrects a detail",
            "If the customer fixes what the agent got wrong",
            "Details had to be changed when read back",
        ),
    ),
    (
        "existing",
        _is("cancelled"),
        (
            "The {noun} was cancelled",
            "After cancelling {thing}",
            "When the customer's {noun} has been cancelled",
            "If an existing booking was called off",
        ),
    ),
    (
        "existing",
        _is("cancelled", "kept"),
        (
            "The caller asks to cancel",
            "When the customer wants to cancel the {noun}",
            "Customer requests a cancellation",
        ),
    ),
    (
        "existing",
        _is("moved"),
        (
            "The {noun} was rescheduled",
            "After moving the {noun} to another time",
            "When a new time was set for an existing {noun}",
            "rescheduling done",
        ),
    ),
    (
        "existing",
        _is("moved", "not_moved"),
        (
            "The caller asks to reschedule",
            "When the customer wants to move the {noun}",
            "If they want a different date for their {noun}",
        ),
    ),
    (
        "existing",
        _is("kept", "not_moved", unsure=("checked",)),
        ("The existing {noun} stays as it was", "Caller decides to keep the {noun} after asking to change it"),
    ),
    (
        "offer",
        _is("yes", "details_yes"),
        (
            "When the customer confirms they're interested in the offer",
            "The caller accepts the offer",
            "If they want the deal",
            "Customer is interested in the promotion",
            "prospect said yes to the offer",
            "lead wants to go ahead",
        ),
    ),
    (
        "offer",
        _is("no", "details_no", unsure=("maybe",)),
        (
            "The caller is not interested",
            "When the customer turns down the offer",
            "If the offer was rejected",
            "prospect declines",
        ),
    ),
    (
        "offer",
        _is("details_yes", "details_no"),
        ("The customer asks for more about the offer", "If they want to know what the offer includes"),
    ),
    ("offer", _is("maybe"), ("The customer is undecided about the offer", "When the caller may want it later")),
    (
        "text",
        _is("asked", "offered_yes", "asked_refused", unsure=("changed_mind", "announced")),
        (
            "The customer wants the details by text",
            "When the caller agrees to get a text message",
            "After the caller confirms wanting the details by text",
            "Caller said yes to an SMS or asked for one",
            "If they want it sent to their phone",
            "customer would like to receive a text",
        ),
    ),
    (
        "text",
        _is("asked", "asked_refused"),
        (
            "The caller asks for a text",
            "When the customer requests an SMS",
            "Customer asks the agent to send it to their phone",
            "if someone asks to have it texted",
        ),
    ),
    (
        "text",
        _is("asked", "offered_yes", "announced", unsure=("changed_mind",)),
        (
            "The agent promises to send a text",
            "When the agent says a message will be sent",
            "A text message was promised",
            "If the agent told the caller to expect an SMS",
        ),
    ),
    (
        "text",
        _is("offered_no", "email", "changed_mind"),
        (
            "The customer does not want a text",
            "When the caller refuses the text message",
            "If they decline to be texted",
            "SMS refused",
        ),
    ),
    (
        "text",
        _is("email"),
        ("The caller prefers e-mail", "When the customer asks for an e-mail instead", "If it should go by e-mail"),
    ),
    (
        "text",
        _is("offered_yes", "offered_no", "email", "changed_mind", unsure=("announced",)),
        ("The agent offers to send a text", "When the caller is offered an SMS"),
    ),
    (
        "promotions",
        _is("yes"),
        (
            "If the customer agrees to receive promotional messages",
            "The caller opts in to marketing texts",
            "When they say yes to getting offers",
            "Customer consents to promotions",
        ),
    ),
    (
        "promotions",
        _is("no"),
        (
            "The customer does not want promotional messages",
            "When the caller refuses marketing",
            "Opt-in was declined",
        ),
    ),
    (
        "callback",
        _is("wanted", "offered_yes"),
        (
            "The customer wants to be called back",
            "When a call-back was agreed",
            "If someone has to ring the caller",
            "callback requested",
        ),
    ),
    (
        "callback",
        _is("no"),
        ("The caller does not want a call back", "When the offer of a call-back is turned down"),
    ),
    (
        "person",
        _is("transferred", "nobody"),
        (
            "The caller asks for a human",
            "When the customer wants to speak with a person",
            "If a manager was requested",
        ),
    ),
    (
        "person",
        _is("transferred"),
        (
            "The call was transferred",
            "After handing the caller to a colleague",
            "When the agent puts the customer through",
        ),
    ),
    ("person", _is("nobody"), ("The caller wanted a person but nobody was available", "Transfer was not possible")),
    (
        "payment",
        _is("paid"),
        ("The customer paid", "After a successful payment", "When the deposit was received", "payment completed"),
    ),
    (
        "payment",
        _is("declined"),
        ("The payment failed", "When the card was declined", "If the payment did not go through"),
    ),
    (
        "payment",
        _is("refused"),
        ("The caller did not want to pay over the phone", "When payment by card is refused by the customer"),
    ),
    (
        "complaint",
        _is("made"),
        (
            "The customer complains",
            "When the caller is unhappy with the service",
            "If there was a complaint",
            "caller reports a problem",
        ),
    ),
    ("wrong_number", _is("yes"), ("The wrong person was reached", "When it was a wrong number")),
)
