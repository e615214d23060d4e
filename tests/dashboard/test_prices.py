"""What a text will probably cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from postcall.messages.models import Message
from postcall.messages.prices import estimate
from postcall.workspaces.models import Workspace

from .factories import a_call, a_follow_up, a_message, a_workspace, an_action, an_agent


@pytest.fixture
def workspace(db: None) -> Workspace:
    return a_workspace()


def paid(
    workspace: Workspace, *prices: str, to: str = "+14155550132", segments: int = 1, unit: str = "USD"
) -> None:
    agent = workspace.agents.first() or an_agent(workspace)
    attachment = agent.attachments.first() or an_action(agent)
    for price in prices:
        message = a_message(a_follow_up(a_call(agent), attachment))
        Message.objects.filter(pk=message.pk).update(
            price=Decimal(price), price_unit=unit, to=to, segments=segments
        )


def test_it_takes_the_list_price_before_any_text(workspace: Workspace) -> None:
    found = estimate(workspace, 2, "US")
    assert found is not None
    assert (found.amount, found.currency, found.basis) == (Decimal("0.0166"), "USD", "list")


def test_it_knows_no_price_where_none_is_listed(workspace: Workspace) -> None:
    assert estimate(workspace, 1, "DE") is None
    assert estimate(workspace, 1, "nowhere") is None


def test_it_takes_the_median_of_what_a_segment_cost(workspace: Workspace) -> None:
    paid(workspace, "-0.0300", "-0.0200", "-0.9000", segments=2)
    found = estimate(workspace, 3, "US")
    assert found is not None
    assert (found.amount, found.basis) == (Decimal("0.045"), "own")


def test_it_counts_as_exactly_as_twilio(workspace: Workspace) -> None:
    paid(workspace, "-0.0100", segments=3)
    found = estimate(workspace, 1, "US")
    assert found is not None
    assert str(found.amount) == "0.00333"


def test_it_learns_nothing_from_a_text_that_was_sent_twice(workspace: Workspace) -> None:
    paid(workspace, "-0.0166")
    Message.objects.update(attempts_made=2)
    found = estimate(workspace, 1, "US")
    assert found is not None
    assert found.basis == "list"


def test_it_counts_in_the_currency_of_the_last_text(workspace: Workspace) -> None:
    paid(workspace, "-0.5000", to="+4915112345678")
    paid(workspace, "-0.0700", to="+4915112345678", unit="EUR")
    found = estimate(workspace, 1, "DE")
    assert found is not None
    assert (found.amount, found.currency) == (Decimal("0.07"), "EUR")


def test_it_tells_countries_of_one_calling_code_apart(workspace: Workspace) -> None:
    paid(workspace, "-0.0400", to="+16135550132")
    paid(workspace, "-0.0500", "-0.0500", to="+14155550132")
    found = estimate(workspace, 1, "CA")
    assert found is not None
    assert (found.amount, found.basis) == (Decimal("0.04"), "own")


def test_it_takes_no_price_of_another_workspace(workspace: Workspace) -> None:
    paid(a_workspace("Harbor Dental"), "-0.9000")
    found = estimate(workspace, 1, "US")
    assert found is not None
    assert found.basis == "list"
