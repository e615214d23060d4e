"""How Django is told what became of a connection."""

from __future__ import annotations

import select

import pytest
from django.db import OperationalError, connection, transaction

from postcall.api.problems import problem_for
from postcall.messages import send

PATIENCE_S = 60.0
pytestmark = pytest.mark.django_db(transaction=True)


def sleep_in_a_transaction() -> None:
    """Until the server has ended the connection for it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '10ms'")
        assert select.select([connection.connection], [], [], PATIENCE_S)[0]


def answer() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 42")
        return int(cursor.fetchone()[0])


def test_a_transaction_that_slept_too_long_finds_the_database_away() -> None:
    @transaction.atomic
    def sleep_and_ask() -> None:
        sleep_in_a_transaction()
        answer()

    with pytest.raises(OperationalError) as raised:
        sleep_and_ask()
    assert problem_for(raised.value).status == 503
    assert answer() == 42


def test_an_answer_is_not_forgotten_because_its_transaction_slept_too_long() -> None:
    tries: list[int] = []

    @transaction.atomic
    def write_down() -> None:
        tries.append(answer())
        if len(tries) == 1:
            sleep_in_a_transaction()
            answer()

    send._insist(write_down)
    assert tries == [42, 42]
