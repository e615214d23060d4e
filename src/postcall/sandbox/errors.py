"""Twilio's error codes as the stand-in answers them: HTTP status and a text, in one table."""

from __future__ import annotations

REFUSALS: dict[int, tuple[int, str]] = {
    20001: (400, "A parameter of the request is not valid"),
    20003: (401, "Authenticate"),
    20008: (403, "This cannot be accessed with test credentials"),
    20009: (409, "The message is still on its way: it can be neither redacted nor deleted yet"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too many requests"),
    20500: (500, "Internal server error"),
    21211: (400, "Invalid 'To' phone number"),
    21212: (400, "Invalid 'From' number"),
    21408: (400, "Permission to send an SMS to that region is not enabled"),
    21602: (400, "Message body is required"),
    21603: (400, "A 'From' number or a messaging service is required"),
    21604: (400, "A 'To' phone number is required"),
    21606: (400, "The 'From' number is not owned by the account or cannot send SMS"),
    21609: (400, "Invalid 'StatusCallback' URL"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (429, "The queue of this 'From' number is full"),
    21612: (400, "The 'To' number cannot be reached from this sender"),
    21614: (400, "The 'To' number is not a mobile number"),
    21617: (400, "The message body exceeds the 1600 character limit"),
    21705: (400, "The messaging service is invalid"),
    30400: (400, "Parameters are not valid"),
    30409: (409, "This message cannot be canceled"),
    35111: (400, "SendAt is missing"),
    35114: (400, "SendAt must lie between 300 seconds and 35 days in the future"),
    35118: (400, "A messaging service is required to schedule a message"),
}

DELIVERY_ERRORS: dict[int, str] = {
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30022: "Sending rate of the campaign exceeded",
    30032: "Toll-free number not verified",
    30034: "Message from an unregistered number",
    30036: "Validity period expired",
    30450: "Message blocked by SMS pumping protection",
    30500: "Internal error",
    30610: "Message blocked during quiet hours",
}


class Refusal(Exception):
    """The stand-in refuses a request with one of Twilio's codes; nothing was accepted."""

    def __init__(self, code: int, detail: str = "", *, retry_after_s: float | None = None) -> None:
        self.code = code
        self.status, text = REFUSALS[code]
        self.text = f"{text}: {detail}" if detail else text
        self.retry_after_s = retry_after_s
        super().__init__(self.text)

    def as_json(self) -> dict[str, object]:
        return {
            "code": self.code,
            "message": self.text,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
