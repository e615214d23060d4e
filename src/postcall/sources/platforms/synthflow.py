"""Synthflow's post-call webhook."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import Field

from postcall.sources import loose
from postcall.sources.auth import OneSecret
from postcall.sources.ended_call import Direction, EndedCall, Ending, Removed, Role, Turn, Variables
from postcall.sources.kind import Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.reading import read_event
from postcall.sources.signing import digests, header, one_of
from postcall.words import is_redacted

# Documented is `HTTP_SYNTHFLOW_SIGNATURE`, which may be the header itself or what a WSGI server makes of
# `Synthflow-Signature`; both were seen, and one with X-. Servers hand underscores on as they are or as dashes.
_SIGNATURES: Final = (
    "synthflow-signature",
    "http-synthflow-signature",
    "http_synthflow_signature",
    "x-synthflow-signature",
)
# Operators build webhooks of their own out of Synthflow's variables, and spell it as they like.
_CALL_IDS: Final = ("call_id", "callId", "Call_id")
# One of these tells Synthflow's event from other platforms' that have a `call` or a `call_id` too.
_OF_ITS_CALL: Final = frozenset({"model_id", "end_call_reason"})
_ITS_OWN: Final = _OF_ITS_CALL | {"lead", "executed_actions", "collected_variables", "call_status", *_CALL_IDS[1:]}
_ROLES: Final[dict[str, Role]] = {
    "bot": "agent", "human": "customer",
    "agent": "agent", "assistant": "agent", "ai": "agent", "user": "customer", "customer": "customer",
}  # fmt: skip
_UNDER_WAY: Final = frozenset({"pending", "queued", "registered", "initiated", "ringing", "in-progress", "paused"})
_BY_STATUS: Final[dict[str, Ending]] = {
    "hangup-on-voicemail": "voicemail",
    "left-voicemail": "voicemail",
    "no-answer": "no_answer",
    "busy": "busy",
    "failed": "failed",
    "canceled": "canceled",
    "user-canceled": "canceled",
}
_BY_REASON: Final[dict[str, Ending]] = {
    "voicemail": "voicemail",
    "voicemail-message-left": "voicemail",
    "human-goodbye": "customer_hung_up",
    "human-pick-up-cut-off": "customer_hung_up",
    "agent-goodbye": "agent_hung_up",
    "custom-end-call": "agent_hung_up",
    "max-duration": "too_long",
    "user-canceled": "canceled",
}
# Of keys in `executed_actions`; both were seen side by side.
_EXTRACTORS: Final = ("extract-info-", "info-extractor-")
_TALKED: Final = frozenset({"human-goodbye", "agent-goodbye"})
_SAYS_NOTHING: Final = frozenset({"", "undefined", "null", "none"})


class WebhookSecret(OneSecret):
    """The secret of a Synthflow workspace."""

    secret: str = Field(
        min_length=1,
        max_length=500,
        title="Webhook secret",
        description="Synthflow: Workspace settings, Security, Webhooks, Generate secret key.",
    )


class Synthflow:
    name = "synthflow"
    title = "Synthflow"
    paste = (
        "Paste it in Synthflow as the agent's post-call webhook, or send it as external_webhook_url with each "
        "call. Never as the inbound webhook: that one decides who answers the phone, which Postcall does not."
    )
    auth = WebhookSecret

    def new_auth(self) -> None:
        return None

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        """Synthflow signs the id of the call and nothing else: neither the body nor a time. So the first body of a
        call is the one that counts (`calls.receive`), and what keeps others from sending one is the address."""
        given = header(delivery, *_SIGNATURES).strip()
        try:
            event = read_event(delivery.body, "a JSON object is needed")
        except Unreadable as error:
            raise NotVerified(f"it names no call, which is what Synthflow signs ({error})") from None
        call_id = _call_id(event)
        if call_id is None and _asks_who_answers(event):
            raise NotVerified(
                "this is the inbound webhook, by which Synthflow asks who is to answer: take this address out "
                "there, and give it to Synthflow as the post-call webhook"
            )
        if call_id is None:
            raise NotVerified("it names no call, which is what Synthflow signs: there is no call.call_id")
        one_of((base64.b64encode(made) for made in digests(auth, call_id.encode())), given)

    def parse(self, body: bytes) -> EndedCall | Ignored:
        event = read_event(body, "a JSON object is needed")
        if _asks_who_answers(event):
            return Ignored("call_inbound")
        call = loose.mapping(event.get("call"))
        if not (_ITS_OWN & event.keys() or _OF_ITS_CALL & call.keys()):
            raise Unreadable("this is not Synthflow's post-call webhook")
        call_id = _call_id(event)
        if call_id is None:
            raise Unreadable("this is not an ended call", [("call.call_id", "is required")])
        # Where a webhook was built by hand, everything stands side by side.
        told = event | loose.kept(**call)
        status, reason = _status(event, call), _reason(event, told)
        if status in _UNDER_WAY and _plain(reason) in _SAYS_NOTHING | _UNDER_WAY:
            return Ignored(status)
        return _ended(call_id, event, told, status, reason)


def _asks_who_answers(event: Mapping[str, Any]) -> bool:
    return event.get("event") == "call_inbound" or isinstance(event.get("call_inbound"), dict)


def _call_id(event: Mapping[str, Any]) -> str | None:
    """The id of the call, read in one place: what was signed is what the call is known by."""
    places = (loose.mapping(event.get("call")), event, loose.mapping(event.get("call_inbound")))
    return _first(loose.identifier(place.get(name)) for place in places for name in _CALL_IDS)


def _first(found: Iterable[str | None]) -> str | None:
    return next((each for each in found if each), None)


def _plain(written: str | None) -> str:
    """`hangup_on_voicemail` and `no-answer` stand in one list of Synthflow's."""
    return (written or "").lower().replace("_", "-").replace(" ", "-")


def _status(event: Mapping[str, Any], call: Mapping[str, Any]) -> str:
    found = (call.get("status"), call.get("call_status"), event.get("call_status"), event.get("status"))
    return _plain(_first(map(loose.text, found)))


def _reason(event: Mapping[str, Any], told: Mapping[str, Any]) -> str | None:
    """Why it ended. The documentation of 2024 has it in `error_message`, with the status in its place."""
    reason, older = loose.text(told.get("end_call_reason"), 255), loose.text(event.get("error_message"), 255)
    return older if _plain(older) in _BY_REASON and _plain(reason) not in _BY_REASON else reason


def _ended(
    call_id: str, event: Mapping[str, Any], told: Mapping[str, Any], status: str, reason: str | None
) -> EndedCall:
    lead = loose.mapping(event.get("lead"))
    actions = _Actions(event.get("executed_actions"))
    said = _said(told.get("transcript"))
    started = loose.moment(told.get("start_time"))
    customer = _first(
        loose.text(each, loose.MAX_NUMBER)
        for each in (lead.get("phone_number"), told.get("user_phone_number"), told.get("phone_number"))
    )
    direction = _direction(told)
    ending = _ending(status, reason)
    variables = Variables(
        pre_call=_pre_call(lead, told),
        collected=_collected(told.get("collected_variables"), loose.text(told.get("model_id"))),
        extracted=actions.extracted,
        action_results=actions.results,
    )
    return EndedCall(
        external_id=call_id,
        agent=loose.identifier(told.get("model_id")),
        direction=direction,
        customer_number=customer,
        agent_number=_agent_number(told, direction),
        started_at=started,
        ended_at=loose.later(started, told.get("duration")),
        end_reason=_end_reason(status, reason, told.get("custom_end_call_reason")),
        ending=ending,
        connected=_connected(status, reason, said),
        transcript=loose.turns([*said, *actions.turns]),
        variables=variables,
        redacted=_redacted(told, customer, said, variables),
        hints=_hints(loose.mapping(event.get("analysis")), actions),
    )


def _said(transcript: Any) -> list[Turn]:
    """Documented is one text; a list of turns is read as well."""
    listed = loose.listing(transcript)
    if not listed:
        return loose.lines(transcript, _ROLES)
    each = [loose.mapping(one) for one in listed]
    return loose.turns(
        loose.turn(
            _ROLES.get((_first(map(loose.text, (one.get("role"), one.get("speaker")))) or "").lower(), "system"),
            _first(map(loose.text, (one.get("text"), one.get("content"), one.get("message")))),
        )
        for one in each
    )


def _ending(status: str, reason: str | None) -> Ending | None:
    by_reason = _BY_REASON.get(_plain(reason))
    return by_reason if by_reason == "voicemail" else _BY_STATUS.get(status) or by_reason


def _end_reason(status: str, reason: str | None, custom: Any) -> str | None:
    if _plain(reason) in _SAYS_NOTHING:
        reason = status or None
    if own := loose.text(custom):
        reason = f"{reason}: {own}" if reason else own
    return reason[:255] if reason else None


def _connected(status: str, reason: str | None, said: Iterable[Turn]) -> bool | None:
    if status == "completed" and _plain(reason) in _TALKED:
        return True
    if status in ("no-answer", "busy") and not any(turn.role == "customer" for turn in said):
        return False
    return None


def _direction(told: Mapping[str, Any]) -> Direction:
    """The webhook is documented without a direction [G: the other names]. A call that was diverted came in; and
    of our own two numbers, Synthflow's variables name the one that the direction has. Else it is taken for an
    outbound one, as the documented way to set the webhook is with the request to make a call."""
    for name in ("direction", "type_of_call", "call_type"):
        match _plain(loose.text(told.get(name))):
            case "inbound":
                return "inbound"
            case "outbound":
                return "outbound"
    dialed, calling = loose.text(told.get("to_phone_number")), loose.text(told.get("from_phone_number"))
    return "inbound" if loose.text(told.get("diversion")) or (dialed and not calling) else "outbound"


def _agent_number(told: Mapping[str, Any], direction: Direction) -> str | None:
    """Only in webhooks built by hand: the variables `to_phone_number` (inbound) and `from_phone_number`."""
    name = "to_phone_number" if direction == "inbound" else "from_phone_number"
    return loose.text(told.get(name), loose.MAX_NUMBER)


def _pre_call(lead: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    about = loose.kept(
        name=lead.get("name"),
        email=lead.get("email"),
        external_id=told.get("external_id"),
        metadata=told.get("metadata"),
    )
    given = lead.get("prompt_variables", told.get("prompt_variables"))
    return about | dict(_by_name(loose.listing(given))) | loose.mapping(given)


def _by_name(listed: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Variables as the request to make a call has them: a list of {"key", "value"}."""
    for one in map(loose.mapping, listed):
        if name := _first((loose.text(one.get("key")), loose.text(one.get("name")))):
            yield name, one.get("value")


def _collected(variables: Any, agent: str | None) -> dict[str, Any]:
    """Both documented shapes: by name, or by agent and then by name. Of several agents the call's own has the last
    word; what was not collected is left out."""
    found: dict[str, Any] = {}
    given = loose.mapping(variables)
    for name, entry in sorted(given.items(), key=lambda item: item[0] == agent):
        if isinstance(entry, dict) and not _is_variable(entry):
            found |= {inner: _value(each) for inner, each in entry.items() if _was_collected(each)}
        elif _was_collected(entry):
            found[name] = _value(entry)
    return found


def _is_variable(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("collected"), bool) or ("value" in entry and not isinstance(entry["value"], dict))


def _was_collected(entry: Any) -> bool:
    return not (isinstance(entry, dict) and str(entry.get("collected")).lower() == "false")


def _value(entry: Any) -> Any:
    return entry.get("value") if isinstance(entry, dict) and _is_variable(entry) else entry


class _Actions:
    """What the call's actions gave, sorted by whose it is."""

    def __init__(self, executed: Any) -> None:
        self.extracted: dict[str, Any] = {}
        self.results: dict[str, Any] = {}
        self.evaluations: dict[str, Any] = {}
        self.turns: list[Turn | None] = []
        by_key = loose.mapping(executed) or {f"action_{n}": one for n, one in enumerate(loose.listing(executed), 1)}
        for key, action in by_key.items():
            self._take(key, loose.mapping(action))

    def _take(self, key: str, action: Mapping[str, Any]) -> None:
        name = loose.text(action.get("name"), loose.MAX_ID) or key
        kind = _plain(loose.text(action.get("action_type")))
        result = loose.unwrapped(action.get("return_value"))
        nothing = result in (None, "", {}, [])
        if "extract" in kind or _plain(key).startswith(_EXTRACTORS):
            self._extract(action, name, result)
        elif "custom-eval" in kind:
            self.evaluations |= {} if nothing else {name: result}
        elif not nothing:
            self.results[name] = result if isinstance(result, dict) else {"result": result}
            self.turns.append(loose.answered(name, result))
        elif error := loose.text(action.get("error_message")):
            # Of what it was called with only its settings are sent, which may hold keys to other systems.
            self.turns.append(loose.answered(name, {"error": error}))

    def _extract(self, action: Mapping[str, Any], name: str, result: Any) -> None:
        if isinstance(result, dict):
            self.extracted |= result
        elif result not in (None, "", []):
            settings = loose.mapping(action.get("parameters_hard_coded"))
            self.extracted[loose.text(settings.get("identifier")) or name] = result


def _redacted(
    told: Mapping[str, Any], customer: str | None, said: list[Turn], variables: Variables
) -> list[Removed]:
    """`redact_pii` takes names, numbers and addresses out before the webhook is sent; the webhook need not say so
    [G: that it ever does], so what stands in their place is looked at."""
    announced = any(told.get(name) is True for name in ("redact_pii", "pii_redacted"))
    found: list[Removed] = []
    if (customer is None and announced) or (customer is not None and is_redacted(customer)):
        found.append("customer_number")
    if not said and announced:
        found.append("transcript")
    known = (variables.pre_call, variables.collected, variables.extracted)
    if any(isinstance(value, str) and is_redacted(value) for each in known for value in each.values()):
        found.append("variables")
    return found


def _hints(analysis: Mapping[str, Any], actions: _Actions) -> dict[str, Any]:
    """Each field of `analysis` is a mark (true, partial, false), `call_summary` too: whether, not what. The two
    about consent stand beside the others: their `true` is no consent of ours. That somebody did opt out is looked
    into; that nobody opted in may be true of every call in which it was no matter [G]."""
    beside = ("goal", "opted_in", "no_opt_out")
    return loose.kept(
        successful=analysis.get("goal"),
        opted_in=analysis.get("opted_in"),
        no_opt_out=analysis.get("no_opt_out"),
        analysis=loose.kept(**{name: value for name, value in analysis.items() if name not in beside}),
        do_not_text=str(analysis.get("no_opt_out")).lower() == "false" or None,
        evaluations=actions.evaluations,
    )
