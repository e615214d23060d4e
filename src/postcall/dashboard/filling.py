"""An action's words with values in them, as one's own phone is to show them."""

from __future__ import annotations

from postcall.actions.bindings import BINDINGS
from postcall.actions.message import PLACEHOLDER, inputs_of
from postcall.actions.models import Action, Attachment
from postcall.calls.models import Call
from postcall.dashboard.access import Visit
from postcall.followups.compose import Filled, compose, in_place
from postcall.followups.facts import facts_of
from postcall.followups.models import FollowUp
from postcall.followups.sampling import samples_for
from postcall.followups.snapshot import agent_as_it_is


def filled(visit: Visit, action: Action | None, message: str, call: Call | None) -> str:
    """`message` with the values that it was, or would be, filled with for `call`, and with samples where that has
    none; with samples alone without a call."""
    names = inputs_of(message)
    agent = call.agent if call else None
    samples = samples_for(visit.workspace, action, names, agent.business_name if agent else "")
    values = {name: sample.value for name, sample in samples.items()}
    if call is not None and action is not None:
        values |= {name: value for name, value in _of_call(visit, action, message, call).items() if name in values}
    return PLACEHOLDER.sub(lambda found: in_place(values[found[1]], message[found.end() :]), message).strip()


def _of_call(visit: Visit, action: Action, message: str, call: Call) -> dict[str, str]:
    """What the call's own follow-up held; else what the bindings of its agent, or of another that uses the action,
    find in it. Nothing is asked of a judge."""
    follow_up = visit.rows(FollowUp).filter(call=call, action=action).first()
    if follow_up is not None and follow_up.inputs:
        return {name: str(each["value"]) for name, each in follow_up.inputs.items() if each.get("value")}
    attachments = visit.rows(Attachment).filter(action=action, deleted_at=None).select_related("agent")
    attachment = attachments.filter(agent=call.agent_id).first() or attachments.first()
    if attachment is None:
        return {}
    bindings = BINDINGS.validate_python(attachment.inputs)
    composed = compose(message, bindings, facts_of(call), agent_as_it_is(attachment.agent), {})
    return {name: each.value for name, each in composed.inputs.items() if isinstance(each, Filled)}
