"""What keeps texts from following an agent's calls, each with its mend."""

from __future__ import annotations

from dataclasses import dataclass

from postcall.actions.editing import unbound
from postcall.actions.models import Attachment
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.dashboard.access import Visit
from postcall.dashboard.views.agents.senders import sender_in_force


@dataclass(frozen=True)
class Lack:
    """`link` leads to the mend, which is called `button`."""

    title: str
    mend: str
    link: str
    button: str


def lacks_of(visit: Visit, agent: Agent) -> list[Lack]:
    setup, actions = visit.to("agent-setup", agent.pk), visit.to("agent-actions", agent.pk)
    found = []
    if not agent.external_ids.filter(live=True).exists():
        found.append(
            Lack(
                "No voice platform knows it",
                "Without a platform’s id no call finds it. Copy the id from your platform.",
                setup,
                "Add its id",
            )
        )
    attached = list(agent.attachments.filter(deleted_at=None).select_related("action__revision"))
    if not attached:
        found.append(Lack("Nothing follows its calls", "Attach an action, and map its inputs.", actions, "Add one"))
    elif all(each.mode == Attachment.Mode.OFF for each in attached):
        found.append(
            Lack("All its actions are off", "Its calls are logged, and nothing is sent.", actions, "To its actions")
        )
    found += [lack for each in attached if (lack := _unmapped(visit, each))]
    sender = sender_in_force(visit, agent)
    if sender.problem:
        found.append(Lack("Its texts cannot leave", sender.problem, sender.mend_link, sender.mend))
    if not visit.rows(Call).filter(agent=agent).exists():
        found.append(
            Lack(
                "It has never called",
                "Once a call of it ends, it stands below. Does its platform have Postcall’s address?",
                visit.to("settings-platforms"),
                "To the address",
            )
        )
    return found


def _unmapped(visit: Visit, attachment: Attachment) -> Lack | None:
    revision = attachment.action.revision
    missing = unbound(attachment, revision.inputs) if revision else []
    if not missing:
        return None
    names = ", ".join(f"<{name}>" for name in missing)
    come = "comes" if len(missing) == 1 else "come"
    address = f"{visit.to('agent-actions', attachment.agent_id)}?open={attachment.pk}"
    return Lack(f"{attachment.action.name} is not mapped", f"Say where {names} {come} from.", address, "Map it")
