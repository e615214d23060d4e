"""One test a code of Twilio's, and what follows from it."""

from __future__ import annotations

import pytest

from postcall.messages.errors import (
    TEXTS,
    Kind,
    concerns_account,
    explain,
    is_told_later,
    sent_nothing,
    stops_sending,
)

KINDS: dict[int, Kind] = {
    20003: "config",
    20404: "config",
    20429: "retry",
    20500: "ambiguous",
    20503: "ambiguous",
    21211: "permanent",
    21212: "config",
    21408: "country",
    21602: "permanent",
    21603: "config",
    21605: "permanent",
    21606: "config",
    21608: "config",
    21610: "opt_out",
    21611: "retry",
    21612: "permanent",
    21614: "landline",
    21617: "permanent",
    21635: "landline",
    21658: "permanent",
    21659: "config",
    21660: "config",
    21661: "config",
    21703: "config",
    21705: "config",
    35114: "permanent",
    35115: "permanent",
    35117: "permanent",
    30001: "transient",
    30002: "config",
    30003: "transient",
    30004: "permanent",
    30005: "permanent",
    30006: "landline",
    30007: "filtered",
    30008: "show",
    30022: "transient",
    30032: "config",
    30034: "config",
    30036: "terminal",
    30047: "terminal",
    30450: "filtered",
    30500: "transient",
    30610: "terminal",
    30640: "permanent",
    63014: "show",
    63017: "show",
    63036: "show",
    11200: "show",
    401: "config",
    403: "config",
    404: "config",
    407: "config",
    429: "retry",
}


@pytest.mark.parametrize("code", KINDS)
def test_it_explains_every_code_it_lists(code: int) -> None:
    text = explain(code, "Twilio's own words")
    assert (text.code, text.kind) == (code, KINDS[code])
    assert text.message.endswith(".")
    assert text.fix.endswith(".")
    assert "Twilio's own words" not in text.message
    assert text.more_info == (None if code < 600 else f"https://www.twilio.com/docs/api/errors/{code}")


def test_it_lists_no_code_untested() -> None:
    assert set(TEXTS) == set(KINDS)


def test_it_shows_an_unknown_code_in_twilios_words() -> None:
    text = explain(39999, "The frobnicator is offline")
    assert text.message == "The frobnicator is offline"
    assert text.fix == "See https://www.twilio.com/docs/api/errors/39999"
    assert text.kind == "show"


def test_it_shows_an_unknown_code_without_words() -> None:
    assert explain(39999).message == "Twilio error 39999."


def test_it_shows_a_failure_without_a_code() -> None:
    text = explain(None, "Something broke")
    assert (text.code, text.message, text.kind, text.more_info) == (None, "Something broke", "show", None)


def test_it_says_so_when_twilio_said_nothing() -> None:
    assert explain(None).message == "Twilio gave no reason."


@pytest.mark.parametrize("code", [500, 502, 503, 504, 20501, 20504])
def test_it_takes_any_server_fault_for_ambiguous(code: int) -> None:
    assert explain(code, "<html>").kind == "ambiguous"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, 21211),
        (400, 21610),
        (400, 39999),
        (401, 20003),
        (403, None),
        (404, 20404),
        (429, 20429),
        (429, None),
    ],
)
def test_it_knows_that_a_refusal_sent_nothing(status: int, code: int | None) -> None:
    assert sent_nothing(status, code)


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, 20500), (503, 503), (502, None), (408, None), (400, 20500), (200, None), (201, None), (302, None)],
)
def test_it_does_not_take_any_other_answer_for_a_refusal(status: int, code: int | None) -> None:
    assert not sent_nothing(status, code)


@pytest.mark.parametrize("code", KINDS)
def test_it_pauses_a_sender_for_configuration_alone(code: int) -> None:
    stops = KINDS[code] == "config" and code != 21608
    assert stops_sending(code) == stops


@pytest.mark.parametrize("code", [401, 403, 404, 407, 20003, 20404, 30002])
def test_it_knows_what_is_amiss_with_the_whole_account(code: int) -> None:
    assert concerns_account(code)
    assert stops_sending(code)


@pytest.mark.parametrize("code", [21212, 21603, 21606, 21659, 21660, 21661, 21703, 21705, 30032, 30034])
def test_it_knows_what_is_amiss_with_one_sender_alone(code: int) -> None:
    assert not concerns_account(code)
    assert stops_sending(code)
    assert is_told_later(code) == (code >= 30000)
