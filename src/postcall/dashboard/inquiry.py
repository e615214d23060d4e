"""Why a number got no text: what is known of its calls, and where a call went that did not arrive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Exists, Max, OuterRef, Prefetch, QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from postcall.actions.models import Attachment
from postcall.agents.models import Agent
from postcall.calls import finding
from postcall.calls.models import Call
from postcall.dashboard.words import REASONS, State, follow_up_state, message_of
from postcall.followups import policy
from postcall.followups.models import FollowUp, OptOut, Reason
from postcall.followups.optouts import active_opt_out
from postcall.followups.policy import Refused
from postcall.followups.reasons import in_words, mend_of
from postcall.ids import first_id
from postcall.messages.claim import facts_about
from postcall.messages.errors import explain
from postcall.messages.models import Message
from postcall.numbers import e164
from postcall.sources.models import RefusedDelivery, Source
from postcall.sources.refused import refused_in
from postcall.work import clock
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

FEWEST_DIGITS: Final = 4
MOST_CALLS: Final = 20
_MOST_NUMBERS: Final = 8
_MOST_LISTED: Final = 10
_MOST_COUNTED: Final = 100
_REGIONS: Final = 5
# Of calls whose number could not be read, as many are compared by their digits.
_UNREAD: Final = 500
_FEWEST_ALIKE: Final = 6
_SPELLED_OUT: Final = re.compile(r"\s*(\+|00)")

_WAYS: Final[dict[str, str]] = {
    Message.Status.SCHEDULED: "waits for its hour",
    Message.Status.QUEUED: "is about to be sent",
    Message.Status.SENDING: "is being handed to Twilio",
    Message.Status.ACCEPTED: "was taken by Twilio, which has not said yet that it left",
    Message.Status.SENT: "was sent; the carrier has not said yet that it arrived",
    Message.Status.DELIVERED: "was texted, and it arrived",
    Message.Status.UNDELIVERED: "was sent and did not arrive",
    Message.Status.FAILED: "could not be sent",
    Message.Status.UNCONFIRMED: "may have been sent, or not: Twilio is asked before anything is sent again",
    Message.Status.CANCELED: "was canceled before it left",
}
# Of texts about which nothing more is done.
_ENDS: Final[dict[str, str]] = {
    Message.Status.UNDELIVERED: _WAYS[Message.Status.UNDELIVERED],
    Message.Status.FAILED: _WAYS[Message.Status.FAILED],
    Message.Status.UNCONFIRMED: "may have been sent, or not: it could not be found out",
}
# Where a reason is mended: the name of the page, and what the link says. Else it is the call's own page.
_RULES: Final = ("settings-rules", "Sending rules")
_TWILIO: Final = ("settings-twilio", "Twilio settings")
_MENDED_AT: Final[dict[str, tuple[str, str]]] = {
    Reason.AGENT_UNKNOWN: ("unknown-agents", "Unknown agents"),
    Reason.OUTSIDE_SEND_WINDOW: _RULES,
    Reason.FREQUENCY_CAP: _RULES,
    Reason.BUDGET_EXCEEDED: _RULES,
    Reason.COUNTRY_NOT_ALLOWED: _RULES,
    Reason.SENDER_PAUSED: _TWILIO,
    Reason.MESSAGING_NOT_CONFIGURED: _TWILIO,
}
_OF_THE_ATTACHMENT: Final = {
    Reason.RULE_NOT_MET,
    Reason.MISSING_INPUT,
    Reason.UNMAPPED_INPUT,
    Reason.SHADOW,
    Reason.ATTACHMENT_OFF,
    Reason.REDACTED,
}
_HOW: Final[dict[OptOut.Origin, str]] = {
    OptOut.Origin.STOP: "it texted STOP",
    OptOut.Origin.SAID: "it was said during a call",
    OptOut.Origin.OPERATOR: "somebody recorded it by hand",
    OptOut.Origin.TWILIO: "Twilio knows of its STOP",
    OptOut.Origin.ERASED: "its owner asked to be forgotten",
}
_OF_THE_OPT_OUT: Final = {Reason.OPTED_OUT, Reason.ASKED_NOT_TO_BE_TEXTED}


@dataclass(frozen=True)
class Sentence:
    """One thing that is so: a heading, its particulars, the mend, and where that is done."""

    state: State
    said: str
    detail: str = ""
    mend: str = ""
    address: str = ""
    link: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Answer:
    """What became of one call."""

    call: Call
    sentences: Sequence[Sentence]


@dataclass(frozen=True)
class Elsewhere:
    """Where a call may be that is not among the number's own: what happened since a moment."""

    since: datetime
    refused: Sequence[RefusedDelivery]
    sources: Sequence[Source]
    unknown: Sequence[dict[str, Any]]
    unattached: Sequence[Agent]
    withheld: Sequence[Call]
    withheld_count: int

    @property
    def withheld_more(self) -> bool:
        return self.withheld_count > len(self.withheld)


# The number.


def numbers_meant(workspace: Workspace, written: str) -> list[str]:
    """Which numbers (E.164) somebody may mean, those first that are known here; empty: what was written is none.

    A number with its country code is meant as it stands. Without one it is read as in the agents' countries, and
    compared by its last digits with the numbers that called.
    """
    digits = re.sub(r"\D", "", written, flags=re.ASCII)
    if len(digits) < FEWEST_DIGITS:
        return []
    if _SPELLED_OUT.match(written):
        return [number] if (number := e164(written)) else []
    read = list(dict.fromkeys(number for region in _regions(workspace) if (number := e164(written, region))))
    calls = within(workspace, Call)
    if known := _known(calls.filter(customer_number__in=read)):
        return known
    # A zero in front may be one that is dialed within a country alone.
    for last in dict.fromkeys((digits, digits.lstrip("0"))):
        ending = finding.with_number(calls, workspace, last).filter(customer_number__endswith=last)
        if len(last) >= FEWEST_DIGITS and (known := _known(ending)):
            return known
    return read[:1]


def _regions(workspace: Workspace) -> list[str | None]:
    locales = within(workspace, Agent).filter(deleted_at=None).values_list("locale", flat=True).distinct()
    spoken = (locale.rpartition("-")[2].upper() for locale in locales[:_REGIONS] if "-" in locale)
    return list(dict.fromkeys([*spoken, *(workspace.countries or [])[:_REGIONS], None]))


def _known(calls: QuerySet[Call]) -> list[str]:
    found = calls.values("customer_number").annotate(last=Max("received_at"))
    return [row["customer_number"] for row in found.order_by("-last")[:_MOST_NUMBERS]]


# Its calls.


def answers(workspace: Workspace, number: str) -> list[Answer]:
    """What became of the number's latest calls, newest first: those by it, and those about which it was texted."""
    calls, messages = within(workspace, Call), within(workspace, Message)
    by_it = calls.filter(customer_number=number).order_by("-pk").values_list("pk", flat=True)[:MOST_CALLS]
    about = messages.filter(to=number).order_by("-created_at").values_list("follow_up__call_id", flat=True)
    ids = sorted({*by_it, *about[:MOST_CALLS], *_spelled_unreadably(workspace, number)}, reverse=True)[:MOST_CALLS]
    follow_ups = FollowUp.objects.select_related("action", "message").defer("snapshot", "inputs").order_by("pk")
    rows = calls.filter(pk__in=ids).select_related("agent").defer("transcript")
    shown = rows.prefetch_related(Prefetch("follow_ups", follow_ups)).order_by("-pk")
    return [Answer(call, list(_sentences(call))) for call in shown]


def _spelled_unreadably(workspace: Workspace, number: str) -> list[UUID]:
    """Calls with a number that could not be read when they came in, and has this one's last digits."""
    unread = within(workspace, Call).filter(customer_number="").exclude(customer_number_raw="").order_by("-pk")
    spelled = (
        (pk, re.sub(r"\D", "", raw).lstrip("0"))
        for pk, raw in unread.values_list("pk", "customer_number_raw")[:_UNREAD]
    )
    return [pk for pk, digits in spelled if len(digits) >= _FEWEST_ALIKE and number.endswith(digits)]


def _sentences(call: Call) -> Iterator[Sentence]:
    follow_ups = list(call.follow_ups.all())
    yield from (_about(follow_up, call) for follow_up in follow_ups)
    if not follow_ups:
        yield _without_follow_ups(call)


def _without_follow_ups(call: Call) -> Sentence:
    to = _Pages(call.workspace_id)
    if call.status in (Call.Status.RECEIVED, Call.Status.PROCESSING):
        said = "The call has come in and is being decided"
        return Sentence(State("idle", "wait", "being decided", settled=False), said)
    if call.status == Call.Status.UNASSIGNED:
        name = f"called “{call.agent_ref}”" if call.agent_ref else "that the platform did not name"
        return Sentence(
            State("wait", "warn", "agent unknown"),
            f"Nothing followed: it was taken by an agent {name}, who is not set up here",
            mend="Say whose agent it is; calls of the last day can still be followed up.",
            address=to("unknown-agents"),
            link="Unknown agents",
        )
    agent = call.agent.name if call.agent else "the agent"
    return Sentence(
        State("idle", "idle", "nothing attached"),
        f"Nothing followed: no action was attached to {agent} then, or the call was for the log only",
        mend="Attach one, and the next call is judged.",
        address=to("agent-actions", call.agent_id) if call.agent_id else to("agents"),
        link="The agent’s actions",
    )


def _about(follow_up: FollowUp, call: Call) -> Sentence:
    to, message = _Pages(follow_up.workspace_id), message_of(follow_up)
    action = f"“{follow_up.action.name}”"
    state = follow_up_state(follow_up)
    if follow_up.outcome == FollowUp.Outcome.PENDING:
        return Sentence(state, f"{action} is being decided")
    if follow_up.outcome == FollowUp.Outcome.MESSAGE and message is not None:
        return _texted(action, message, state, to)
    address, link = mended_at(follow_up) or (to("call", call.pk) + f"#of-{follow_up.pk}", "The follow-up")
    made, reason = message is not None, follow_up.reason
    what = "is held" if follow_up.outcome == FollowUp.Outcome.HELD else "was not sent"
    why = f": {_lower(in_words(reason, made=made))}" if reason else ""
    if message is not None and message.status in _ENDS:
        what, why = _ENDS[message.status], ", and Postcall does nothing more about it by itself"
    return Sentence(
        state,
        f"{action} {what}{why}",
        detail=_particulars(follow_up),
        mend=_mend(follow_up, made=made),
        address=address,
        link=link,
        at=follow_up.decided_at,
    )


def _texted(action: str, message: Message, state: State, to: _Pages) -> Sentence:
    error = (
        explain(message.error_code, message.error_message)
        if message.status in (Message.Status.FAILED, Message.Status.UNDELIVERED)
        else None
    )
    return Sentence(
        state,
        f"{action} {_WAYS[message.status]}",
        detail=error.message if error else "",
        mend=error.fix if error else "",
        address=to("call", message.follow_up.call_id) + f"#of-{message.follow_up_id}",
        link="The text",
        at=message.due_at if message.status == Message.Status.SCHEDULED else message.sent_at or message.created_at,
    )


def _particulars(follow_up: FollowUp) -> str:
    """What was found out beside the reason, once."""
    detail, said = follow_up.detail, str((follow_up.verdict or {}).get("reason", ""))
    words = in_words(follow_up.reason) if follow_up.reason else ""
    told = [detail, "" if said in detail else said]
    return " ".join(each for each in told if each and each != words)


def mended_at(follow_up: FollowUp) -> tuple[str, str] | None:
    """The page on which a follow-up's reason is mended, as address and words; None: its call's own, or nowhere."""
    to, reason, call = _Pages(follow_up.workspace_id), follow_up.reason, follow_up.call
    if reason in _MENDED_AT:
        name, link = _MENDED_AT[reason]
        return to(name), link
    if reason in _OF_THE_OPT_OUT:
        return to("opt-outs") + "?" + urlencode({"q": follow_up.recipient or call.customer_number}), "Opt-outs"
    if reason in _OF_THE_ATTACHMENT and call.agent_id:
        return to("agent-actions", call.agent_id), "The agent’s actions"
    return None


def _mend(follow_up: FollowUp, *, made: bool) -> str:
    """What to do about its reason; what is over and was never made can be approved no more."""
    mend = _needed(mend_of(follow_up.reason, made=made)) if follow_up.reason else ""
    return "" if "approve" in mend and not made and follow_up.outcome != FollowUp.Outcome.HELD else mend


def _needed(mend: str) -> str:
    return "" if mend == "Nothing to do." else mend


def _lower(sentence: str) -> str:
    return (sentence[:1].lower() + sentence[1:]).rstrip(".")


@dataclass(frozen=True)
class _Pages:
    """The addresses of a workspace's pages."""

    workspace_id: UUID

    def __call__(self, name: str, *args: object) -> str:
        return reverse(name, args=[self.workspace_id, *args])


# What holds for the number, whatever the call.


def standing(workspace: Workspace, number: str) -> list[Sentence]:
    """What keeps texts from the number now; empty: nothing does."""
    to = _Pages(workspace.pk)
    if row := active_opt_out(workspace.pk, number):
        return [_opted_out(row, number, to)]
    facts, now = facts_about(workspace.pk, number)
    refused = policy.check(workspace, facts, to=number, urgency="now", now=now, fallback_timezone="UTC")
    if not isinstance(refused, Refused):
        return []
    address, link = (to(_RULES[0]), _RULES[1]) if refused.reason in _MENDED_AT else ("", "")
    state = State("wait", "block", REASONS[refused.reason])
    return [Sentence(state, refused.detail.rstrip("."), "", _needed(mend_of(refused.reason)), address, link)]


def _opted_out(row: OptOut, number: str, to: _Pages) -> Sentence:
    return Sentence(
        State("wait", "block", "opted out"),
        f"This number has opted out: {_HOW[OptOut.Origin(row.origin)]}",
        detail=f"“{row.quote}”" if row.quote else "",
        mend="Nothing is texted to it until that is taken back, by its owner’s START or by you.",
        address=to("opt-outs") + "?" + urlencode({"q": number}),
        link="Opt-outs",
        at=row.created_at,
    )


# Where else the call may be.


def elsewhere(workspace: Workspace, since: datetime) -> Elsewhere:
    """What happened to calls since then that reached nobody's log under this number."""
    calls = within(workspace, Call).filter(pk__gte=first_id(since))
    withheld = calls.filter(customer_number="").order_by("-pk").select_related("agent")
    sources = list(within(workspace, Source).filter(deleted_at=None).order_by("name"))
    refused = refused_in(workspace.pk, since, clock.now(), _MOST_LISTED)
    attached = Attachment.objects.filter(agent=OuterRef("pk"), deleted_at=None).exclude(mode=Attachment.Mode.OFF)
    unattached = within(workspace, Agent).filter(
        ~Exists(attached),
        Exists(Call.objects.filter(agent=OuterRef("pk"), pk__gte=first_id(since))),
        deleted_at=None,
    )
    return Elsewhere(
        since=since,
        refused=refused,
        sources=sources,
        unknown=_unknown(calls),
        unattached=list(unattached.order_by("name")[:_MOST_LISTED]),
        withheld=list(withheld.defer("transcript")[:_MOST_LISTED]),
        withheld_count=len(withheld.values_list("pk", flat=True)[:_MOST_COUNTED]),
    )


def _unknown(calls: QuerySet[Call]) -> list[dict[str, Any]]:
    # The agent's index finds those of none.
    waiting = calls.filter(agent=None, status=Call.Status.UNASSIGNED).values("source_kind", "agent_ref")
    counted = waiting.annotate(calls=Count("pk"), last=Max("received_at")).order_by("-last")
    return [dict(row) for row in counted[:_MOST_LISTED]]
