"""Vapi: the end-of-call report among the messages that it sends to a server URL."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import Field, model_validator

from postcall.sources import loose
from postcall.sources.auth import OneSecret, secrets_of
from postcall.sources.ended_call import Direction, EndedCall, Ending, Removed, Role, Turn, Variables
from postcall.sources.hmac_plan import HmacPlan
from postcall.sources.kind import Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.reading import read_event
from postcall.sources.signing import one_of

REPORT: Final = "end-of-call-report"
_NEEDED: Final = 'this is none of Vapi’s server messages: {"message": {"type": …}} is needed'


class Credential(OneSecret):
    """What a custom credential of Vapi holds; with a plan nothing but that signature is accepted."""

    secret: str = Field(
        min_length=16,
        max_length=500,
        title="Secret",
        description="What the credential at Vapi holds: as its bearer token, or as the secret key of its HMAC.",
    )
    plan: HmacPlan | None = None

    @model_validator(mode="after")
    def _fits_its_plan(self) -> Credential:
        if self.plan and self.plan.secret_is_base64:
            for secret in filter(None, (self.secret, self.previous)):
                try:
                    base64.b64decode(secret.removeprefix("whsec_"), validate=True)
                except ValueError:
                    raise ValueError("the plan says that the secret is base64, and it is not") from None
        return self


class Vapi:
    name = "vapi"
    title = "Vapi"
    paste = (
        "In Vapi, open the assistant (or the phone number, or the organisation’s settings) and set it as the "
        "Server URL, with a custom credential that holds the secret, and the server message end-of-call-report."
    )
    auth = Credential

    def new_auth(self) -> dict[str, Any]:
        # Base64, so that the same secret does as a bearer token and as an HMAC key of either form.
        return {"secret": base64.b64encode(secrets.token_bytes(32)).decode()}

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        if plan := auth.get("plan"):
            HmacPlan.model_validate(plan).verify(delivery, secrets_of(auth))
            return
        if delivery.headers.get(_DEFAULT_PLAN.signature_header):
            _DEFAULT_PLAN.verify(delivery, secrets_of(auth))
            return
        one_of(secrets_of(auth), _shown(delivery), "the credential at Vapi holds another secret than this source")

    def parse(self, body: bytes) -> EndedCall | Ignored:
        message = read_event(body, _NEEDED).get("message")
        kind = message.get("type") if isinstance(message, dict) else None
        if not isinstance(kind, str) or not isinstance(message, dict):
            raise Unreadable(_NEEDED)
        if kind != REPORT:
            return Ignored(kind[:100])
        if loose.mapping(message.get("chat")) and not loose.mapping(message.get("call")):
            return Ignored(f"{REPORT} of a chat")
        return _Report(message).ended_call()


_DEFAULT_PLAN: Final = HmacPlan()


def _shown(delivery: Delivery) -> str:
    """The secret that came as it is, in either of the ways that Vapi can send one."""
    if own := delivery.headers.get("x-vapi-secret"):
        return own
    scheme, _, token = delivery.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    raise NotVerified(
        "neither x-signature nor a bearer token nor x-vapi-secret came: was a credential chosen for the server URL?"
    )


# Of these no telephone is at the other end. Whatever number stands in them was written by a browser or a program.
_WITHOUT_PHONE: Final = ("webCall", "vapi.websocketCall")
_DIRECTIONS: Final[dict[str, Direction]] = {"inboundPhoneCall": "inbound", "outboundPhoneCall": "outbound"}
_OF_VAPI: Final = frozenset(
    {"now", "date", "time", "day", "month", "year", "customer", "transport", "call", "phoneNumber", "assistant"}
)
_SIP_NUMBER: Final = re.compile(r"sips?:(\+?\d{7,15})@.*", re.DOTALL)


class _Report:
    """One end-of-call report. What is newer stands in `artifact` and `analysis`; older ones had it in the message
    itself. Times and the reason are the message's: its copy of the call is of before the end."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message
        self.call = loose.mapping(message.get("call"))
        self.artifact = loose.mapping(message.get("artifact"))
        self.analysis = loose.mapping(message.get("analysis"))
        self.started_at = loose.moment(message.get("startedAt"))

    def ended_call(self) -> EndedCall:
        call_id = loose.identifier(self.call.get("id"))
        if call_id is None:
            raise Unreadable("the report names no call", [("message.call.id", "is required")])
        kind = loose.text(self.call.get("type"))
        turns, results = self._words()
        reason = loose.text(self.message.get("endedReason"), loose.MAX_ID)
        ending, connected = _ending(reason, turns)
        return EndedCall(
            external_id=call_id,
            agent=self._agent(),
            direction=_DIRECTIONS.get(kind or ""),
            customer_number=None if kind in _WITHOUT_PHONE else self._customer_number(),
            agent_number=self._agent_number(),
            started_at=self.started_at,
            ended_at=loose.moment(self.message.get("endedAt")),
            end_reason=reason,
            ending=ending,
            connected=connected,
            transcript=turns,
            variables=self._variables(kind, results),
            redacted=self._redacted(turns),
            hints=self._hints(),
        )

    def _agent(self) -> str | None:
        """The assistant, squad or workflow that the call was given to; else the assistant that took it."""
        for name in ("assistantId", "squadId", "workflowId"):
            if found := loose.identifier(self.call.get(name)):
                return found
        return loose.identifier(loose.at(self.message, "assistant.id"))

    def _customer(self) -> dict[str, Any]:
        return loose.mapping(self.message.get("customer")) or loose.mapping(self.call.get("customer"))

    def _customer_number(self) -> str | None:
        customer = self._customer()
        if written := loose.text(customer.get("number"), loose.MAX_NUMBER):
            return written
        by_sip = _SIP_NUMBER.fullmatch(loose.text(customer.get("sipUri")) or "")
        return by_sip[1] if by_sip else None

    def _agent_number(self) -> str | None:
        for known in (self.message.get("phoneNumber"), self.call.get("phoneNumber")):
            phone = loose.mapping(known)
            # A number of the caller's own Twilio account, given with the call, has its own name.
            for name in ("number", "twilioPhoneNumber"):
                if found := loose.text(phone.get(name), loose.MAX_NUMBER):
                    return found
        return None

    def _words(self) -> tuple[list[Turn], dict[str, Any]]:
        """The turns and what tools answered, from the first form of the transcript in which somebody speaks."""
        best: tuple[list[Turn], dict[str, Any]] = [], {}
        for name, read in _FORMS:
            for holder in (self.artifact, self.message):
                found = read(holder.get(name), self.started_at)
                if _spoken(found[0]):
                    return found
                best = best if best[0] else found
        return best

    def _variables(self, kind: str | None, results: dict[str, Any]) -> Variables:
        given = self._given()
        customer = loose.kept(**{name: self._customer().get(name) for name in ("name", "email", "externalId")})
        # Of a call that comes in by SIP the name is the caller's own word: it must not pass for the operator's.
        theirs = {"name": customer.pop("name")} if kind != "outboundPhoneCall" and "name" in customer else {}
        ended_with = loose.mapping(self.artifact.get("variables")) | loose.mapping(
            self.artifact.get("variableValues")
        )
        gathered = {
            name: value
            for name, value in ended_with.items()
            if name not in _OF_VAPI and (name not in given or given[name] != value)
        }
        return Variables(
            pre_call=loose.kept(customer=customer) | given,
            collected=loose.kept(customer=theirs) | gathered,
            extracted=self._extracted(),
            action_results=results,
        )

    def _given(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        customer = loose.mapping(self.call.get("customer"))
        for holder in (
            self.call.get("workflowOverrides"),
            self.call.get("squadOverrides"),
            self.call.get("assistantOverrides"),
            customer.get("assistantOverrides"),
        ):
            overrides = loose.mapping(holder)
            given |= loose.kept(metadata=loose.mapping(overrides.get("metadata")))
            given |= loose.mapping(overrides.get("variableValues"))
        return given

    def _extracted(self) -> dict[str, Any]:
        """Structured outputs by their names, over the older structured data, which they replace."""
        found: dict[str, Any] = {}
        for each in loose.listing(self.analysis.get("structuredDataMulti")):
            # [G] The shape of an entry is not documented.
            found |= loose.mapping(each)
        found |= loose.mapping(self.analysis.get("structuredData"))
        for key, output in loose.mapping(self.artifact.get("structuredOutputs")).items():
            entry = loose.mapping(output)
            if entry.get("result") is not None:
                found[loose.text(entry.get("name"), loose.MAX_ID) or key] = entry["result"]
        return found

    def _hints(self) -> dict[str, Any]:
        return loose.kept(
            summary=loose.text(self.analysis.get("summary")) or loose.text(self.message.get("summary")),
            successful=self.analysis.get("successEvaluation"),
            scorecards=loose.mapping(self.artifact.get("scorecards")),
        )

    def _redacted(self, turns: list[Turn]) -> list[Removed]:
        """A transcript that the assistant's artifact plan switches off was never there to be read."""
        plans = (
            loose.at(self.call, "artifactPlan.transcriptPlan"),
            loose.at(self.call, "assistantOverrides.artifactPlan.transcriptPlan"),
            loose.at(self.message, "assistant.artifactPlan.transcriptPlan"),
        )
        off = any(loose.mapping(plan).get("enabled") is False for plan in plans)
        return ["transcript"] if off and not _spoken(turns) else []


# Transcripts. The prompt (role `system`) is no turn: it was not said, and a condition must not be met by it.
_Words = tuple[list[Turn], dict[str, Any]]


def _spoken(turns: list[Turn]) -> bool:
    return any(turn.role in ("agent", "customer") for turn in turns)


_SPEAKERS: Final[dict[str, Role]] = {"bot": "agent", "assistant": "agent", "user": "customer"}
_LINES: Final[dict[str, Role]] = {"ai": "agent", "bot": "agent", "assistant": "agent", "user": "customer"}


def _from_messages(found: Any, started_at: datetime | None) -> _Words:
    """`messages` and `messagesOpenAIFormatted`: who spoke, tools that were called, and what they answered."""
    turns: list[Turn | None] = []
    results: dict[str, Any] = {}
    names: dict[str, str] = {}
    for entry in map(loose.mapping, loose.listing(found)):
        role = loose.text(entry.get("role")) or ""
        at_s = entry.get("secondsFromStart")
        at_s = loose.since(started_at, entry.get("time")) if loose.number(at_s) is None else at_s
        if role in _SPEAKERS:
            turns.append(loose.turn(_SPEAKERS[role], _said(entry), at_s))
        for key, name, arguments in _calls(entry):
            names[key] = name
            turns.append(loose.called(name, arguments, at_s))
        if role in ("tool_call_result", "tool", "function_call_result", "function"):
            key = loose.text(entry.get("toolCallId")) or loose.text(entry.get("tool_call_id")) or ""
            name = loose.text(entry.get("name"), loose.MAX_ID) or names.get(key) or "tool"
            result = loose.unwrapped(entry.get("result") if "result" in entry else entry.get("content"))
            turns.append(loose.answered(name, result, at_s))
            if result not in (None, ""):
                results[name] = result if isinstance(result, dict) else {"result": result}
    return loose.turns(turns), results


def _said(entry: dict[str, Any]) -> str | None:
    said = entry.get("message") or entry.get("content")
    if isinstance(said, list):
        # OpenAI writes a message of several parts as a list of them.
        said = "\n".join(filter(None, (loose.text(loose.mapping(part).get("text")) for part in said)))
    return loose.text(said)


def _calls(entry: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(id, name, arguments) of the tools that a message calls."""
    for call in map(loose.mapping, loose.listing(entry.get("toolCalls") or entry.get("tool_calls"))):
        function = loose.mapping(call.get("function")) or call
        name = loose.text(function.get("name"), loose.MAX_ID)
        if name:
            yield loose.text(call.get("id")) or "", name, function.get("arguments")


def _from_lines(found: Any, _: datetime | None) -> _Words:
    return loose.lines(found, _LINES), {}


_FORMS: Final[tuple[tuple[str, Callable[[Any, datetime | None], _Words]], ...]] = (
    ("messages", _from_messages),
    ("messagesOpenAIFormatted", _from_messages),
    ("transcript", _from_lines),
)

# How calls end. Vapi documents some six hundred reasons, most of them one of a few with a provider's name in it;
# the first that fits counts. True: the conversation took place; False: nobody was reached.

_ENDINGS: Final[tuple[tuple[str, Ending, bool | None], ...]] = (
    (r"customer-ended-call(-.*)?", "customer_hung_up", True),
    (r"assistant-(ended-call(-.*)?|said-end-call-phrase)", "agent_hung_up", True),
    (r"assistant-forwarded-call", "transferred", True),
    (r"call\.(ending|ringing)\.hook-executed-transfer", "transferred", None),
    (r"assistant-request-returned-forwarding-phone-number", "transferred", None),
    (r"call\.(ending|ringing)\.hook-executed-say", "agent_hung_up", None),
    (r"voicemail", "voicemail", None),
    (r"customer-did-not-answer", "no_answer", False),
    (r"customer-busy", "busy", False),
    (r"silence-timed-out", "silence", None),
    (r"exceeded-max-duration", "too_long", None),
    (r"scheduled-call-deleted", "canceled", False),
    (r"call\.ringing\.sip-inbound-caller-hungup-before-call-connect", "canceled", False),
    (r"manually-canceled|call-deleted", "canceled", None),
    (r"(twilio|vonage)-failed-to-connect-call|vonage-rejected", "failed", False),
    (r"twilio-reported-customer-misdialed", "failed", False),
    (r"customer-did-not-give-microphone-permission", "failed", False),
    (r"phone-call-provider-bypass-enabled-but-no-call-received", "failed", False),
    (r"call\.start\.error-.*|call-start-error-.*|call\.ringing\.error-.*", "failed", False),
    (r"call\.in-progress\.error-sip-(in|out)bound-call-failed-to-connect", "failed", False),
    (r"call\.in-progress\.error-.*(transport-never-connected|outbound-sip-\d{3}-.*)", "failed", False),
    (r"assistant-(request-.*|not-.*|join-timed-out)|no-server-available|license-check-failed", "failed", None),
    (r"vonage-(completed|disconnected)|call\.in-progress\.(twilio|sip)-completed-call", "hung_up", None),
    (r"pipeline-.*|call\.in-progress\.error-.*|call\.forwarding\.operator-busy", "error", None),
    (r".*-error|.*-shutdown|phone-call-provider-closed-websocket", "error", None),
)


def _ending(reason: str | None, turns: list[Turn]) -> tuple[Ending | None, bool | None]:
    for pattern, ending, connected in _ENDINGS:
        if re.fullmatch(pattern, reason or ""):
            # Whatever the reason says: where the customer spoke, somebody was reached.
            spoke = any(turn.role == "customer" for turn in turns)
            return ending, None if connected is False and spoke else connected
    return None, None
