"""The sample workspace: what an operator might have set up, and the calls of a busy hour.

Everything in it is made up. The calls carry fictional 555 numbers, or Twilio's magic ones where a text has
to fail, and what an ideal judge would have Postcall do about each.

Dates are written relative to the call, so that "Thursday" is always ahead of it: `[[thu 14:30|iso]]` is the
first Thursday at least two days after the call, `[[+1d|MMMM d]]` the day after it, both in the agent's time
zone. After the bar stands `iso` or a CLDR date pattern, after a second bar its language.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from importlib.resources import files
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from pydantic import BaseModel, ConfigDict, JsonValue

from postcall.sources.ended_call import EndedCall

JsonObject = dict[str, JsonValue]

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DATE: Final = re.compile(
    r"\[\[(?P<day>mon|tue|wed|thu|fri|sat|sun|\+\d+d)(?: (?P<time>\d\d:\d\d))?"
    r"\|(?P<shape>[^]|]+)(?:\|(?P<language>[a-z]{2}))?\]\]"
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SampleAgent(_Strict):
    """`body` is that of POST /agents."""

    key: str
    body: JsonObject


class SampleAction(_Strict):
    """`body` is that of POST /actions."""

    key: str
    body: JsonObject


class SampleAttachment(_Strict):
    """`body` is that of POST /agents/{id}/attachments less `action_id`; `agent` and `action` are keys."""

    agent: str
    action: str
    body: JsonObject


class SampleWorkspace(_Strict):
    """What to set up, in this order."""

    name: str
    agents: tuple[SampleAgent, ...]
    actions: tuple[SampleAction, ...]
    attachments: tuple[SampleAttachment, ...]


class Expected(_Strict):
    """What an ideal judge would have one action do about one call.

    `verdict` is None where nothing is judged. `says` are parts of the text, `error_code` is Twilio's for a
    message that does not arrive.
    """

    outcome: Literal["message", "skipped", "held"]
    reason: str | None = None
    verdict: Literal["met", "not_met"] | None = None
    says: tuple[str, ...] = ()
    segments: int | None = None
    error_code: int | None = None


@dataclass(frozen=True)
class SampleCall:
    """One call, and by action key what should come of it; no key at all: the call stays unassigned."""

    name: str
    about: str
    call: EndedCall
    expected: dict[str, Expected]

    @property
    def body(self) -> JsonObject:
        """The call as POST /calls takes it."""
        return self.call.model_dump(mode="json", exclude_unset=True)


class _File(_Strict):
    about: str
    ago_s: int
    duration_s: int
    call: JsonObject
    expected: dict[str, Expected]


def load_workspace() -> SampleWorkspace:
    """The sample workspace as the package carries it."""
    text = (files(__name__) / "workspace.json").read_text("utf-8")
    return SampleWorkspace.model_validate_json(text)


def load_calls(now: datetime) -> list[SampleCall]:
    """The sample calls, oldest first, all of which ended in the hour before `now` (aware).

    A call's external id is always the same, so putting them through again is putting through duplicates.
    """
    zones = _zones(load_workspace())
    paths = (path for path in (files(__name__) / "calls").iterdir() if path.name.endswith(".json"))
    calls = [_call(path.name.removesuffix(".json"), path.read_text("utf-8"), now, zones) for path in paths]
    return sorted(calls, key=lambda sample: (sample.call.started_at or now, sample.name))


def _call(name: str, text: str, now: datetime, zones: dict[str, ZoneInfo]) -> SampleCall:
    written = _File.model_validate_json(text)
    started_at = (now - timedelta(seconds=written.ago_s)).astimezone(UTC).replace(microsecond=0)
    zone = zones.get(str(written.call.get("agent")), UTC)
    dated: JsonObject = json.loads(_with_dates(json.dumps(written.call), started_at.astimezone(zone)))
    call = EndedCall.model_validate(
        {
            "external_id": f"sample-{name}",
            "started_at": started_at,
            "ended_at": started_at + timedelta(seconds=written.duration_s),
            **dated,
        }
    )
    return SampleCall(name, written.about, call, written.expected)


def _zones(workspace: SampleWorkspace) -> dict[str, ZoneInfo]:
    """The time zone of each agent, by the id that POST /calls names it by."""
    zones = {}
    for agent in workspace.agents:
        ids = agent.body["external_ids"]
        assert isinstance(ids, list)
        for external in ids:
            assert isinstance(external, dict)
            zones[str(external["id"])] = ZoneInfo(str(agent.body["timezone"]))
    return zones


def _with_dates(text: str, start: datetime) -> str:
    return _DATE.sub(lambda match: _date(match, start), text)


def _date(match: re.Match[str], start: datetime) -> str:
    """One relative date as it is said or stored; `start` is in the agent's time zone."""
    day = start.date() + timedelta(days=_days_ahead(match["day"], start.weekday()))
    if match["shape"] == "iso" and not match["time"]:
        return day.isoformat()
    at = datetime.combine(day, time.fromisoformat(match["time"] or "12:00"), _zone(start))
    if match["shape"] == "iso":
        return at.isoformat()
    return format_datetime(at, match["shape"], locale=match["language"] or "en")


def _days_ahead(day: str, today: int) -> int:
    if day.startswith("+"):
        return int(day[1:-1])
    ahead = (_WEEKDAYS.index(day) - today) % 7
    return ahead if ahead >= 2 else ahead + 7


def _zone(start: datetime) -> tzinfo:
    assert start.tzinfo
    return start.tzinfo
