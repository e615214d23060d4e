"""What every database connection is made with."""

from __future__ import annotations

import pytest
from django.db import connection

from postcall.settings import database


def test_it_ends_transactions_of_whoever_stopped_in_the_middle() -> None:
    assert "idle_in_transaction_session_timeout=60000" in database("postgresql://a@h/d")["OPTIONS"]["options"]


def test_it_keeps_the_options_of_the_address() -> None:
    options = database("postgresql://a@h/d?options=-c%20work_mem%3D8MB")["OPTIONS"]["options"]
    assert options == "-c idle_in_transaction_session_timeout=60000 -c work_mem=8MB"


@pytest.mark.django_db
def test_the_server_takes_them() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)
