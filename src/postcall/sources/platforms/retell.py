"""Retell AI: `call_ended` at once, `call_analyzed` with what its analysis extracted, a little later."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import Field

from postcall.sources import loose
from postcall.sources.auth import OneSecret
from postcall.sources.ended_call import Direction, EndedCall, Ending, Removed, Role, Turn, Variables
from postcall.sources.kind import Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.reading import read_event
from postcall.sources.signing import digests, fresh, header, one_of

SIGNATURE: Final = "x-retell-signature"
ENDED: Final = "call_ended"
_NEEDED: Final = 'this is no event of Retell’s: {"event", "call"} is needed'
ANALYZED: Final = "call_analyzed"
# The agent hung up on a machine that offers a menu: what stands there as the customer's words is the machine's.
IVR: Final = "ivr_reached"
_FRESH_FOR: Final = timedelta(minutes=5)
_SIGNED: Final = re.compile(r"v=([0-9]{1,15}),d=([0-9a-f]{64})")


class ApiKey(OneSecret):
    """Retell signs with one of the account's API keys."""

    secret: str = Field(
        min_length=1,
        max_length=500,
        title="API key",
        description="The one with the webhook badge, under Settings, API Keys: Retell signs with no other.",
    )


class Retell:
    name = "retell"
    title = "Retell AI"
    paste = (
        "In Retell, open the agent’s Webhook Settings and set it as the Agent Level Webhook URL, with the events "
        "call_ended and call_analyzed; or set it under Settings, Webhooks, for all agents without their own."
    )
    auth = ApiKey

    def new_auth(self) -> None:
        return None

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        found = _SIGNED.fullmatch(header(delivery, SIGNATURE))
        if found is None:
            raise NotVerified(f"{SIGNATURE} is not of the form v=<milliseconds>,d=<hex>")
        moment, digest = found.groups()
        fresh(int(moment) / 1000, _FRESH_FOR, SIGNATURE)
        one_of((made.hex() for made in digests(auth, delivery.body + moment.encode())), digest)

    def parse(self, body: bytes) -> EndedCall | Ignored:
        event = read_event(body, _NEEDED)
        kind = event.get("event")
        if not isinstance(kind, str):
            raise Unreadable(_NEEDED)
        if kind not in (ENDED, ANALYZED):
            return Ignored(kind[:100])
        # `data` is the older name of `call`.
        call = loose.mapping(event.get("call")) or loose.mapping(event.get("data"))
        return _Report(call, final=kind == ANALYZED).ended_call()


_DIRECTIONS: Final[dict[str, Direction]] = {"inbound": "inbound", "outbound": "outbound"}
_THIN: Final = ("everything_except_pii", "basic_attributes_only")


class _Report:
    """The call of an event."""

    def __init__(self, call: dict[str, Any], *, final: bool) -> None:
        self.call = call
        self.final = final
        self.analysis = loose.mapping(call.get("call_analysis"))

    def ended_call(self) -> EndedCall:
        call_id = loose.identifier(self.call.get("call_id"))
        if call_id is None:
            raise Unreadable("the event names no call", [("call.call_id", "is required")])
        customer, agent = self._numbers()
        turns, results, scrubbed = self._words()
        started_at = loose.moment(self.call.get("start_timestamp"))
        reason = loose.text(self.call.get("disconnection_reason"), loose.MAX_ID)
        ending, connected = _ENDINGS.get(reason or "", (None, None))
        return EndedCall(
            external_id=call_id,
            agent=loose.identifier(self.call.get("agent_id")),
            direction=self._direction(),
            customer_number=customer,
            agent_number=agent,
            started_at=started_at,
            ended_at=loose.moment(self.call.get("end_timestamp"))
            or loose.later(started_at, _in_seconds(self.call.get("duration_ms"))),
            end_reason=reason,
            ending=ending,
            connected=self._connected(connected, turns),
            final=self.final,
            transcript=turns,
            variables=self._variables(results),
            redacted=self._redacted(turns, customer, scrubbed=scrubbed),
            hints=loose.kept(
                summary=loose.text(self.analysis.get("call_summary")),
                successful=self.analysis.get("call_successful"),
                sentiment=loose.text(self.analysis.get("user_sentiment")),
                # What a model made of the words, unlike the reason voicemail_reached.
                in_voicemail=self.analysis.get("in_voicemail"),
                do_not_text=True if reason == "user_requested_dnc" else None,
            ),
        )

    def _direction(self) -> Direction | None:
        return _DIRECTIONS.get(loose.text(self.call.get("direction")) or "")

    def _numbers(self) -> tuple[str | None, str | None]:
        """(the human's, the agent's); neither where nothing says which is which."""
        ours, theirs = (loose.text(self.call.get(name), loose.MAX_NUMBER) for name in ("from_number", "to_number"))
        if self.call.get("call_type") == "web_call":
            return None, None
        if self._direction() == "inbound":
            return ours, theirs
        return (theirs, ours) if self._direction() == "outbound" else (None, None)

    def _connected(self, by_reason: bool | None, turns: list[Turn]) -> bool | None:
        if self.call.get("disconnection_reason") == IVR:
            return False
        connected = False if self.call.get("call_status") == "not_connected" else by_reason
        # Whatever the reason says: where the customer spoke, somebody was reached.
        spoke = any(turn.role == "customer" for turn in turns)
        return None if connected is False and spoke else connected

    def _variables(self, results: dict[str, Any]) -> Variables:
        given = loose.mapping(self.call.get("retell_llm_dynamic_variables"))
        return Variables(
            pre_call=loose.kept(metadata=loose.mapping(self.call.get("metadata"))) | given,
            collected=loose.mapping(self.call.get("collected_dynamic_variables")),
            extracted=loose.mapping(self.analysis.get("custom_analysis_data")),
            action_results=results,
        )

    def _words(self) -> tuple[list[Turn], dict[str, Any], bool]:
        """The turns, what tools answered, and whether the words are those that Retell took names and numbers out
        of: there are no others when the agent's data storage says so."""
        best: tuple[list[Turn], dict[str, Any], bool] = [], {}, False
        for name in ("transcript_with_tool_calls", "transcript_object", "scrubbed_transcript_with_tool_calls"):
            turns, results = _from_utterances(self.call.get(name))
            if name.startswith("scrubbed") and (plain := loose.lines(self.call.get("transcript"), _LINES)):
                return plain, best[1], False
            if _spoken(turns):
                return turns, results or best[1], name.startswith("scrubbed")
            best = best if best[0] else (turns, results, False)
        return best

    def _redacted(self, turns: list[Turn], customer: str | None, *, scrubbed: bool) -> list[Removed]:
        removed: list[Removed] = []
        thin = self.call.get("data_storage_setting") in _THIN
        talked = self.call.get("call_status") != "not_connected"
        if scrubbed or (thin and talked and not _spoken(turns)):
            removed.append("transcript")
        if thin and customer is None and self.call.get("call_type") != "web_call":
            removed.append("customer_number")
        given = ("retell_llm_dynamic_variables", "collected_dynamic_variables", "metadata")
        if self.call.get("data_storage_setting") == _THIN[1] and not any(map(self.call.get, given)):
            # [G] Retell does not store variables then; whether there were any, it does not say.
            removed.append("variables")
        return removed


def _in_seconds(milliseconds: Any) -> float | None:
    found = loose.number(milliseconds)
    return None if found is None else found / 1000


def _spoken(turns: list[Turn]) -> bool:
    return any(turn.role in ("agent", "customer") for turn in turns)


_SPEAKERS: Final[dict[str, Role]] = {"agent": "agent", "user": "customer"}
_LINES: Final[dict[str, Role]] = {"agent": "agent", "user": "customer", "transfer target": "system"}
_TRANSFER_TARGET: Final = "Person the call was transferred to: "


def _from_utterances(found: Any) -> tuple[list[Turn], dict[str, Any]]:
    turns: list[Turn | None] = []
    results: dict[str, Any] = {}
    names: dict[str, str] = {}
    for entry in _with_whole_numbers(found):
        role, said = loose.text(entry.get("role")) or "", entry.get("content")
        at_s = _begun(entry)
        if role in _SPEAKERS:
            turns.append(loose.turn(_SPEAKERS[role], said, at_s))
        elif role == "transfer_target" and loose.text(said):
            # A third person: what they say binds neither the agent nor the customer, and is no objection of theirs.
            turns.append(loose.turn("system", f"{_TRANSFER_TARGET}{loose.text(said)}", at_s))
        elif role == "tool_call_invocation":
            name = loose.text(entry.get("name"), loose.MAX_ID) or "tool"
            names[loose.text(entry.get("tool_call_id")) or ""] = name
            turns.append(loose.called(name, entry.get("arguments"), at_s))
        elif role == "tool_call_result":
            name = names.get(loose.text(entry.get("tool_call_id")) or "") or "tool"
            turns.append(loose.answered(name, said, at_s))
            # What a failed tool says is an error's text: nothing to put into a message.
            if said not in (None, "") and entry.get("successful") is not False:
                result = loose.unwrapped(said)
                results[name] = result if isinstance(result, dict) else {"result": result}
        elif role == "dtmf":
            turns.append(loose.turn("customer", f"(pressed {entry.get('digit')})", at_s))
        elif role == "sms" and loose.text(said):
            turns.append(loose.turn("customer", f"(by text) {loose.text(said)}", at_s))
        elif role == "injected":
            turns.append(loose.turn("system", said, at_s))
        # The steps between the agent's own nodes are nothing that anybody said.
    return loose.turns(turns), results


def _with_whole_numbers(found: Any) -> Iterator[dict[str, Any]]:
    """The entries of a transcript, with digits that were pressed one after the other as one."""
    pressed: dict[str, Any] = {}
    for entry in map(loose.mapping, loose.listing(found)):
        if entry.get("role") == "dtmf":
            digit = loose.text(entry.get("digit"), 20) or ""
            pressed = {**(pressed or entry), "digit": pressed.get("digit", "") + digit}
            continue
        if pressed.get("digit"):
            yield pressed
        pressed = {}
        yield entry
    if pressed.get("digit"):
        yield pressed


def _begun(entry: dict[str, Any]) -> Any:
    """Seconds from the call's start at which an entry begins, where that is told."""
    words = loose.listing(entry.get("words"))
    return loose.mapping(words[0]).get("start") if words else entry.get("time_sec")


# By disconnection_reason. True: the conversation took place; False: nobody was reached.
_ENDINGS: Final[dict[str, tuple[Ending, bool | None]]] = {
    "user_hangup": ("customer_hung_up", True),
    "agent_hangup": ("agent_hung_up", True),
    "call_transfer": ("transferred", True),
    "transfer_bridged": ("transferred", True),
    "transfer_cancelled": ("hung_up", None),
    "call_take_over": ("transferred", True),
    "voicemail_reached": ("voicemail", None),
    IVR: ("failed", False),
    "inactivity": ("silence", None),
    "max_duration_reached": ("too_long", None),
    "manual_stopped": ("canceled", None),
    "user_requested_callback": ("hung_up", True),
    "user_requested_dnc": ("hung_up", True),
    "scam_detected": ("error", None),
    "dial_busy": ("busy", False),
    "dial_no_answer": ("no_answer", False),
    "user_declined": ("no_answer", False),
    "dial_failed": ("failed", False),
    "invalid_destination": ("failed", False),
    "telephony_provider_permission_denied": ("failed", False),
    "telephony_provider_unavailable": ("failed", False),
    "sip_routing_error": ("failed", False),
    "marked_as_spam": ("failed", False),
    "concurrency_limit_reached": ("failed", False),
    "no_concurrency_fallback": ("failed", False),
    "no_valid_payment": ("failed", False),
    "credit_exhausted": ("failed", False),
    "budget_reached": ("failed", False),
    "network_blocked": ("failed", False),
    "error_user_not_joined": ("failed", False),
    "registered_call_timeout": ("failed", False),
    "error_no_audio_received": ("error", None),
    "error_llm_websocket_open": ("error", None),
    "error_llm_websocket_lost_connection": ("error", None),
    "error_llm_websocket_runtime": ("error", None),
    "error_llm_websocket_corrupt_payload": ("error", None),
    "error_asr": ("error", None),
    "error_retell": ("error", None),
    "error_unknown": ("error", None),
}
