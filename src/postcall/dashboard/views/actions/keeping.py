"""Duplicating, archiving and restoring."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from postcall.dashboard.access import Visit, actor
from postcall.dashboard.verbs import actions as verbs
from postcall.dashboard.views.actions.finding import attached, found


@require_POST
@actor
def duplicate(visit: Visit, action_id: UUID) -> HttpResponse:
    made = verbs.duplicate(visit, found(visit, action_id))
    flashes.success(visit.request, f"“{made.name}” is made. It is attached to no agent yet.")
    return redirect(visit.to("action", made.pk))


@require_POST
@actor
def archive(visit: Visit, action_id: UUID) -> HttpResponse:
    action = found(visit, action_id)
    if action.deleted_at is None:
        verbs.archive(visit, action)
        flashes.success(visit.request, f"“{action.name}” is archived. {_lost(len(attached(action)))}")
    return visit.back(visit.to("actions"))


def _lost(agents: int) -> str:
    if not agents:
        return "No agent used it."
    return f"{agents} agent{'' if agents == 1 else 's'} no longer {'uses' if agents == 1 else 'use'} it."


@require_POST
@actor
def restore(visit: Visit, action_id: UUID) -> HttpResponse:
    action = found(visit, action_id)
    if action.deleted_at is not None:
        verbs.restore(visit, action)
        flashes.success(visit.request, f"“{action.name}” is back, attached to no agent.")
    return redirect(visit.to("action", action.pk))
