"""Whether a text may leave now, later, or not at all: a pure function of what the deciding transaction read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType

from postcall.followups.handing import SendingFacts
from postcall.followups.models import Reason
from postcall.workspaces.models import Workspace

# Refusals that no waiting and no approval changes.
FINAL: Final = frozenset(
    {Reason.OPTED_OUT, Reason.COUNTRY_NOT_ALLOWED, Reason.LANDLINE, Reason.NUMBER_REFUSED, Reason.INVALID_RECIPIENT}
)
# A person's own phone is none of these. Internet numbers are: many people have no other. What the plan does not
# know, as fictional and just assigned numbers, is tried.
_REFUSED_TYPES: Final = {
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.TOLL_FREE: "a toll-free number",
    PhoneNumberType.PERSONAL_NUMBER: "a personal number, which costs like a premium-rate one",
    PhoneNumberType.UAN: "a company's nationwide number",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.VOICEMAIL: "a voicemail access number",
}
# Twilio's test numbers, which the sandbox knows too: personal numbers by their shape.
_TEST_NUMBERS: Final = "+150055"
_UNKNOWN_ZONE: Final = "Etc/Unknown"


@dataclass(frozen=True)
class Go:
    """It may leave at once."""


@dataclass(frozen=True)
class Wait:
    """The first moment at which the window is open."""

    until: datetime


@dataclass(frozen=True)
class Refused:
    """`reason` is one of CONTRACT's; `detail` says the particulars in one sentence."""

    reason: str
    detail: str


def check(
    workspace: Workspace, facts: SendingFacts, *, to: str, urgency: str, now: datetime, fallback_timezone: str
) -> Go | Wait | Refused:
    """Opt-outs, kind and country of the number, caps, budget, then the send window (urgency `window` only), in the
    recipient's time zones; `fallback_timezone` (the agent's) where the number does not tell them."""
    if facts.opted_out is not None:
        return Refused(Reason.OPTED_OUT.value, f"{to} must not be texted: {facts.opted_out}.")
    try:
        number = phonenumbers.parse(to)
    except NumberParseException:
        return _impossible(to)
    if not phonenumbers.is_possible_number(number):
        return _impossible(to)
    refused = (
        _number_refused(number, to) or _country_refused(workspace, number, to) or _cap_reached(workspace, facts, to)
    )
    if refused:
        return refused
    if urgency != "window" or not has_window(workspace):
        return Go()
    opening = first_opening(workspace, zones_of(number, fallback_timezone), now)
    if opening is None:
        return Refused(
            Reason.OUTSIDE_SEND_WINDOW.value,
            f"{to} may be in several time zones, and at no hour is the send window open in all of them.",
        )
    return Go() if opening <= now else Wait(opening)


def _impossible(to: str) -> Refused:
    return Refused(Reason.INVALID_RECIPIENT.value, f"“{to}” is not a phone number.")


def _number_refused(number: PhoneNumber, to: str) -> Refused | None:
    if to.startswith(_TEST_NUMBERS):
        return None
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.FIXED_LINE:
        return Refused(Reason.LANDLINE.value, f"{to} is a landline, which receives no texts.")
    if kind in _REFUSED_TYPES:
        return Refused(Reason.NUMBER_REFUSED.value, f"{to} is {_REFUSED_TYPES[kind]}; those are not texted.")
    return None


def _country_refused(workspace: Workspace, number: PhoneNumber, to: str) -> Refused | None:
    if workspace.countries is None:
        return None
    # Numbers that are possible but not assigned have no region of their own: their calling code's is meant.
    code = number.country_code or 0
    region = phonenumbers.region_code_for_number(number) or phonenumbers.region_code_for_country_code(code)
    if region in workspace.countries:
        return None
    allowed = ", ".join(workspace.countries) or "none"
    return Refused(Reason.COUNTRY_NOT_ALLOWED.value, f"{to} is in {region}; this workspace texts to {allowed}.")


def _cap_reached(workspace: Workspace, facts: SendingFacts, to: str) -> Refused | None:
    cap, budget = workspace.max_per_number_per_day, workspace.max_messages_per_day
    if cap is not None and facts.sent_to_number >= cap:
        return Refused(
            Reason.FREQUENCY_CAP.value, f"{to} was sent {facts.sent_to_number} texts in 24 hours; the cap is {cap}."
        )
    if budget is not None and facts.sent_by_workspace >= budget:
        return Refused(
            Reason.BUDGET_EXCEEDED.value,
            f"This workspace sent {facts.sent_by_workspace} texts in 24 hours; its budget is {budget}.",
        )
    return None


# The window.


def has_window(workspace: Workspace) -> bool:
    start, end = workspace.window_start, workspace.window_end
    return start is not None and end is not None and start != end


def zones_of(number: PhoneNumber, fallback: str) -> list[ZoneInfo]:
    """Every time zone that the number's owner may be in; the fallback where the number does not tell."""
    # Its tables take memory that only waiting texts need.
    from phonenumbers.timezone import time_zones_for_number

    names = [name for name in time_zones_for_number(number) if name != _UNKNOWN_ZONE]
    return [zone for name in names or [fallback] if (zone := _zone(name))] or [ZoneInfo("UTC")]


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def first_opening(workspace: Workspace, zones: Iterable[tzinfo], now: datetime) -> datetime | None:
    """The first moment from `now` on at which the window is open in all `zones`; None: never within three days."""
    start, end = workspace.window_start, workspace.window_end
    assert start is not None
    assert end is not None
    zones = list(zones)
    moment = now
    while moment <= now + timedelta(days=3):
        openings = [_opening(moment, zone, start, end) for zone in zones]
        latest = max(openings)
        if latest == moment:
            return moment
        moment = latest
    return None


def _opening(moment: datetime, zone: tzinfo, start: time, end: time) -> datetime:
    """The first moment from `moment` on at which the window is open in one zone."""
    local = moment.astimezone(zone)
    if _is_open(local.time(), start, end):
        return moment
    starts = (_at(local.date() + timedelta(days=days), start, zone, fold) for days in (0, 1, 2) for fold in (0, 1))
    candidates = [*starts, *_clock_changes(moment, moment + timedelta(days=2), zone)]
    return min(at for at in candidates if at > moment and _is_open(at.astimezone(zone).time(), start, end))


def _at(day: date, clock: time, zone: tzinfo, fold: int) -> datetime:
    return datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC)


def _clock_changes(since: datetime, until: datetime, zone: tzinfo) -> list[datetime]:
    """When the zone's clocks change in between (at most once in a few days): a start that they skip comes at that
    moment, and an hour that they repeat may open once more."""
    before, after = since.astimezone(UTC).replace(microsecond=0), until.astimezone(UTC).replace(microsecond=0)
    offset = before.astimezone(zone).utcoffset()
    if after.astimezone(zone).utcoffset() == offset:
        return []
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return [after]


def _is_open(clock: time, start: time, end: time) -> bool:
    clock = clock.replace(fold=0)
    return start <= clock < end if start < end else clock >= start or clock < end
