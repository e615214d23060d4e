"""How times, numbers, money and lengths are written."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

import pytest
from django.utils import timezone

from postcall.calls.models import Call
from postcall.dashboard import words
from postcall.dashboard.cards import filled, origin_of
from postcall.dashboard.middleware import zone_named
from postcall.dashboard.templatetags.postcall import ago, phone, price, relative, spell_seconds
from postcall.dashboard.words import ENDINGS, REMOVED, ending, platform, told_hints
from postcall.followups.models import Reason
from postcall.ids import first_id, new_id
from postcall.messages.models import Attempt, Message
from postcall.sources.ended_call import Ending, Removed
from postcall.sources.kinds import KINDS

NOW = datetime(2026, 11, 23, 14, 41, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=40), "40 s ago"),
        (timedelta(minutes=3, seconds=59), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=2), "2 d ago"),
        (timedelta(days=30), "24 Oct 2026"),
        (timedelta(minutes=-20), "in 20 min"),
    ],
)
def test_it_says_how_long_ago(before: timedelta, said: str) -> None:
    assert relative(NOW - before, NOW) == said


def test_it_has_the_exact_time_in_the_readers_zone_on_hover() -> None:
    with timezone.override(zone_named("America/Los_Angeles")):
        assert 'title="Mon 23 Nov 2026, 06:41:00 PST"' in str(ago(NOW))


@pytest.mark.parametrize("name", ["", "nowhere", "../../etc/passwd", "America", "\x00"])
def test_it_reads_utc_for_a_zone_that_is_none(name: str) -> None:
    assert zone_named(name).key == "UTC"


@pytest.mark.parametrize(
    ("number", "written"),
    [("+14155550132", "+1 415 555 0132"), ("+442071838750", "+44 20 7183 8750"), ("anonymous", "anonymous")],
)
def test_it_writes_a_number_so_that_one_can_read_it(number: str, written: str) -> None:
    assert phone(number) == written


@pytest.mark.parametrize(
    ("amount", "unit", "written"),
    [
        ("-0.00830", "USD", "$0.0083"),
        ("0.5", "USD", "$0.50"),
        ("12", "", "$12.00"),
        ("0.07", "EUR", "0.07 EUR"),
        (None, "", ""),
    ],
)
def test_it_writes_a_price(amount: str | None, unit: str, written: str) -> None:
    assert price(Message(price=None if amount is None else Decimal(amount), price_unit=unit)) == written


@pytest.mark.parametrize(
    ("seconds", "said"), [(86_400, "24 hours"), (3600, "1 hour"), (5400, "90 minutes"), (45, "45 seconds")]
)
def test_it_spells_a_stretch_of_time(seconds: int, said: str) -> None:
    assert spell_seconds(seconds) == said


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"collected": {"first_name": "Maya", "last_name": "Ortiz"}}, "Maya Ortiz"),
        ({"extracted": {"customer_name": " Maya "}}, "Maya"),
        ({"pre_call": {"name": "Maya"}}, "Maya"),
        ({"collected": {"first_name": 7, "name": ""}}, ""),
        ({"collected": ["Maya"]}, ""),
        ({"collected": {"name": "x" * 200}}, ""),
        ({}, ""),
    ],
)
def test_it_calls_a_caller_by_the_name_that_is_known(variables: dict[str, object], name: str) -> None:
    assert words.caller_name(Call(variables=variables)) == name


def test_it_has_words_for_every_reason() -> None:
    assert set(words.REASONS) == set(Reason.values)


def test_it_has_words_for_every_status() -> None:
    assert set(words.MESSAGE_STATUSES) == set(Message.Status.values)
    for status in Attempt.Status.values:
        assert words.event_state(status).words != status or status in words.MESSAGE_STATUSES


def test_it_underlines_what_was_filled_in_only_where_the_text_is_the_filled_template() -> None:
    inputs = {"name": {"value": "Maya"}}
    assert [(run.text, run.filled) for run in filled("Hi <name>!", inputs, "Hi Maya!")] == [
        ("Hi ", False),
        ("Maya", True),
        ("!", False),
    ]
    assert [(run.text, run.filled) for run in filled("Hi <name>!", inputs, "Good day, Maya.")] == [
        ("Good day, Maya.", False)
    ]


@pytest.mark.parametrize(
    ("kind", "binding", "said"),
    [
        ("collected", {"name": "first_name"}, "collected as first_name"),
        ("action_result", {"action": "create_booking", "name": "reference"}, "create_booking answered reference"),
        ("system", {"name": "customer_number"}, "the call’s customer number"),
        ("fallback", None, "the fallback"),
        ("ask", None, "read in the transcript"),
    ],
)
def test_it_says_where_a_value_came_from(kind: str, binding: dict[str, str] | None, said: str) -> None:
    assert origin_of(kind, binding) == said


def test_it_knows_the_first_id_of_a_moment() -> None:
    before = timezone.now()
    made = new_id()
    assert first_id(before - timedelta(milliseconds=1)) < made
    assert made < first_id(timezone.now() + timedelta(milliseconds=2))


@pytest.mark.parametrize(
    ("status", "minutes", "settled"),
    [
        (Message.Status.SENT, 1, False),
        (Message.Status.SENT, 16, True),
        (Message.Status.UNCONFIRMED, 16, True),
        (Message.Status.QUEUED, 600, False),
        (Message.Status.DELIVERED, 0, True),
    ],
)
def test_it_expects_no_news_for_ever(status: str, minutes: int, settled: bool) -> None:
    message = Message(status=status, updated_at=timezone.now() - timedelta(minutes=minutes))
    assert words.message_state(message).settled is settled


@pytest.mark.parametrize(("minutes", "seconds"), [(0, words.SOON_S), (300, words.LATER_S)])
def test_it_asks_seldom_while_a_text_waits_for_a_later_hour(minutes: int, seconds: int) -> None:
    message = Message(status=Message.Status.SCHEDULED, due_at=timezone.now() + timedelta(minutes=minutes))
    assert words.asks_every_s(message) == seconds


def test_it_writes_out_what_a_platform_makes_of_a_call() -> None:
    hints = {"call_successful": True, "summary": "Booked.", "nothing": None, "score": 4, "steps": [{"a": 1}]}
    assert told_hints(hints | {"evaluation": {"was_polite": "success", "was_short": False}}) == [
        ("Call successful", "yes"),
        ("Summary", "Booked."),
        ("Score", "4"),
        ("Steps", '[{"a": 1}]'),
        ("Evaluation", "Was polite: success; Was short: no"),
    ]


def test_it_says_how_a_call_ended_in_our_words_or_else_in_the_platforms() -> None:
    assert ending(Call(ending="agent_hung_up", end_reason="assistant-ended-call")) == "the agent hung up"
    assert ending(Call(end_reason="odd-new_reason")) == "odd new reason"
    assert set(get_args(Ending)) == set(ENDINGS)
    assert set(get_args(Removed)) == set(REMOVED)


def test_it_knows_every_platform_by_its_title() -> None:
    assert {platform(kind) for kind in KINDS} == {kind.title for kind in KINDS.values()} - {
        KINDS["generic"].title
    } | {"a webhook"}
    assert platform("telegraph") == "telegraph"
