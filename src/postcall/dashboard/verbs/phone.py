"""A member's own phone: verifying it, forgetting it, and sending it a test."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from postcall.dashboard.access import Visit
from postcall.messages import own_phone
from postcall.messages.models import OwnPhone, OwnText
from postcall.messages.own_phone import Wrong
from postcall.messages.own_texts import Words, order
from postcall.workspaces.audit import Actor, Thing, record
from postcall.workspaces.models import Workspace


@transaction.atomic
def send_code(visit: Visit, workspace: Workspace, number: str, once: UUID) -> OwnText:
    """By the sender of `workspace`, one in which the person may act. Raises NotPossible."""
    text, new = own_phone.send_code(visit.person, workspace.pk, number, once)
    if new:
        record(workspace, Actor.of_person(visit.person), "send_code", Thing("phone", name=number))
    return text


@transaction.atomic
def verify(visit: Visit, typed: str) -> OwnPhone | Wrong:
    """Raises NotPossible. A wrong code costs a try, which stays."""
    found = own_phone.verify(visit.person, typed)
    if isinstance(found, OwnPhone):
        record(found.workspace_id, Actor.of_person(visit.person), "verify", Thing("phone", name=found.number))
    return found


@transaction.atomic
def remove(visit: Visit) -> bool:
    """Whether there was a number to forget."""
    phone = own_phone.remove(visit.person)
    if phone is None:
        return False
    record(phone.workspace_id, Actor.of_person(visit.person), "remove", Thing("phone", name=phone.number))
    return True


@transaction.atomic
def send_test(visit: Visit, words: Words, once: UUID) -> OwnText:
    """Raises NotPossible."""
    text, new = order(visit.person, visit.workspace.pk, words, once)
    if new:
        visit.record("send_test", Thing("own_text", text.pk, words.action.name if words.action else ""))
    return text
