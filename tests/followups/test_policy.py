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


@pytest.mark.parametrize("to", [LOS_ANGELES, "+15551230001", "+15005550009", "+447911123456", "+4915112345678"])
def test_it_lets_mobile_fictional_and_test_numbers_pass(to: str) -> None:
    assert asked(to) == Go()


@pytest.mark.parametrize(
    ("to", "why"),
    [("+442071838750", "landline"), ("+493012345678", "landline"), ("+19005550199", "number_refused"),
     ("nonsense", "invalid_recipient")],
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


def test_it_opens_after_the_hour_that_the_clocks_skip() -> None:
    night = {"window_start": time(2, 30), "window_end": time(5), "urgency": "window"}
    before = at("2026-03-08T01:00", "America/New_York")
    assert opening(asked(NEW_YORK, now=before, **night), "America/New_York") == "Sun 03:30"


def test_it_opens_once_in_the_hour_that_comes_twice() -> None:
    night = {"window_start": time(1, 30), "window_end": time(5), "urgency": "window"}
    before = at("2026-11-01T00:30", "America/New_York")
    waited = asked(NEW_YORK, now=before, **night)
    assert isinstance(waited, Wait)
    assert waited.until == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    second_time = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)  # 1:10 again
    again = asked(NEW_YORK, now=second_time, **night)
    assert isinstance(again, Wait)
    assert again.until == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


clocks = st.times().map(lambda clock: clock.replace(microsecond=0))
zones = st.lists(
    st.sampled_from(["UTC", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu"]).map(
        ZoneInfo
    ),
    min_size=1, max_size=3,
)  # fmt: skip


@given(clocks, clocks, zones, st.integers(0, 365 * 24 * 3600))
def test_it_never_opens_while_a_zone_is_closed(start: time, end: time, zones: list[ZoneInfo], after: int) -> None:
    if start == end:
        return
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=after)
    found = first_opening(workspace(window_start=start, window_end=end), zones, moment)
    if found is None:
        assert len(zones) > 1
        return
    assert found >= moment
    for zone in zones:
        clock = found.astimezone(zone).time()
        assert start <= clock < end if start < end else clock >= start or clock < end
