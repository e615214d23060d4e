"""May a text leave now, later, or never: opt-outs, numbers, caps, and windows across zones and clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcall.followups.handing import SendingFacts
from postcall.followups.policy import Go, Refused, Wait, check, first_opening
from postcall.workspaces.models import Workspace

NOW = datetime(2026, 3, 4, 20, 0, tzinfo=UTC)  # noon in Los Angeles, 15:00 in New York
LOS_ANGELES, NEW_YORK = "+14155550132", "+12125550132"


def workspace(**fields: Any) -> Workspace:
    return Workspace(**({"name": "Northgate", "window_start": time(9), "window_end": time(20)} | fields))


def asked(
    to: str = LOS_ANGELES, *, now: datetime = NOW, urgency: str = "now", **fields: Any
) -> Go | Wait | Refused:
    facts = SendingFacts(
        fields.pop("opted_out", None), fields.pop("sent_to_number", 0), fields.pop("sent_by_workspace", 0)
    )
    return check(workspace(**fields), facts, to=to, urgency=urgency, now=now, fallback_timezone="America/Chicago")


def reason(answer: Go | Wait | Refused) -> str:
    assert isinstance(answer, Refused), answer
    assert answer.detail.endswith(".")
    return answer.reason


def test_it_refuses_who_opted_out() -> None:
    assert reason(asked(opted_out="replied STOP on 2026-03-01")) == "opted_out"


@pytest.mark.parametrize(
    "to",
    [LOS_ANGELES, "+15551230001", "+15005550009", "+15005530003", "+447911123456", "+4915112345678",
     "+445612345678", "+33912345678", "+881612345678", "+525512345678"],
)  # fmt: skip
def test_it_lets_mobile_fictional_and_test_numbers_pass(to: str) -> None:
    assert asked(to) == Go()


@pytest.mark.parametrize(
    ("to", "why"),
    [("+442071838750", "landline"), ("+493012345678", "landline"), ("+19005550199", "number_refused"),
     ("+18005550199", "number_refused"), ("+80012345678", "number_refused"), ("+979123456789", "number_refused"),
     ("+447012345678", "number_refused"), ("+4970012345678", "number_refused"), ("+491805123456", "number_refused"),
     ("+447640123456", "number_refused"), ("+443001234567", "number_refused"), ("nonsense", "invalid_recipient"),
     ("72345", "invalid_recipient"), ("+1911", "invalid_recipient"), ("+1415555013", "invalid_recipient"),
     ("+52155512345678", "invalid_recipient"), ("+999123456789", "invalid_recipient"), ("", "invalid_recipient")],
)  # fmt: skip
def test_it_refuses_numbers_that_cannot_or_should_not_be_texted(to: str, why: str) -> None:
    assert reason(asked(to)) == why


def test_it_texts_to_allowed_countries_only() -> None:
    assert reason(asked("+4915112345678", countries=["US", "CA"])) == "country_not_allowed"
    assert asked(countries=["US", "CA"]) == asked("+15551230001", countries=["US"]) == Go()
    assert reason(asked(countries=[])) == "country_not_allowed"


def test_it_keeps_to_the_caps() -> None:
    assert asked(max_per_number_per_day=3, sent_to_number=2) == Go()
    assert reason(asked(max_per_number_per_day=3, sent_to_number=3)) == "frequency_cap"
    assert reason(asked(max_messages_per_day=10, sent_by_workspace=10)) == "budget_exceeded"
    assert asked(max_per_number_per_day=None, sent_to_number=99) == Go()


# Windows.


def opening(answer: Go | Wait | Refused, zone: str) -> str:
    assert isinstance(answer, Wait), answer
    return f"{answer.until.astimezone(ZoneInfo(zone)):%a %H:%M}"


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def test_it_does_not_wait_with_what_is_urgent() -> None:
    assert asked(now=NOW + timedelta(hours=12)) == Go()


def test_it_waits_for_the_morning_of_the_recipient() -> None:
    late = at("2026-03-04T22:30", "America/New_York")
    assert opening(asked(NEW_YORK, now=late, urgency="window"), "America/New_York") == "Thu 09:00"
    assert asked(LOS_ANGELES, now=late, urgency="window") == Go()


def test_it_waits_on_the_same_day_before_the_window_opens() -> None:
    early = at("2026-03-04T05:00", "America/New_York")
    assert opening(asked(NEW_YORK, now=early, urgency="window"), "America/New_York") == "Wed 09:00"


def test_it_opens_on_the_minute_and_closes_on_it() -> None:
    assert asked(NEW_YORK, now=at("2026-03-04T09:00", "America/New_York"), urgency="window") == Go()
    assert isinstance(asked(NEW_YORK, now=at("2026-03-04T20:00", "America/New_York"), urgency="window"), Wait)


def test_it_takes_the_agents_zone_where_the_number_has_none() -> None:
    late = at("2026-03-04T20:30", "America/Chicago")
    assert opening(asked("+15551230001", now=late, urgency="window"), "America/Chicago") == "Thu 09:00"


def test_it_waits_until_it_is_day_in_every_zone_that_the_number_may_be_in() -> None:
    australian = "+61412345678"
    early = at("2026-03-04T09:30", "Australia/Sydney")
    assert opening(asked(australian, now=early, urgency="window"), "Indian/Cocos") == "Wed 09:00"


def test_it_says_so_when_the_window_is_never_open_everywhere() -> None:
    narrow = {"window_start": time(9), "window_end": time(10)}
    assert reason(asked("+61412345678", urgency="window", **narrow)) == "outside_send_window"


def test_it_knows_windows_across_midnight() -> None:
    night = {"window_start": time(22), "window_end": time(6), "urgency": "window"}
    assert asked(now=at("2026-03-04T23:30", "America/Los_Angeles"), **night) == Go()
    assert asked(now=at("2026-03-04T05:59", "America/Los_Angeles"), **night) == Go()
    noon = asked(now=at("2026-03-04T12:00", "America/Los_Angeles"), **night)
    assert opening(noon, "America/Los_Angeles") == "Wed 22:00"


@pytest.mark.parametrize("window", [(None, None), (time(9), time(9))])
def test_it_has_no_window_when_none_is_set(window: tuple[time | None, time | None]) -> None:
    late = at("2026-03-04T03:00", "America/Los_Angeles")
    assert asked(now=late, urgency="window", window_start=window[0], window_end=window[1]) == Go()


@pytest.mark.parametrize(
    ("start", "end", "zone", "now", "opens"),
    [
        # Spring in New York: 02:00 to 03:00 is skipped on 8 March.
        ("02:30", "05:00", "America/New_York", "2026-03-08T06:00Z", "2026-03-08T07:00Z"),
        ("02:00", "05:00", "America/New_York", "2026-03-08T06:00Z", "2026-03-08T07:00Z"),
        ("03:00", "05:00", "America/New_York", "2026-03-08T06:00Z", "2026-03-08T07:00Z"),
        ("02:10", "02:50", "America/New_York", "2026-03-08T06:00Z", "2026-03-09T06:10Z"),
        ("09:00", "20:00", "America/New_York", "2026-03-08T06:00Z", "2026-03-08T13:00Z"),
        ("09:00", "20:00", "America/New_York", "2026-03-08T01:00Z", "2026-03-08T13:00Z"),
        # Autumn in New York: 01:00 to 02:00 comes twice on 1 November.
        ("01:30", "05:00", "America/New_York", "2026-11-01T04:30Z", "2026-11-01T05:30Z"),
        ("01:30", "05:00", "America/New_York", "2026-11-01T06:10Z", "2026-11-01T06:30Z"),
        ("22:00", "01:30", "America/New_York", "2026-11-01T05:40Z", "2026-11-01T06:00Z"),
        ("09:00", "20:00", "America/New_York", "2026-11-01T00:30Z", "2026-11-01T14:00Z"),
        # South of the equator, by half an hour, and far east and west of Greenwich.
        ("02:15", "04:00", "Australia/Lord_Howe", "2026-10-03T15:00Z", "2026-10-03T15:30Z"),
        ("01:45", "04:00", "Australia/Lord_Howe", "2026-04-04T14:50Z", "2026-04-04T14:50Z"),
        ("00:00", "06:00", "America/Santiago", "2026-09-06T03:30Z", "2026-09-06T04:00Z"),
        ("09:00", "20:00", "Pacific/Kiritimati", "2026-06-01T06:30Z", "2026-06-01T19:00Z"),
        ("09:00", "20:00", "Pacific/Pago_Pago", "2026-06-01T07:30Z", "2026-06-01T20:00Z"),
        ("09:00", "20:00", "Asia/Kathmandu", "2026-06-01T00:00Z", "2026-06-01T03:15Z"),
        # Over midnight.
        ("22:00", "06:00", "Europe/Berlin", "2026-03-29T00:30Z", "2026-03-29T00:30Z"),
        ("22:00", "06:00", "Europe/Berlin", "2026-03-29T04:00Z", "2026-03-29T20:00Z"),
        ("22:00", "02:30", "Europe/Berlin", "2026-03-29T00:45Z", "2026-03-29T00:45Z"),
        ("22:00", "02:30", "Europe/Berlin", "2026-03-29T01:00Z", "2026-03-29T20:00Z"),
    ],
)
def test_it_opens_by_the_clock_on_the_wall(start: str, end: str, zone: str, now: str, opens: str) -> None:
    rules = workspace(window_start=time.fromisoformat(start), window_end=time.fromisoformat(end))
    found = first_opening(rules, [ZoneInfo(zone)], datetime.fromisoformat(now))
    assert found == datetime.fromisoformat(opens)


clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))
ZONES = (
    "UTC", "America/New_York", "America/Los_Angeles", "Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe",
    "Australia/Sydney", "Asia/Kathmandu", "America/Santiago", "America/St_Johns", "Africa/Casablanca",
)  # fmt: skip
zones = st.lists(st.sampled_from(ZONES).map(ZoneInfo), min_size=1, max_size=3)
# Every hour of two years, and the hours about the changes of clocks more often than the others.
CHANGES = (
    "2026-03-08T07:00Z", "2026-11-01T06:00Z", "2026-03-29T01:00Z", "2026-10-25T01:00Z", "2026-10-03T15:30Z",
    "2026-04-04T15:00Z", "2026-09-06T04:00Z", "2026-04-05T03:00Z", "2026-10-03T16:00Z", "2026-02-15T02:00Z",
)  # fmt: skip
MOMENTS = st.one_of(
    st.builds(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes), st.integers(0, 10**6)),
    st.builds(
        lambda change, minutes: datetime.fromisoformat(change) + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.integers(-3 * 60, 3 * 60),
    ),
)


def is_open(moment: datetime, start: time, end: time, zone: ZoneInfo) -> bool:
    """The rule as an operator reads it: what does the clock on the recipient's wall show?"""
    wall = moment.astimezone(zone)
    minutes, first, last = wall.hour * 60 + wall.minute, *(clock.hour * 60 + clock.minute for clock in (start, end))
    return first <= minutes < last if first < last else minutes >= first or minutes < last


@given(clocks, clocks, zones, MOMENTS)
def test_it_opens_at_the_first_minute_at_which_every_wall_shows_so(
    start: time, end: time, zones: list[ZoneInfo], now: datetime
) -> None:
    if start == end:
        return
    found = first_opening(workspace(window_start=start, window_end=end), zones, now)
    minutes = (now + timedelta(minutes=n) for n in range(3 * 24 * 60))
    first = next((each for each in minutes if all(is_open(each, start, end, zone) for zone in zones)), None)
    assert found == first


def test_it_opens_on_the_second_although_the_moment_asked_about_lies_within_one() -> None:
    now = datetime(2026, 3, 8, 6, 59, 59, 999_999, tzinfo=UTC)
    rules = workspace(window_start=time(2, 30), window_end=time(5))
    assert first_opening(rules, [ZoneInfo("America/New_York")], now) == datetime(2026, 3, 8, 7, tzinfo=UTC)
