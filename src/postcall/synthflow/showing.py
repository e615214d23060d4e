"""Our actions and agents as Synthflow's API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from postcall.actions.bindings import BINDINGS, Ask, Binding
from postcall.actions.models import Action, Attachment
from postcall.agents.models import Agent
from postcall.synthflow.editing import model_id_of
from postcall.synthflow.mappings import entry_of

ACTION_TYPE: Final = "SEND_SMS"


def shown_action(action: Action) -> dict[str, Any]:
    """As in a list. `description` is the condition; empty: it goes out after every call."""
    assert action.revision is not None
    return {
        "action_id": str(action.pk),
        "action_type": ACTION_TYPE,
        "name": action.name,
        "description": action.revision.condition,
        "parameters_hard_coded": {"sms_message_text": action.revision.message},
    }


def detailed_action(action: Action, attachments: Iterable[Attachment]) -> dict[str, Any]:
    """By itself. `attachments`: those to tell of, with their agents and those's external ids; none, unless asked
    for."""
    assert action.revision is not None
    inputs = action.revision.inputs
    bindings = [(each, BINDINGS.validate_python(each.inputs)) for each in attachments]
    return shown_action(action) | {
        "assistants": [model_id_of(each.agent) for each, _ in bindings],
        "input_variables": {
            "values": [_variable(name, [found for _, found in bindings]) for name in inputs],
            "assistants": [
                {
                    "model_id": model_id_of(each.agent),
                    "attachment_type": "after",
                    "input_variables_mapping": [entry_of(name, found[name]) for name in inputs if name in found],
                }
                for each, found in bindings
            ],
        },
    }


def shown_agent(agent: Agent) -> dict[str, Any]:
    """Postcall does not know whether it makes calls or takes them, so that there is no `type`."""
    living = [each for each in agent.attachments.all() if each.deleted_at is None]
    return {
        "model_id": model_id_of(agent),
        "name": agent.name,
        "timezone": agent.timezone,
        "actions": [str(each.action_id) for each in living],
        "input_variables": [],
    }


def _variable(name: str, bindings: Iterable[dict[str, Binding]]) -> dict[str, str]:
    asked = [found[name] for found in bindings if isinstance(found.get(name), Ask)]
    told = asked[0] if asked and isinstance(asked[0], Ask) else None
    return {
        "name": name,
        "type": "string",
        "description": told.description if told else "",
        "example": told.example if told else "",
    }
