"""Actions that several people edit, archive and restore."""

from __future__ import annotations

import pytest

from postcall.actions.editing import (
    ActionContent,
    Archived,
    ChangedMeanwhile,
    content_of,
    create_action,
    delete_action,
    restore_action,
    update_action,
)
from postcall.actions.models import Action
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
THANKS = ActionContent(name="Thanks", message="Thanks!", always=True)
BYE = ActionContent(name="Thanks", message="Bye!", always=True)


@pytest.fixture
def action() -> Action:
    return create_action(Workspace.objects.create(name="Northgate Clinic"), THANKS)


def test_it_saves_over_nothing_that_the_editor_has_not_seen(action: Action) -> None:
    seen = Action.objects.get().updated_at
    update_action(action, BYE, seen=seen)
    with pytest.raises(ChangedMeanwhile) as refusal:
        update_action(action, THANKS, seen=seen)
    assert refusal.value.action.revision is not None
    assert refusal.value.action.revision.message == "Bye!"


def test_it_sees_a_new_name_as_well(action: Action) -> None:
    seen = Action.objects.get().updated_at
    update_action(action, THANKS.model_copy(update={"name": "Thank you"}))
    with pytest.raises(ChangedMeanwhile):
        update_action(action, BYE, seen=seen)


def test_it_changes_no_archived_action(action: Action) -> None:
    delete_action(action)
    with pytest.raises(Archived):
        update_action(action, BYE)
    restore_action(action)
    assert update_action(action, BYE).deleted_at is None


def test_it_says_what_a_revision_said(action: Action) -> None:
    assert action.revision is not None
    assert content_of(action, action.revision) == THANKS
