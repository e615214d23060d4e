"""Attaching and changing at the same instant: nothing is attached twice, nothing live is left unbound."""

import contextlib
import threading
from collections.abc import Callable

import pytest
from django.db import connections

from postcall.actions.attaching import AlreadyAttached, AttachmentContent, attach
from postcall.actions.editing import (
    ActionContent,
    Archived,
    InputsUnbound,
    create_action,
    delete_action,
    unbound,
    update_action,
)
from postcall.actions.models import Action, Attachment
from postcall.agents.models import Agent
from postcall.workspaces.models import Workspace


def at_once(*pieces: Callable[[], object]) -> None:
    together = threading.Barrier(len(pieces))

    def run(piece: Callable[[], object]) -> None:
        together.wait()
        piece()
        connections.close_all()

    threads = [threading.Thread(target=run, args=(piece,)) for piece in pieces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def set_up() -> tuple[Agent, Action]:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    action = create_action(workspace, ActionContent(name="Thanks", message="Thanks!", always=True))
    return Agent.objects.create(workspace=workspace, name="Front desk"), action


@pytest.mark.django_db(transaction=True)
def test_it_attaches_once() -> None:
    agent, action = set_up()
    refused: list[Attachment] = []

    def one() -> None:
        try:
            attach(agent, action, AttachmentContent(action_id=action.pk))
        except AlreadyAttached as error:
            refused.append(error.attachment)

    at_once(one, one, one)
    assert refused == [Attachment.objects.get()] * 2


@pytest.mark.django_db(transaction=True)
def test_nothing_live_is_left_unbound() -> None:
    agent, action = set_up()
    changed = ActionContent(name="Thanks", message="Thanks, <name>!", always=True)

    def change() -> None:
        with contextlib.suppress(InputsUnbound):
            update_action(action, changed)

    at_once(change, lambda: attach(agent, action, AttachmentContent(action_id=action.pk)))
    attachment = Attachment.objects.select_related("action__revision").get()
    assert attachment.action.revision is not None
    assert attachment.mode == "off" or not unbound(attachment, attachment.action.revision.inputs)


@pytest.mark.django_db
def test_it_attaches_nothing_that_was_archived_meanwhile() -> None:
    agent, action = set_up()
    delete_action(Action.objects.get())
    with pytest.raises(Archived):
        attach(agent, action, AttachmentContent(action_id=action.pk))
