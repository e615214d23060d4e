"""The books are worth something only if they tell a lost text from a doubled one, and from one with a reason."""

from __future__ import annotations

from .clinic import Call, Text, calls
from .ledger import weigh


def _sent(given: list[Call]) -> dict[Text, int]:
    return {text: 1 for call in given for text in call.texts}


def test_it_finds_nothing_where_every_text_went_out_once() -> None:
    given = calls("qtestx", 20, 1, 0)
    verdict = weigh(given, _sent(given), {})
    assert verdict.clean
    assert (verdict.calls, verdict.messages) == (20, sum(len(call.texts) for call in given))


def test_it_finds_a_lost_a_doubled_and_a_foreign_text() -> None:
    given = calls("qtestx", 20, 1, 0)
    sent = _sent(given)
    lost, doubled, foreign = given[3].texts[0], given[7].texts[0], Text("+12015550200", "Nobody asked for this.")
    del sent[lost]
    sent |= {doubled: 2, foreign: 1}
    verdict = weigh(given, sent, {})
    assert not verdict.clean
    found = [verdict.lost, verdict.doubled, verdict.foreign]
    assert [len(lines) for lines in found] == [1, 1, 1]
    assert all(text.body in lines[0] for text, lines in zip((lost, doubled, foreign), found, strict=True))


def test_it_takes_a_text_for_held_only_where_its_own_reason_stands() -> None:
    given = calls("qtestx", 20, 1, 0)
    sent = _sent(given)
    held, lost = given[3].texts[0], given[4].texts[0]
    del sent[held], sent[lost]
    verdict = weigh(given, sent, {held.body: "expired"})
    assert [len(verdict.held), len(verdict.lost)] == [1, 1]
    assert held.body in verdict.held[0]
