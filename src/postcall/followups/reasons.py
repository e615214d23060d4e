"""Each reason in plain words, with what to do about it: the same on pages, in the API and in the CLI."""

from __future__ import annotations

from postcall.followups.models import Reason

IN_WORDS: dict[str, str] = {
    Reason.RULE_NOT_MET: "One of the attachment's plain rules does not hold for this call.",
    Reason.CONDITION_NOT_MET: "The judge read the call and the condition was not met.",
    Reason.CONDITION_UNCLEAR: "The judge could not tell whether the condition was met.",
    Reason.JUDGE_FAILED: "The judge could not be asked.",
    Reason.MISSING_INPUT: "The call did not bring every value that the message needs.",
    Reason.UNMAPPED_INPUT: "The message has an input that this attachment binds to nothing.",
    Reason.UNSAFE_VALUE: "A value out of the call holds what strangers must not put into your texts.",
    Reason.MESSAGE_TOO_LONG: "The filled message is longer than a text may be.",
    Reason.NOT_CONNECTED: "Nobody was reached.",
    Reason.VOICEMAIL: "An answering machine took the call.",
    Reason.NO_TRANSCRIPT: "The call came without a transcript.",
    Reason.REDACTED: "The platform blacked out what would have been needed.",
    Reason.AGENT_UNKNOWN: "The call belongs to an agent that is not set up here.",
    Reason.NO_RECIPIENT: "The call has no number to text.",
    Reason.INVALID_RECIPIENT: "The number to text is no phone number.",
    Reason.LANDLINE: "The number is a landline, which receives no texts.",
    Reason.NUMBER_REFUSED: "Numbers of this kind are not texted.",
    Reason.OPTED_OUT: "This number asked not to be texted.",
    Reason.ASKED_NOT_TO_BE_TEXTED: "During the call the customer spoke against being texted.",
    Reason.OUTSIDE_SEND_WINDOW: "The send window is never open for this number.",
    Reason.FREQUENCY_CAP: "This number got as many texts in 24 hours as the workspace allows.",
    Reason.BUDGET_EXCEEDED: "The workspace sent as many texts in 24 hours as its budget allows.",
    Reason.COUNTRY_NOT_ALLOWED: "The number is in a country that this workspace does not text to.",
    Reason.SENDER_PAUSED: "Sending is paused, and this text waits.",
    Reason.AWAITING_APPROVAL: "The text is ready and waits for somebody to approve it.",
    Reason.REJECTED: "Somebody looked at the text and decided against it.",
    Reason.EXPIRED: "The text could not leave while it still made sense.",
    Reason.SHADOW: "The attachment is in shadow mode: the text was written and not sent.",
    Reason.ATTACHMENT_OFF: "The attachment is switched off.",
    Reason.MESSAGING_NOT_CONFIGURED: "No Twilio account is set up for this workspace.",
    Reason.SET_ASIDE: "Working on this broke off again and again, so it was set aside.",
}
MEND: dict[str, str] = {
    Reason.RULE_NOT_MET: "If it should have held, change the rule on the attachment.",
    Reason.CONDITION_NOT_MET: "If that is wrong, mark the verdict wrong, and word the condition more exactly.",
    Reason.CONDITION_UNCLEAR: "Read the call, then approve or reject the text.",
    Reason.JUDGE_FAILED: "Look at the judge's settings, then have the call judged again.",
    Reason.MISSING_INPUT: "Give the input a fallback, or bind it to a value that every call brings.",
    Reason.UNMAPPED_INPUT: "Bind the input on the attachment.",
    Reason.UNSAFE_VALUE: "Check the text, then approve or reject it; the binding can allow such values.",
    Reason.MESSAGE_TOO_LONG: "Shorten the text and approve it, or shorten the action's message.",
    Reason.NOT_CONNECTED: "Nothing to do.",
    Reason.VOICEMAIL: "Nothing to do.",
    Reason.NO_TRANSCRIPT: "Have the voice platform send transcripts, or use an action that always goes out.",
    Reason.REDACTED: "Have the voice platform leave it in, or have the action take it from elsewhere.",
    Reason.AGENT_UNKNOWN: "Add the agent with the platform's id, then assign the call.",
    Reason.NO_RECIPIENT: "Have the platform send the customer's number, or set a number on the attachment.",
    Reason.INVALID_RECIPIENT: "Have the platform send numbers in full, such as +14155550132.",
    Reason.LANDLINE: "Nothing to do; call instead.",
    Reason.NUMBER_REFUSED: "Nothing to do.",
    Reason.OPTED_OUT: "Only the customer can take that back, by texting START or telling you.",
    Reason.ASKED_NOT_TO_BE_TEXTED: "Read what was said. If the customer does want texts, remove the opt-out.",
    Reason.OUTSIDE_SEND_WINDOW: "Widen the send window, or make the action urgent.",
    Reason.FREQUENCY_CAP: "Raise the cap in the sending rules if it is too tight.",
    Reason.BUDGET_EXCEEDED: "Raise the budget in the sending rules; it goes by itself once there is room.",
    Reason.COUNTRY_NOT_ALLOWED: "Add the country in the sending rules.",
    Reason.SENDER_PAUSED: "Do what is said about the pause; then it goes by itself.",
    Reason.AWAITING_APPROVAL: "Approve or reject it.",
    Reason.REJECTED: "Nothing to do.",
    Reason.EXPIRED: "Give the action more time, or widen the send window.",
    Reason.SHADOW: "Switch the attachment to live when its texts look right.",
    Reason.ATTACHMENT_OFF: "Switch it on.",
    Reason.MESSAGING_NOT_CONFIGURED: "Connect a Twilio account in the settings; then it goes by itself.",
    Reason.SET_ASIDE: "Look at the logs, then have the call judged again.",
}
# Where the text was made already: nobody can approve it or judge it again, but it can be sent again.
_IN_WORDS_OF_A_TEXT: dict[str, str] = {
    Reason.AWAITING_APPROVAL: "Approval was asked for before this text had left, and nobody had given it.",
    Reason.SET_ASIDE: "Postcall does nothing more about this text by itself.",
}
_MEND_OF_A_TEXT: dict[str, str] = {
    Reason.AWAITING_APPROVAL: "If it is right, send it again: that approves it.",
    Reason.SET_ASIDE: "Send it again, or leave it as it is.",
    Reason.MESSAGE_TOO_LONG: "Shorten the action's message.",
    Reason.ATTACHMENT_OFF: "Switch it on for later calls; this text can be sent again.",
}


def in_words(reason: str, *, made: bool = False) -> str:
    """What the reason means; `made`: there is a message, which it stopped."""
    return _IN_WORDS_OF_A_TEXT.get(reason, IN_WORDS[reason]) if made else IN_WORDS[reason]


def mend_of(reason: str, *, made: bool = False) -> str:
    """What to do about the reason; `made`: there is a message, which it stopped."""
    return _MEND_OF_A_TEXT.get(reason, MEND[reason]) if made else MEND[reason]


def explain(reason: str, *, made: bool = False) -> str:
    """What the reason means, and what to do about it; `made`: there is a message, which it stopped."""
    return f"{in_words(reason, made=made)} {mend_of(reason, made=made)}"
