"""The two numbers of a call as its columns have them."""

from __future__ import annotations

from postcall.agents.models import Agent
from postcall.numbers import e164


def number_columns(customer: str | None, agent_number: str | None, agent: Agent | None) -> dict[str, str]:
    """E.164 where it is a number; one that was written without its country code is read in the agent's country."""
    region = agent.locale.rpartition("-")[2].upper() if agent and "-" in agent.locale else None
    return {
        "customer_number": e164(customer or "", region) or "",
        "customer_number_raw": customer or "",
        "agent_number": e164(agent_number or "", region) or agent_number or "",
    }
