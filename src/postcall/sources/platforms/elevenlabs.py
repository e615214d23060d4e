"""ElevenLabs Agents' post-call webhooks."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from pydantic import Field

from postcall.sources import loose
from postcall.sources.auth import OneSecret, secrets_of
from postcall.sources.ended_call import NOT_REACHED, Direction, EndedCall, Ending, Removed, Role, Turn, Variables
from postcall.sources.kind import Addition, Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.reading import read_event
from postcall.sources.signing import WRONG, fresh, header, one_of, seconds

_SIGNATURE: Final = "elevenlabs-signature"
# Their own library allows 30 minutes, but the delays of their retries add up to 41 and a tenth of that; whether a
# retry is signed anew is not documented. What is sent again changes nothing: a call is known by its id.
_FRESH: Final = timedelta(minutes=60)
# A header has one signature for each secret in use; nobody has more than a few.
_MOST_SIGNATURES: Final = 10

_FAILURE: Final = "call_initiation_failure"
_MACHINE: Final = "answering_machine_detection"
# A recording in base64; as documented, its type comes first.
_AUDIO: Final = re.compile(rb'\s*\{\s*"type"\s*:\s*"(?:\w+_)?audio"')
_ROLES: Final[dict[str, Role]] = {"agent": "agent", "user": "customer"}
_DIRECTIONS: Final[dict[str, Direction]] = {
    "inbound": "inbound", "outbound": "outbound", "outbound-api": "outbound", "outbound-dial": "outbound",
}  # fmt: skip
# How the telephone call went, of a conversation as of an attempt: `-` and blanks as `_`.
_BY_RESULT: Final[dict[str, Ending]] = {
    "voicemail": "voicemail",
    "busy": "busy",
    "no_answer": "no_answer",
    "failed": "failed",
    "canceled": "canceled",
}
_BY_SIP: Final[dict[int, Ending]] = {
    486: "busy", 600: "busy", 408: "no_answer", 480: "no_answer", 487: "no_answer",
}  # fmt: skip
# `termination_reason` is a sentence that nobody documents; these are what is told of it [G], the surest first.
_BY_SENTENCE: Final[tuple[tuple[re.Pattern[str], Ending], ...]] = (
    (re.compile(r"voice_?mail|answering machine"), "voicemail"),
    (re.compile(r"transfer(?!_to_agent)"), "transferred"),
    (re.compile(r"silence|inactiv"), "silence"),
    (re.compile(r"max\w* (?:conversation |call )?duration|duration limit"), "too_long"),
    (re.compile(r"end_call|client:agent"), "agent_hung_up"),
    (re.compile(r"remote party|client disconnected|client:user|user hung up"), "customer_hung_up"),
    (re.compile(r"error|quota|failed"), "error"),
)
# What conversation history redaction leaves of a value: [NAME], [PHONE_NUMBER].
_TAKEN_OUT: Final = re.compile(r"\[[A-Z]{2,}(?:_[A-Z0-9]+)*\]")


class WebhookSecret(OneSecret):
    """The secret of an ElevenLabs webhook; its prefix belongs to the key."""

    secret: str = Field(
        min_length=1,
        max_length=500,
        title="Webhook secret",
        description="ElevenLabs shows it once, when the webhook is made; it begins with wsec_.",
    )


class ElevenLabs:
    name = "elevenlabs"
    title = "ElevenLabs"
    paste = (
        "In ElevenLabs under Developers, Webhooks, make a webhook with it that authenticates by HMAC. Then choose "
        "it as the post-call webhook in the settings of ElevenAgents, with the events transcript and call "
        "initiation failure, and without audio."
    )
    auth = WebhookSecret

    def new_auth(self) -> None:
        return None

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        seal = _Seal(delivery.headers, auth)
        seal.update(delivery.body)
        seal.check()

    def skim(self, headers: Mapping[str, str], auth: Mapping[str, Any], beginning: bytes) -> _Seal | None:
        return _Seal(headers, auth) if _AUDIO.match(beginning) else None

    def parse(self, body: bytes) -> EndedCall | Addition | Ignored:
        event = _event(body)
        kind = event["type"]
        # Enterprises may also have transcripts sent unredacted; how that event is called is not documented [G].
        if kind == _FAILURE or "transcript" in kind:
            data = loose.mapping(event.get("data"))
            conversation_id = loose.identifier(data.get("conversation_id"))
            if conversation_id is None:
                raise Unreadable("this is not an ended call", [("data.conversation_id", "is required")])
            if kind == _FAILURE:
                return _never_began(conversation_id, data, event.get("event_timestamp"))
            return _conversation(conversation_id, data)
        if kind == _MACHINE and (found := _machine(loose.mapping(event.get("data")))):
            return found
        return Ignored(kind[:100])


class _Seal:
    """The signatures of a delivery, of the seconds and a dot before its body. Raises NotVerified for headers that
    have none, or one of another time."""

    def __init__(self, headers: Mapping[str, str], auth: Mapping[str, Any]) -> None:
        signed_at, self._given = _signatures(header(Delivery(headers, b"", ""), _SIGNATURE))
        fresh(seconds(signed_at, "the t of ElevenLabs-Signature"), _FRESH, "ElevenLabs-Signature")
        before = f"{signed_at}.".encode()
        self._made = [hmac.new(secret.encode(), before, "sha256") for secret in secrets_of(auth)]

    def update(self, part: bytes) -> None:
        for made in self._made:
            made.update(part)

    def check(self) -> None:
        made = [each.hexdigest() for each in self._made]
        for signature in self._given:
            try:
                return one_of(made, signature)
            except NotVerified:
                continue
        raise NotVerified(WRONG)


def _signatures(written: str) -> tuple[str, list[str]]:
    """The moment and the signatures of `t=1700000000,v0=…,v0=…`."""
    parts = [part.strip().partition("=") for part in written.split(",")]
    signed_at = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v0" and value][:_MOST_SIGNATURES]
    if not signed_at or not given:
        raise NotVerified("ElevenLabs-Signature is not of the form t=<seconds>,v0=<signature>")
    return signed_at[0], given


def _event(body: bytes) -> dict[str, Any]:
    needed = 'this is not an event of ElevenLabs: a JSON object is needed, {"type", "data", …}'
    event = read_event(body, needed)
    if not isinstance(event.get("type"), str) or not event["type"]:
        raise Unreadable(needed)
    return event


class _Line(NamedTuple):
    """Who talked with the agent, over whatever line; all None for a conversation in a browser."""

    direction: Direction | None = None
    customer: str | None = None
    agent: str | None = None


def _conversation(conversation_id: str, data: dict[str, Any]) -> EndedCall:
    metadata = loose.mapping(data.get("metadata"))
    phone = loose.mapping(metadata.get("phone_call"))
    line = _line(metadata, phone, _given(data))
    said = [turn for turn in map(loose.mapping, loose.listing(data.get("transcript"))) if turn]
    turns = loose.turns(each for turn in said for each in _turns(turn))
    variables, cut = _variables(data, said)
    started_at = loose.moment(metadata.get("start_time_unix_secs"))
    spoke = any(turn.role == "customer" for turn in turns)
    reason = loose.text(metadata.get("termination_reason"), 255) or loose.text(
        loose.at(metadata, "error.reason"), 255
    )
    result = loose.word(phone.get("call_result") or loose.at(metadata, "whatsapp.call_result"))
    ending = _ending(result, said, reason, failed=data.get("status") == "failed", spoke=spoke)
    return EndedCall(
        external_id=conversation_id,
        agent=loose.identifier(data.get("agent_id")),
        direction=line.direction,
        customer_number=line.customer,
        agent_number=line.agent,
        started_at=started_at,
        ended_at=loose.later(started_at, metadata.get("call_duration_secs")),
        end_reason=reason or result or None,
        ending=ending,
        connected=_connected(result, data, spoke=spoke),
        transcript=turns,
        variables=variables,
        redacted=_redacted(data, phone, turns, cut=cut),
        hints=_hints(data, metadata),
        also_known_as=[sid] if (sid := loose.identifier(phone.get("call_sid"))) else [],
    )


def _given(data: dict[str, Any]) -> dict[str, Any]:
    """The dynamic variables, the platform's own included."""
    return loose.mapping(loose.at(data, "conversation_initiation_client_data.dynamic_variables"))


def _line(metadata: dict[str, Any], phone: dict[str, Any], given: dict[str, Any]) -> _Line:
    """Numbers are taken from what the telephone line told ElevenLabs. The system variables stand in for it only
    where there was one: of a conversation in a browser they may be the visitor's own words."""
    if phone:
        direction = _DIRECTIONS.get(_plain(phone.get("direction")))
        customer, agent = phone.get("external_number"), phone.get("agent_number")
        if direction == "inbound":
            customer = customer or given.get("system__caller_id")
            agent = agent or given.get("system__called_number")
        return _Line(direction, _number(customer), _number(agent))
    if sms := loose.mapping(metadata.get("sms")):
        direction = _DIRECTIONS.get(_plain(sms.get("direction")))
        return _Line(direction, _number(sms.get("sms_user_phone_number")), _number(sms.get("agent_phone_number")))
    if whatsapp := loose.mapping(metadata.get("whatsapp")):
        direction = _DIRECTIONS.get(_plain(whatsapp.get("direction")))
        return _Line(direction, _whatsapp_number(whatsapp))
    return _Line()


def _number(value: Any) -> str | None:
    """A number as the line wrote it, out of a SIP address too; None where it was taken out."""
    found = loose.text(value, loose.MAX_NUMBER)
    if found is None or _TAKEN_OUT.fullmatch(found):
        return None
    if sip := re.fullmatch(r"(?:sips?|tel):([^@;]+).*", found, re.IGNORECASE):
        return sip[1]
    return found


def _whatsapp_number(whatsapp: dict[str, Any]) -> str | None:
    """WhatsApp names people by their number without its plus; newer ids (US.1349…) are no numbers."""
    named = loose.text(loose.at(whatsapp, "recipient.phone")) or loose.text(whatsapp.get("whatsapp_user_id")) or ""
    found = re.fullmatch(r"\+?([1-9]\d{6,14})", named)
    return f"+{found[1]}" if found else None


def _turns(turn: dict[str, Any]) -> Iterator[Turn | None]:
    """What stands in one entry of the transcript. The results that it brings are of calls before it, unless the
    call stands beside them."""
    at = turn.get("time_in_call_secs")
    calls = [call for call in map(loose.mapping, loose.listing(turn.get("tool_calls"))) if call]
    results = [result for result in map(loose.mapping, loose.listing(turn.get("tool_results"))) if result]
    called_here = {str(call.get("request_id")) for call in calls if call.get("request_id")}
    here = [result for result in results if str(result.get("request_id")) in called_here]
    before = [result for result in results if str(result.get("request_id")) not in called_here]
    for result in before:
        yield loose.answered(result.get("tool_name"), _answer(result), at)
    yield loose.turn(_ROLES.get(_plain(turn.get("role")), "system"), _words(turn), at)
    for call in calls:
        yield loose.called(call.get("tool_name"), call.get("params_as_json"), at)
    for result in here:
        yield loose.answered(result.get("tool_name"), _answer(result), at)


def _words(turn: dict[str, Any]) -> str | None:
    """What was said: `message`, or the parts of several voices."""
    if message := loose.text(turn.get("message")):
        return message
    parts = loose.listing(loose.at(turn, "multivoice_message.parts"))
    return " ".join(filter(None, (loose.text(loose.at(part, "text")) for part in parts))) or None


def _answer(result: dict[str, Any]) -> Any:
    """What a tool answered; system tools say it once as text and once as an object."""
    answer = loose.unwrapped(result.get("result_value"))
    if not isinstance(answer, dict) and isinstance(told := result.get("result"), dict):
        return told
    return answer


def _results(said: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for turn in said:
        yield from filter(None, map(loose.mapping, loose.listing(turn.get("tool_results"))))


def _variables(data: dict[str, Any], said: list[dict[str, Any]]) -> tuple[Variables, bool]:
    """The variables that are whole, and whether others had something taken out of them."""
    pre_call = {
        name: value for name, value in _given(data).items() if not name.startswith(("system__", "secret__"))
    }
    collected: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    for result in _results(said):
        for update in map(loose.mapping, loose.listing(result.get("dynamic_variable_updates"))):
            if name := loose.text(update.get("variable_name")):
                collected[name] = update.get("new_value")
        tool = loose.text(result.get("tool_name"), loose.MAX_ID)
        # A failed call of a tool answers nothing, and does not undo what it answered before.
        if tool and result.get("is_error") is not True and result.get("is_blocked") is not True:
            answer = _answer(result)
            answers[tool] = answer if isinstance(answer, dict) else {"result": answer}
    namespaces = {"pre_call": pre_call, "collected": collected, "extracted": _extracted(data)}
    whole = {
        name: {key: value for key, value in values.items() if not _is_cut(value)}
        for name, values in namespaces.items()
    }
    cut = any(len(whole[name]) < len(values) for name, values in namespaces.items())
    return Variables(action_results=answers, **whole), cut


def _is_cut(value: Any) -> bool:
    return bool(_TAKEN_OUT.search(value if isinstance(value, str) else json.dumps(value)))


def _extracted(data: dict[str, Any]) -> dict[str, Any]:
    """The data collection: {name: {value, rationale, …}}, or a list of the same; without the rationale."""
    analysis = loose.mapping(data.get("analysis"))
    found = dict(loose.mapping(analysis.get("data_collection_results")))
    if not found:
        listed = map(loose.mapping, loose.listing(analysis.get("data_collection_results_list")))
        found = {name: each for each in listed if (name := loose.text(each.get("data_collection_id")))}
    values = {
        name: each.get("value") if isinstance(each, dict) and "value" in each else each
        for name, each in found.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def _ending(
    result: str, said: list[dict[str, Any]], reason: str | None, *, failed: bool, spoke: bool
) -> Ending | None:
    if found := _BY_RESULT.get(result):
        return found
    outcomes = " ".join(str(loose.at(each, "result.result_type")) for each in _results(said))
    if "voicemail_detection_success" in outcomes:
        return "voicemail"
    if re.search(r"transfer_to_number_\w*success", outcomes):
        return "transferred"
    sentence = (reason or "").lower()
    for pattern, ending in _BY_SENTENCE:
        if pattern.search(sentence):
            return "failed" if ending == "error" and failed and not spoke else ending
    if failed:
        return "error" if spoke else "failed"
    return None


def _connected(result: str, data: dict[str, Any], *, spoke: bool) -> bool | None:
    if result == "answered" or (loose.number(data.get("user_message_count")) or 0) > 0:
        return True
    if _BY_RESULT.get(result) in NOT_REACHED and not spoke:
        return False
    return None


def _redacted(data: dict[str, Any], phone: dict[str, Any], turns: list[Turn], *, cut: bool) -> list[Removed]:
    removed: list[Removed] = []
    if not any(turn.role in ("agent", "customer") for turn in turns) and _was_left_out(data):
        removed.append("transcript")
    if _TAKEN_OUT.fullmatch(loose.text(phone.get("external_number")) or ""):
        removed.append("customer_number")
    if cut:
        removed.append("variables")
    return removed


def _was_left_out(data: dict[str, Any]) -> bool:
    """Whether there were words that the webhook leaves out, as it was told to, or that were deleted."""
    counts = (loose.number(data.get(name)) or 0 for name in ("user_message_count", "agent_message_count"))
    deletion = loose.mapping(loose.at(data, "metadata.deletion_settings"))
    return (
        "transcript" not in data
        or any(count > 0 for count in counts)
        or bool(deletion.get("deleted_transcript_at_time_unix_secs"))
    )


def _hints(data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    analysis = loose.mapping(data.get("analysis"))
    criteria = {
        name: loose.text(loose.at(each, "result")) or loose.text(each)
        for name, each in loose.mapping(analysis.get("evaluation_criteria_results")).items()
    }
    return loose.kept(
        summary=loose.text(analysis.get("transcript_summary")),
        title=loose.text(analysis.get("call_summary_title")),
        successful=loose.text(analysis.get("call_successful")),
        evaluation=loose.kept(**criteria),
        language=loose.text(metadata.get("main_language")),
        error=loose.text(loose.at(metadata, "error.reason")),
        batch_call=loose.text(loose.at(metadata, "batch_call.batch_call_id")),
    )


def _never_began(conversation_id: str, data: dict[str, Any], at: Any) -> EndedCall:
    """An outbound call that reached nobody; what the carrier says of it stands in `metadata.body`."""
    body = loose.mapping(loose.at(data, "metadata.body"))
    named = loose.word(data.get("failure_reason"))
    status = loose.word(body.get("CallStatus") or body.get("call_status"))
    code = loose.number(body.get("sip_status_code") or body.get("SipResponseCode"))
    ending = _BY_RESULT.get(named) or _BY_RESULT.get(status) or _BY_SIP.get(int(code or 0)) or "failed"
    told = (data.get("failure_reason"), body.get("error_reason"), body.get("CallStatus"), body.get("sip_status"))
    reasons = [text for each in told if (text := loose.text(each, 255))]
    # ElevenLabs says "unknown" where the carrier may say more.
    reason = next((text for text in reasons if text.lower() != "unknown"), next(iter(reasons), None))
    direction = _DIRECTIONS.get(_plain(body.get("Direction") or body.get("direction")), "outbound")
    called = body.get("To") or body.get("Called") or body.get("to_number")
    caller = body.get("From") or body.get("Caller") or body.get("from_number")
    customer, agent_number = (called, caller) if direction == "outbound" else (caller, called)
    variables, cut = _variables(data, [])
    return EndedCall(
        external_id=conversation_id,
        agent=loose.identifier(data.get("agent_id")),
        direction=direction,
        customer_number=_number(customer),
        agent_number=_number(agent_number),
        ended_at=loose.moment(at),
        end_reason=reason,
        ending=ending,
        connected=False,
        variables=variables,
        redacted=["variables"] if cut else [],
        also_known_as=[sid] if (sid := loose.identifier(body.get("CallSid") or body.get("call_sid"))) else [],
    )


def _machine(data: dict[str, Any]) -> Addition | None:
    """The carrier's verdict on who picked up, which comes at any time and is in no other event."""
    conversation_id = loose.identifier(data.get("conversation_id"))
    told = loose.text(data.get("answered_by") or data.get("result"), 255)
    if conversation_id is None or told is None:
        return None
    is_machine = told.lower().startswith("machine")
    return Addition(
        keys=(conversation_id,),
        hints={"answered_by": told},
        ending="voicemail" if is_machine else None,
    )


def _plain(value: Any) -> str:
    return (loose.text(value) or "").lower()
