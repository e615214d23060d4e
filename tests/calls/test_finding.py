"""What calls are found by: kept by the database itself, whoever changes the call."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from postcall.calls import finding
from postcall.calls.models import Call
from postcall.work import among
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="Northgate Clinic")


def a_call(workspace: Workspace, said: str = "My knee hurts", **fields: Any) -> Call:
    values: dict[str, Any] = {
        "source_kind": "api",
        "external_id": f"c-{Call.objects.count()}",
        "customer_number": "+14155550132",
        "transcript": [{"role": "customer", "text": said}],
        "received_at": timezone.now(),
    }
    return Call.objects.create(workspace=workspace, **(values | fields))


def words(workspace: Workspace, typed: str) -> set[Call]:
    return set(finding.with_words(Call.objects.filter(workspace=workspace), workspace, typed))


@pytest.mark.parametrize("typed", ["knee", "KNEE", "kne", "hurts my", "“knee”", "nc-4821", "NC-48", "zoë", "c-0"])
def test_it_finds_what_begins_as_typed(workspace: Workspace, typed: str) -> None:
    call = a_call(workspace, variables={"collected": {"deep": [{"id": "NC-4821"}], "name": "Zoë"}})
    assert words(workspace, typed) == {call}


@pytest.mark.parametrize("typed", ["48213", "4821", "49.5"])
def test_it_finds_values_that_came_as_numbers(workspace: Workspace, typed: str) -> None:
    call = a_call(workspace, variables={"collected": {"order": 48213}, "action_result": {"quote": {"total": 49.5}}})
    assert words(workspace, typed) == {call}


@pytest.mark.parametrize("typed", ["nee", "knee elbow", "customer", "text", "collected", "4-8", '"', "c-00"])
def test_it_does_not_find_what_does_not_stand_there(workspace: Workspace, typed: str) -> None:
    a_call(workspace, variables={"collected": {"name": "Maya"}})
    assert words(workspace, typed) == set()


def test_it_finds_a_word_at_the_end_of_the_longest_call(workspace: Workspace) -> None:
    call = a_call(workspace, " ".join(f"word{number}" for number in range(60_000)))
    assert words(workspace, "word59999") == {call}


def test_it_stores_a_call_that_no_vector_holds(workspace: Workspace) -> None:
    call = a_call(workspace, " ".join(f"{number:x}" * 7 for number in range(120_000)))
    assert Call.objects.filter(pk=call.pk).exists()


def test_it_forgets_words_with_the_call(workspace: Workspace) -> None:
    call = a_call(workspace)
    Call.objects.filter(pk=call.pk).update(transcript=[], variables={})
    assert words(workspace, "knee") == set()


@pytest.mark.parametrize("digits", ["0132", "+1415", "5555", "(415) 555-0132"])
def test_it_finds_digits_anywhere_in_a_number(workspace: Workspace, digits: str) -> None:
    call = a_call(workspace)
    a_call(workspace, customer_number="+442079460018")
    assert list(finding.with_number(workspace.calls.all(), workspace, digits)) == [call]


def test_it_forgets_a_number_that_is_erased(workspace: Workspace) -> None:
    call = a_call(workspace)
    Call.objects.filter(pk=call.pk).update(customer_number="")
    with connection.cursor() as cursor:
        cursor.execute("SELECT words::text FROM call WHERE id = %s", [call.pk])
        assert "0132" not in cursor.fetchone()[0]


@pytest.mark.parametrize("limit", [(finding, "MANY"), (among, "COMMON")])
def test_it_finds_the_same_where_very_many_fit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, limit: tuple[object, str]
) -> None:
    calls = {a_call(workspace, "Common and rare"), a_call(workspace, "Common")}
    other = Workspace.objects.create(name="Harbor Dental")
    a_call(other, "Common")
    monkeypatch.setattr(*limit, 1)
    assert words(workspace, "common") == calls
    assert words(workspace, "common rare") < calls
    assert set(finding.with_number(workspace.calls.all(), workspace, "0132")) == calls
