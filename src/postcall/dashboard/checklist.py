"""The steps from an empty workspace to its first text, each of which sees for itself that it is done."""

from __future__ import annotations

from dataclasses import dataclass

from postcall.actions.models import Attachment
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.dashboard.access import Visit
from postcall.messages.models import Account, SendingAccount
from postcall.sources.models import Source
from postcall.workspaces.models import ApiKey


@dataclass(frozen=True)
class Step:
    title: str
    words: str
    button: str
    link: str
    done: bool


def checklist(visit: Visit) -> list[Step]:
    """Empty where there is nothing left to do, where it was dismissed, and for who could do none of it."""
    workspace = visit.workspace
    if workspace.is_sample or workspace.checklist_dismissed or not visit.may_act:
        return []
    steps = _steps(visit)
    return [] if all(step.done for step in steps) else steps


def _steps(visit: Visit) -> list[Step]:
    called = visit.rows(Call).exists()
    real = visit.rows(SendingAccount).exclude(account__kind=Account.Kind.SANDBOX).exists()
    agents = visit.rows(Agent).filter(deleted_at=None)
    attached = visit.rows(Attachment).filter(deleted_at=None)
    first = agents.order_by("pk").first()
    return [
        Step(
            "Connect Twilio",
            "Until then no text reaches a phone.",
            "Connect Twilio",
            visit.to("settings-twilio"),
            real,
        ),
        Step(
            "Connect a voice platform",
            "It tells Postcall when a call ends.",
            "Connect",
            visit.to("settings-platforms"),
            called or _is_connected(visit),
        ),
        Step(
            "Add your first agent",
            "Name the voice agent whose calls should be followed up.",
            "Add an agent",
            visit.to("agent-new"),
            first is not None,
        ),
        Step(
            "Attach your first action",
            "Say what to text and when, then attach it to the agent.",
            "Attach an action",
            visit.to("agent-actions", first.pk) if first else visit.to("actions"),
            attached.exists(),
        ),
        Step(
            "Take your first call",
            "Call your agent and hang up: the call appears here within seconds.",
            "Watch for it",
            visit.to("calls"),
            called,
        ),
    ]


def _is_connected(visit: Visit) -> bool:
    """By a platform's address, or by a program that has used its key."""
    if visit.rows(Source).filter(deleted_at=None).exists():
        return True
    keys = visit.rows(ApiKey).filter(revoked_at=None, last_used_at__isnull=False)
    return keys.exclude(scope=ApiKey.Scope.READ).exists()
