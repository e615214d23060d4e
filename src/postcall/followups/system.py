"""The facts about the call itself that a binding or a rule may name."""

from __future__ import annotations

from datetime import datetime

from postcall.followups.facts import CallFacts
from postcall.followups.snapshot import AgentAsItWas


def system_value(name: str, call: CallFacts, agent: AgentAsItWas) -> str | int | datetime | None:
    """A system variable of CONTRACT; None where the call does not tell. `call_id` is the platform's."""
    match name:
        case "call_id":
            return call.call_id
        case "customer_number":
            return call.customer_number or None
        case "agent_number":
            return call.agent_number or None
        case "from_number" | "to_number":
            return _end(name, call)
        case "direction":
            return call.direction or None
        case "started_at":
            return call.started_at
        case "ended_at":
            return call.ended_at
        case "duration_s":
            return _duration(call)
        case "agent_name":
            return agent.name or None
        case "business_name":
            return agent.business_name or None
    return None


def _end(name: str, call: CallFacts) -> str | None:
    if call.direction not in ("inbound", "outbound"):
        return None
    customer_called = call.direction == "inbound"
    return (call.customer_number if customer_called == (name == "from_number") else call.agent_number) or None


def _duration(call: CallFacts) -> int | None:
    if call.started_at is None or call.ended_at is None:
        return None
    return max(0, round((call.ended_at - call.started_at).total_seconds()))
