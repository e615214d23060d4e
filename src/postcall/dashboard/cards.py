"""What a follow-up's card says beside its verdict: its inputs, its text as filled, and its way so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from postcall.actions.message import PLACEHOLDER
from postcall.dashboard.inquiry import mended_at
from postcall.dashboard.transcript import evidence_of
from postcall.dashboard.words import LATER_S, WITHOUT_PRICE, Numbered, State, asks_every_s, event_state
from postcall.followups.models import FollowUp, Reason
from postcall.followups.reasons import in_words, mend_of
from postcall.followups.review import expires_at
from postcall.keeping.spellings import ERASED
from postcall.messages.errors import ErrorText, explain
from postcall.messages.models import Account, Attempt, DeliveryEvent, Message
from postcall.messages.prices import Estimate, Estimates
from postcall.messages.segments import Segments, count
from postcall.testbench.cases import of_follow_ups
from postcall.testbench.models import ActionCase
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

_RESENDABLE: Final = {
    Message.Status.UNDELIVERED,
    Message.Status.FAILED,
    Message.Status.CANCELED,
    Message.Status.UNCONFIRMED,
}
_CANCELABLE: Final = {Message.Status.SCHEDULED, Message.Status.QUEUED}
_WAY: Final = (
    Message.Status.SCHEDULED,
    Message.Status.QUEUED,
    Message.Status.SENDING,
    Message.Status.ACCEPTED,
    Message.Status.SENT,
)
_REVIEWS: Final = {
    FollowUp.Review.APPROVED.value: "Approved",
    FollowUp.Review.EDITED.value: "Approved in other words",
    FollowUp.Review.REJECTED.value: "Rejected",
}
_ORIGINS: Final = {"poll": "found by asking Twilio", "operator": "by hand"}
_BY: Final = {"postcall": "Postcall", "operator": "an operator"}


@dataclass(frozen=True)
class Run:
    """A part of a text; `filled`: an input's value."""

    text: str
    filled: bool = False


@dataclass(frozen=True)
class InputShown:
    name: str
    value: str
    origin: str
    turn: int | None


@dataclass(frozen=True)
class Step:
    """One line of the timeline."""

    state: State
    detail: str
    at: datetime


@dataclass(frozen=True)
class AttemptShown:
    """One try at handing the text to Twilio."""

    attempt: Attempt

    @property
    def state(self) -> State:
        return event_state(self.attempt.status)

    @property
    def by(self) -> str:
        return _BY.get(self.attempt.by, self.attempt.by)

    @property
    def error(self) -> ErrorText | None:
        attempt = self.attempt
        if attempt.error_code is None and not attempt.error_message:
            return None
        return explain(attempt.error_code, attempt.error_message)

    @property
    def page(self) -> str:
        return page_at_twilio(self.attempt.account, self.attempt.sid)


@dataclass(frozen=True)
class Counted:
    """What a text takes that is typed."""

    segments: Segments
    estimate: Estimate | None


@dataclass(frozen=True)
class Card:
    """A follow-up with everything that its card shows."""

    numbered: Numbered
    attempts: Sequence[Attempt] = ()
    events: Sequence[DeliveryEvent] = ()
    estimate: Estimate | None = None
    prices: Estimates | None = None
    case: ActionCase | None = None

    @property
    def follow_up(self) -> FollowUp:
        return self.numbered.follow_up

    @property
    def message(self) -> Message | None:
        return self.numbered.message

    @property
    def state(self) -> State:
        return self.numbered.state

    @property
    def asks_every_s(self) -> int:
        """Seldom while it waits for a mend."""
        return LATER_S if self.is_held else asks_every_s(self.message)

    @property
    def verdict(self) -> Mapping[str, Any]:
        return self.follow_up.verdict or {}

    @property
    def evidence(self) -> list[dict[str, Any]]:
        return evidence_of(self.numbered)

    @property
    def says_reason(self) -> bool:
        """Why nothing went out (yet) is said apart, unless the verdict or the buttons below say it."""
        if self.follow_up.outcome == FollowUp.Outcome.MESSAGE or not self.follow_up.reason:
            return False
        if self.follow_up.reason == Reason.AWAITING_APPROVAL:
            return not self.can_decide
        return self.follow_up.reason != Reason.CONDITION_NOT_MET

    @property
    def reason(self) -> str:
        return in_words(self.follow_up.reason, made=self.message is not None)

    @property
    def mend(self) -> str:
        """What to do about the reason, if anything; only what is held without a message can be approved."""
        mend = mend_of(self.follow_up.reason, made=self.message is not None)
        if (
            mend == "Nothing to do."
            or self.is_asking
            or (not self.can_resend and not self.can_decide and "approve" in mend)
        ):
            return ""
        return mend

    @property
    def mended_at(self) -> tuple[str, str] | None:
        """The page on which the reason is mended, as address and words; None: here, or nowhere."""
        return mended_at(self.follow_up) if self.mend else None

    @property
    def detail(self) -> str:
        """The reason's particulars, where the verdict has not said them already."""
        return self.follow_up.detail.removeprefix(str(self.verdict.get("reason", ""))).strip()

    @property
    def error(self) -> ErrorText | None:
        message = self.message
        if message is None or message.status not in (Message.Status.FAILED, Message.Status.UNDELIVERED):
            return None
        return explain(message.error_code, message.error_message)

    @property
    def inputs(self) -> list[InputShown]:
        """In the order of the message; JSON kept none."""
        bindings, values = self.follow_up.snapshot.get("inputs", {}), self.follow_up.inputs
        return [
            InputShown(
                name,
                str(found.get("value") or ""),
                origin_of(found.get("from", ""), bindings.get(name)),
                found.get("turn"),
            )
            for name in self.follow_up.revision.inputs
            if isinstance(found := values.get(name), dict)
        ]

    @property
    def text(self) -> str:
        message = self.message
        return message.body if message else self.follow_up.body

    @property
    def bubble(self) -> list[Run]:
        return filled(self.follow_up.revision.message, self.follow_up.inputs, self.text)

    @property
    def is_held(self) -> bool:
        return self.follow_up.outcome == FollowUp.Outcome.HELD

    @property
    def can_decide(self) -> bool:
        """A text that was made already and is held back goes out by itself once its account is mended."""
        return self.is_held and self.message is None

    @property
    def expires_at(self) -> datetime | None:
        """When it lapses by itself; None: it does not, or it is held no more."""
        return expires_at(self.follow_up)

    @property
    def reviewed(self) -> str:
        """What somebody decided about it, and who; empty: nobody had to."""
        did = _REVIEWS.get(self.follow_up.review)
        return f"{did} by {self.follow_up.reviewer}" if did else ""

    @property
    def is_asking(self) -> bool:
        """Whether it is being found out what became of an attempt: until that is known nothing can be done."""
        return any(attempt.open for attempt in self.attempts)

    @property
    def can_resend(self) -> bool:
        message = self.message
        if message is None or message.status not in _RESENDABLE or self.is_asking:
            return False
        return bool(message.to and message.body) and ERASED not in message.body

    @property
    def can_cancel(self) -> bool:
        return self.message is not None and self.message.status in _CANCELABLE and not self.is_asking

    @property
    def can_leave(self) -> bool:
        """Whether a text that was left to the operator can be left as it is."""
        resendable = self.message is not None and self.message.status in _RESENDABLE
        return self.is_held and resendable and not self.is_asking

    @property
    def counted(self) -> Counted:
        """What the text takes that is waiting to be approved."""
        return counted(self.follow_up.workspace, self.follow_up.recipient, self.text, self.prices)

    @property
    def tries(self) -> list[AttemptShown]:
        return [AttemptShown(attempt) for attempt in self.attempts]

    @property
    def page_at_twilio(self) -> str:
        """Twilio's own page about the text as it was sent last; empty where there is none."""
        return next((page for each in reversed(self.tries) if (page := each.page)), "")

    @property
    def sender(self) -> str:
        message = self.message
        return (message.from_number or message.messaging_service_sid) if message else ""

    @cached_property
    def steps(self) -> list[Step]:
        return list(_steps(self.follow_up, self.events))

    @property
    def stamp(self) -> str:
        """Another one once the follow-up itself has changed."""
        return stamp_of(self.follow_up)

    @property
    def seen(self) -> str:
        """Changes whenever the card does; what a page already shows is not sent again."""
        message = self.message
        moved = message.updated_at.timestamp() if message else 0
        return f"{self.stamp}-{moved:.6f}-{len(self.events)}"


def stamp_of(follow_up: FollowUp) -> str:
    return f"{follow_up.updated_at.timestamp():.6f}"


def cards(follow_ups: Sequence[Numbered], workspace: Workspace) -> list[Card]:
    """The cards of a workspace's numbered follow-ups, their attempts, events, prices and cases read at once."""
    prices = Estimates(workspace)
    told = [each.follow_up for each in follow_ups if each.follow_up.feedback_right is not None]
    cases = of_follow_ups(told) if told else {}
    messages = [each.message.pk for each in follow_ups if each.message]
    if not messages:
        return [Card(each, prices=prices, case=cases.get(each.follow_up.pk)) for each in follow_ups]
    tried = within(workspace, Attempt).filter(message__in=messages).select_related("account")
    attempts = _by_message(tried.order_by("number"))
    events = _by_message(within(workspace, DeliveryEvent).filter(message__in=messages).order_by("at", "id"))
    made = [
        Card(each, attempts.get(message.pk, []), events.get(message.pk, []), _estimate(message, prices), prices)
        if (message := each.message)
        else Card(each, prices=prices)
        for each in follow_ups
    ]
    return [replace(card, case=cases.get(card.follow_up.pk)) for card in made] if cases else made


def _estimate(message: Message, prices: Estimates) -> Estimate | None:
    """What a text will cost of which Twilio has not said it yet."""
    if message.price is not None or message.status in WITHOUT_PRICE:
        return None
    return prices.to(message.to, message.segments)


def counted(workspace: Workspace, to: str, text: str, prices: Estimates | None = None) -> Counted:
    """What a text to a number takes: its segments, and what they will cost."""
    segments = count(text)
    return Counted(segments, (prices or Estimates(workspace)).to(to, segments.count) if text else None)


def page_at_twilio(account: Account, sid: str) -> str:
    """The page of a text in Twilio's console; empty for a stand-in's account, and before Twilio took it."""
    host = urlsplit(account.api_url).hostname or ""
    if not sid or not (host == "twilio.com" or host.endswith(".twilio.com")):
        return ""
    return f"https://www.twilio.com/console/sms/logs/{account.account_sid}/{sid}"


def _by_message(rows: Iterable[Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(row.message_id, []).append(row)
    return found


def origin_of(kind: str, binding: Mapping[str, Any] | None) -> str:
    """Where a value came from, in words, such as `collected as first_name`."""
    name = (binding or {}).get("name", "")
    match kind:
        case "collected":
            return f"collected as {name}" if name else "collected"
        case "extracted":
            return f"extracted as {name}" if name else "extracted"
        case "pre_call":
            return f"known before the call as {name}" if name else "known before the call"
        case "system":
            return f"the call’s {name.replace('_', ' ')}" if name else "the call"
        case "action_result":
            tool = (binding or {}).get("action", "")
            return f"{tool} answered {name}" if tool else "a tool’s answer"
        case "ask":
            return "read in the transcript"
        case "fallback":
            return "the fallback"
        case "fixed":
            return "the same in every text"
        case _:
            return kind


def filled(template: str, inputs: Mapping[str, Any], body: str) -> list[Run]:
    """The body with its inputs' values told apart, where it is this template filled with them."""
    if not body:
        return []
    runs = []
    last = 0
    for found in PLACEHOLDER.finditer(template):
        value = inputs.get(found[1])
        runs.append(Run(template[last : found.start()]))
        runs.append(Run(str(value.get("value") or "") if isinstance(value, dict) else "", filled=True))
        last = found.end()
    runs.append(Run(template[last:]))
    if "".join(run.text for run in runs) != body:
        return [Run(body)]
    return [run for run in runs if run.text]


def _steps(follow_up: FollowUp, events: Sequence[DeliveryEvent]) -> Iterator[Step]:
    if follow_up.decided_at:
        took = (follow_up.decided_at - follow_up.call.received_at).total_seconds()
        detail = f"in {took:.1f} s" if 0 <= took < 60 else ""
        yield Step(State("idle", "good", "decided"), detail, follow_up.decided_at)
    several = any((event.attempt_number or 0) > 1 for event in events)
    furthest = (0, 0)
    for place, event in enumerate(events, 1):
        state = event_state(event.status)
        reached = (event.attempt_number or 0, _WAY.index(event.status) if event.status in _WAY else len(_WAY))
        late = event.attempt_number is not None and reached < furthest
        furthest = max(furthest, reached)
        if place < len(events) and state.tone == "idle":
            state = replace(state, icon="good")
        yield Step(state, ", ".join(filter(None, (_about(event, several), "told late" if late else ""))), event.at)


def _about(event: DeliveryEvent, several: bool) -> str:
    said = []
    if several and event.attempt_number:
        said.append(f"attempt {event.attempt_number}")
    if event.provider_status and event.provider_status != event.status:
        said.append(f"Twilio says “{event.provider_status}”")
    if event.error_code:
        said.append(f"error {event.error_code}")
    if origin := _ORIGINS.get(event.origin):
        said.append(origin)
    if event.detail:
        said.append(event.detail)
    return ", ".join(said)
