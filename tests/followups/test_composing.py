"""Filling a message in: what is sent digit for digit, what is missing, what is unsafe, what never leaves."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from postcall.actions.bindings import BINDINGS, Named
from postcall.followups.compose import Composed, compose
from postcall.followups.compose import fill as filled_in
from postcall.followups.facts import CallFacts
from postcall.followups.safety import danger_in
from postcall.followups.snapshot import AgentAsItWas
from postcall.followups.values import Missing
from postcall.judge.verdicts import Answer

AGENT = AgentAsItWas(name="Front desk", business_name="Northgate", timezone="America/Los_Angeles", locale="en-US")
START = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)  # a Wednesday, 10:00 in Los Angeles


def call(**variables: Any) -> CallFacts:
    return CallFacts(
        call_id="c-1", customer_number="+14155550132", customer_number_raw="+14155550132", direction="outbound",
        agent_number="+14155550100", started_at=START, ended_at=datetime(2026, 11, 25, 18, 1, 30, tzinfo=UTC),
        when=START, end_reason="", connected=True, turns=(), variables=variables,
    )  # fmt: skip


def fill(
    binding: dict[str, Any], agent: AgentAsItWas = AGENT, answer: str | None = None, **variables: Any
) -> Composed:
    bound = BINDINGS.validate_python({"x": binding})
    return compose("<x>", bound, call(**variables), agent, {"x": Answer(answer, 3)} if answer is not None else {})


def collected(value: Any, **binding: Any) -> Composed:
    return fill({"from": "collected", "name": "v"} | binding, collected={"v": value})


@pytest.mark.parametrize(
    ("binding", "variables", "text"),
    [
        ({"from": "fixed", "value": "Acme"}, {}, "Acme"),
        ({"from": "fixed", "value": 5}, {}, "5"),
        ({"from": "collected", "name": "a"}, {"collected": {"a": "Ann"}}, "Ann"),
        ({"from": "extracted", "name": "a.b"}, {"extracted": {"a": {"b": "deep"}}}, "deep"),
        ({"from": "extracted", "name": "a.b"}, {"extracted": {"a.b": "flat", "a": {"b": "deep"}}}, "flat"),
        ({"from": "pre_call", "name": "items.1.n"}, {"pre_call": {"items": [{"n": "one"}, {"n": "two"}]}}, "two"),
        ({"from": "action_result", "action": "book", "name": "r"}, {"action_results": {"book": {"r": "X1"}}}, "X1"),
        ({"from": "collected", "name": "a"}, {"collected": {"a": {"value": "Ann", "collected": True}}}, "Ann"),
        ({"from": "system", "name": "customer_number"}, {}, "+14155550132"),
        ({"from": "system", "name": "from_number"}, {}, "+14155550100"),
        ({"from": "system", "name": "to_number"}, {}, "+14155550132"),
        ({"from": "system", "name": "call_id"}, {}, "c-1"),
        ({"from": "system", "name": "duration_s"}, {}, "90"),
        ({"from": "system", "name": "business_name"}, {}, "Northgate"),
        ({"from": "system", "name": "started_at"}, {}, "Wednesday, November 25, 10:00 AM"),
        ({"from": "system", "name": "started_at", "format": "time"}, {}, "10:00 AM"),
    ],
)
def test_it_finds_every_kind_of_value(binding: dict[str, Any], variables: dict[str, Any], text: str) -> None:
    assert fill(binding, **variables).body == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("0472", "0472"), (472, "472"), (10**22, "1" + "0" * 22), (0, "0"), (6.5, "6.5"), (4.0, "4"), (1e16,
     "1" + "0" * 16),
     ("  Ann ", "Ann"), ("Nan", "Nan"), ("1e5", "1e5"), ("007.50", "007.50")],
)  # fmt: skip
def test_it_sends_digits_as_they_are(value: Any, text: str) -> None:
    assert fill({"from": "pre_call", "name": "v"}, pre_call={"v": value}).body == text


NOTHINGS = [None, "", "  ", "None", "null", "NULL", "undefined", "nil", "N/A", "NaN", "not provided",
 "unknown", "-",
            "\u200b", "\ufeff \u00a0", True, False, [], {}, ["a"], {"a": 1}, {"value": "Ann", "collected": False},
            {"value": None}, "{{first_name}}", "{name}", "<name>", "${name}", "[REDACTED]", "[NAME]", "****",
             "+1******1234", "[PHONE_NUMBER_1]"]  # fmt: skip


@pytest.mark.parametrize("value", NOTHINGS)
@pytest.mark.parametrize("namespace", ["collected", "pre_call"])
def test_it_takes_nothing_for_nothing(value: Any, namespace: str) -> None:
    found = fill({"from": namespace, "name": "v"}, **{namespace: {"v": value}})
    assert (found.body, list(found.missing)) == ("", ["x"])


@pytest.mark.parametrize("value", NOTHINGS)
def test_it_falls_back(value: Any) -> None:
    found = collected(value, fallback="there")
    assert (found.body, found.inputs["x"].source) == ("there", "fallback")


@pytest.mark.parametrize("fallback", ["\u200b", "null", "***", "<name>"])
def test_it_takes_a_fallback_that_says_nothing_for_none(fallback: str) -> None:
    binding = Named.model_construct(from_="collected", name="v", fallback=fallback, format=None, allow=[])
    assert isinstance(filled_in(binding, call(collected={}), AGENT, None), Missing)


@pytest.mark.parametrize("fallback", ["\u200b", " ", "null", "n/a", "[REDACTED]"])
def test_it_lets_nobody_save_a_fallback_that_says_nothing(fallback: str) -> None:
    with pytest.raises(ValidationError, match="something to send"):
        BINDINGS.validate_python({"x": {"from": "collected", "name": "v", "fallback": fallback}})


@pytest.mark.parametrize(
    ("message", "body"),
    [("At <x>.", "At 10:30 a.m."), ("At <x>, then.", "At 10:30 a.m., then."), ("At <x>...", "At 10:30 a.m....")],
)
def test_it_ends_a_sentence_with_one_full_stop(message: str, body: str) -> None:
    bound = BINDINGS.validate_python({"x": {"from": "fixed", "value": "10:30 a.m."}})
    assert compose(message, bound, call(), AGENT, {}).body == body


def test_it_falls_back_where_a_format_cannot_read_the_value() -> None:
    assert collected("soon", format="date", fallback="soon").body == "soon"
    assert "cannot be read as a day" in collected("soon", format="date").missing["x"]


def test_it_says_where_the_judge_read_a_value() -> None:
    found = fill({"from": "ask", "description": "the day agreed"}, answer="Thursday")
    assert (found.body, found.inputs["x"].turn) == ("Thursday", 3)


def test_it_fills_in_one_pass() -> None:
    bound = BINDINGS.validate_python(
        {"a": {"from": "pre_call", "name": "a"}, "b": {"from": "pre_call", "name": "b"}}
    )
    found = compose("<a> <b>", bound, call(pre_call={"a": "say <b>", "b": "secret"}), AGENT, {})
    assert (found.body, list(found.missing)) == ("", ["<b>"])


def test_it_lets_no_braces_out_that_the_operator_wrote() -> None:
    assert compose("Hi {name}", {}, call(), AGENT, {}).missing


@pytest.mark.parametrize(
    ("value", "how", "text"),
    [
        ("2026-12-03", "date", "Thursday, December 3"),
        ("2026-12-03T02:30:00Z", "date", "Wednesday, December 2"),
        ("2026-12-03T02:30:00Z", "datetime", "Wednesday, December 2, 6:30 PM"),
        ("2026-12-03T14:30:00-08:00", "time", "2:30 PM"),
        ("2026-12-03T14:30:00", "time", "2:30 PM"),
        ("2027-12-03", "date", "Friday, December 3, 2027"),
        ("2026-12-03", "datetime", "Thursday, December 3"),
        ("14:30", "time", "2:30 PM"),
        (1796337000, "datetime", "Thursday, December 3, 2:30 PM"),
        (1796337000000, "date", "Thursday, December 3"),
        ("tomorrow", "date", "Thursday, November 26"),
        ("tomorrow at 3", "datetime", "Thursday, November 26, 3:00 PM"),
        ("tomorrow at 10 in the morning", "datetime", "Thursday, November 26, 10:00 AM"),
        ("tonight at 8", "datetime", "Wednesday, November 25, 8:00 PM"),
        ("Friday at 9:30", "datetime", "Friday, November 27, 9:30 AM"),
        ("next Tuesday", "date", "Tuesday, December 1"),
        ("March 5", "date", "Friday, March 5"),
        ("3/4/2027", "date", "Thursday, March 4"),
        ("1284.50", "money", "$1,284.50"),
        ("$1,284.50", "money", "$1,284.50"),
        ("€ 89", "money", "€89.00"),
        (89, "money", "$89.00"),
        ("1284.5", "number", "1,284.5"),
        (6.5, "number", "6.5"),
    ],
)
def test_it_restyles_days_times_and_amounts(value: Any, how: str, text: str) -> None:
    assert collected(value, format=how).body == text


@pytest.mark.parametrize(
    ("value", "how"),
    [
        ("next Friday", "date"), ("Thursday, March 4, 2020 or so", "date"), ("Monday, March 5", "date"), ("5",
        "date"),
        ("the 5th", "date"), ("March", "date"), ("2:30 PM", "date"), ("2026-13-45", "date"), ("tomorrow", "time"),
        ("eighty dollars", "money"), ("12 apples", "number"), ("nan", "number"), (True, "money"), (1e25, "number"),
        (1e-300, "money"), ("x" * 500,
        "date"),
    ],
)  # fmt: skip
def test_it_guesses_no_day_time_or_amount(value: Any, how: str) -> None:
    assert collected(value, format=how).missing


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("November 25", "Wednesday, November 25"),
        ("Wednesday, November 25", "Wednesday, November 25"),
        ("September 20", "Monday, September 20, 2027"),
        ("November 20, 2027", "Saturday, November 20, 2027"),
    ],
)
def test_it_takes_todays_date_for_today_and_no_other_for_a_year_ahead(value: str, text: str) -> None:
    assert collected(value, format="date").body == text


def test_it_makes_no_next_year_of_a_day_just_past() -> None:
    assert collected("November 20", format="date").missing


@pytest.mark.parametrize(
    ("locale", "value", "how", "text"),
    [
        ("es-US", "mañana a las 3", "datetime", "jueves, 26 de noviembre, 3:00 p.m."),
        ("es-ES", "2026-12-03T10:30:00-08:00", "datetime", "jueves, 3 de diciembre, 10:30"),
        ("de-DE", "morgen um 15 Uhr", "datetime", "Donnerstag, 26. November, 15:00"),
        ("de-DE", "1284.5", "money", "1.284,50 €"),
        ("de-DE", "1.284,50", "money", "1.284,50 €"),
        ("fr-FR", "1284.5", "money", "1 284,50 €"),
        ("en-GB", "3/4/2027", "date", "Saturday 3 April"),
        ("xx-YY", "2026-12-03", "date", "Thursday, December 3"),
    ],
)
def test_it_writes_in_the_agents_locale(locale: str, value: Any, how: str, text: str) -> None:
    agent = AGENT.model_copy(update={"locale": locale})
    found = fill({"from": "collected", "name": "v", "format": how}, agent, collected={"v": value})
    assert found.body == text


def test_it_takes_the_currency_of_the_binding() -> None:
    assert collected("89", format="money", currency="CAD").body == "CA$89.00"
    agent = AGENT.model_copy(update={"locale": "en"})
    assert (
        "currency"
        in fill({"from": "pre_call", "name": "v", "format": "money"}, agent, pre_call={"v": 5}).missing["x"]
    )


def test_it_keeps_times_right_when_the_clocks_change() -> None:
    assert collected("2026-11-01T08:30:00Z", format="time").body == "1:30 AM"  # the first 1:30 of that night
    assert collected("2026-11-01T09:30:00Z", format="time").body == "1:30 AM"
    assert collected("2026-03-08T10:30:00Z", format="time").body == "3:30 AM"


def test_it_writes_no_space_that_would_double_the_price_of_a_text() -> None:
    assert collected("2026-12-03T14:30:00", format="datetime").body.isascii()


# What a stranger may not put into a text.

UNSAFE = [
    "https://win.example", "http:/x", "www.win.example", "win.example", "win。example", "win․example/claim",
    "ｗｉｎ.example",
    "win[.]example", "win(.)example", "win .example", "w\u200din.example", "ann@mail.example", "ann＠mail",
    "win dot com", "www dot win dot example slash claim", "gana punto com", "hxxps win", "192.168.10.4", "bit.ly/x",
    "+1 415 555 0132", "415-555-0132", "(415) 555 0132", "4155550132", "④①⑤⑤⑤⑤⓪", "415.555.0132",
    "four one five five five five zero",
    "4 1 5 5 5 5 0", "٤١٥٥٥٥٠١٣٢", "+44 20", "a\nb", "a\rb", "a\u2028b", "a\x07b", "a\u202eb", "a\u2066b",
    "a\u00adb",
    "a\ue000b", "y" * 81, "see <name>", "see {name}", "see {{ name }}",
]  # fmt: skip
SAFE = [
    "Ann", "Ann-Marie O'Neill", "Łukasz", "José María", "王小明", "मेगन", "علی\u200cرضا", "👩\u200d👩\u200d👧",
    "RO-20417", "0472",
    "2016 Civic", "142 Fernhill Avenue, second floor", "2026-03-05T14:30:00-08:00", "3/4/2027", "10 a.m. or 2 p.m.",
    "about 6.5 hours", "$1,284.50", "Dot Smith", "Mr. Smith", "no. 5", "9:30 - 10:45", "well... yes", "y" * 80,
]  # fmt: skip


@pytest.mark.parametrize("value", UNSAFE)
def test_it_marks_what_a_stranger_may_not_dictate(value: str) -> None:
    assert "x" in collected(value).unsafe
    for source in ({"from": "extracted", "name": "v"}, {"from": "action_result", "action": "t", "name": "v"}):
        assert fill(source, extracted={"v": value}, action_results={"t": {"v": value}}).unsafe
    assert fill({"from": "ask", "description": "anything"}, answer=value).unsafe


@pytest.mark.parametrize("value", SAFE)
def test_it_lets_plain_words_pass(value: str) -> None:
    assert not collected(value).unsafe
    assert collected(value).body == value


@pytest.mark.parametrize(
    ("value", "allow"),
    [("https://win.example", "url"), ("415-555-0132", "phone"), ("415555013299", "digits"), ("1234-5678-9012",
     "digits"),
     ("a\nb", "line_breaks"), ("y" * 81, "long")],
)  # fmt: skip
def test_it_lets_pass_what_the_binding_allows(value: str, allow: Any) -> None:
    assert danger_in(value)
    assert not danger_in(value, [allow])


def test_it_takes_a_number_with_a_plus_for_a_phone_number_even_where_digits_are_allowed() -> None:
    assert danger_in("+14155550132", ["digits"])


@pytest.mark.parametrize("value", ["a" * 20_000, "1" * 20_000, "a." * 10_000, "* " * 10_000, "one " * 5_000])
def test_it_reads_enormous_values_in_no_time(value: str) -> None:
    # A pattern that backtracks would take minutes here, and the test's time limit would end it.
    for _ in range(20):
        danger_in(value, ["long"])
        collected(value)


@pytest.mark.parametrize("source", ["pre_call", "fixed"])
def test_it_trusts_the_operators_own_values(source: str) -> None:
    link = "https://northgate.example/visit"
    binding = {"from": "fixed", "value": link} if source == "fixed" else {"from": "pre_call", "name": "v"}
    assert (fill(binding, pre_call={"v": link}).body, fill(binding, pre_call={"v": link}).unsafe) == (link, {})


# Whatever comes, no hole and no placeholder leaves.

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False,
     allow_infinity=False) | st.text(max_size=100)
    | st.sampled_from(["<a>", "{b}", "None", "null", " ", "<b> and {{a}}", "tomorrow", "2026-03-05", "5", "€5",
     "0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "collected", "a"]),
     inner),
    max_leaves=4,
)  # fmt: skip
formats = st.none() | st.sampled_from(["date", "time", "datetime", "number", "money"])
bindings = st.fixed_dictionaries(
    {"from": st.sampled_from(["collected", "extracted", "pre_call"]), "name": st.sampled_from(["v", "w", "v.a"])},
    optional={"format": formats, "fallback": st.sampled_from(["there", "soon"])},
)


@given(bindings, bindings, anything, anything)
def test_it_never_leaves_a_hole_or_a_placeholder(a: dict[str, Any], b: dict[str, Any], v: Any, w: Any) -> None:
    values = {"v": v, "w": w}
    found = compose(
        "Hi [<a>], [<b>]!",
        BINDINGS.validate_python({"a": a, "b": b}),
        call(collected=values, extracted=values, pre_call=values),
        AGENT,
        {},
    )
    if found.missing:
        assert found.body == ""
        return
    if found.unsafe:
        return
    assert not re.search(r"<[A-Za-z]\w*>|\{\s*[A-Za-z]\w*\s*\}", found.body)
    for filled in found.inputs.values():
        assert filled.value.strip().lower() not in {"", "none", "null", "undefined"}


@given(st.integers() | st.text("0123456789", min_size=1, max_size=40))
def test_it_changes_no_digit(code: int | str) -> None:
    assert fill({"from": "pre_call", "name": "v"}, pre_call={"v": code}).body == str(code)


@given(st.text(max_size=200))
def test_it_never_fails_on_what_people_say(text: str) -> None:
    for how in (None, "date", "time", "datetime", "number", "money"):
        found = collected(text, format=how)
        assert bool(found.body) != bool(found.missing)
