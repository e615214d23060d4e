"""The two numbers of a call as its columns have them."""

from __future__ import annotations

from typing import Final

from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.messages.models import Account
from postcall.numbers import e164
from postcall.workspaces.scope import within

_NUMBERS: Final = ("customer_number", "customer_number_raw")
# So many of an agent's calls tell which numbers it calls from.
_LOOKED_BACK: Final = 50


def number_columns(customer: str | None, agent_number: str | None, agent: Agent | None) -> dict[str, str]:
    """E.164 where it is a number; one that was written without its country code is read in the agent's country."""
    region = agent.locale.rpartition("-")[2].upper() if agent and "-" in agent.locale else None
    return {
        "customer_number": e164(customer or "", region) or "",
        "customer_number_raw": customer or "",
        "agent_number": e164(agent_number or "", region) or agent_number or "",
    }


def but_for_ours(numbers: dict[str, str], agent: Agent | None) -> dict[str, str]:
    """The two numbers of a call whose platform leaves open who called whom: one that is ours is nobody's to text,
    and the customer's is not known until an event tells the direction."""
    customer = numbers["customer_number"]
    if agent is None or not customer or not _is_ours(customer, agent):
        return numbers
    return numbers | dict.fromkeys(_NUMBERS, "")


def _is_ours(number: str, agent: Agent) -> bool:
    """Whether the workspace sends from it, or an agent's late calls were on it."""
    place = agent.workspace_id
    senders = (within(place, Account), within(place, Agent).filter(deleted_at=None))
    if any(rows.filter(from_number=number).exists() for rows in senders):
        return True
    late = within(place, Call).filter(agent=agent).order_by("-pk").values_list("direction", "agent_number")
    return any(direction and number == ours for direction, ours in late[:_LOOKED_BACK])
