"""What the environment settles at a start stands in the audit log too, once."""

import pytest

from postcall.bootstrap import ENVIRONMENT_KEY, default_workspace, own, sample_workspace, settle_key
from postcall.workspaces.models import AuditEntry

pytestmark = pytest.mark.django_db

KEY, OTHER = "pc_a_key_of_the_tests_only_0123456789", "pc_another_key_of_the_tests_0123456789"
EMAIL = "dana@northgate.example"


def told() -> list[tuple[str, str]]:
    entries = AuditEntry.objects.order_by("id")
    assert {entry.actor_kind for entry in entries} == {"system"}
    return [(entry.verb, entry.object_kind) for entry in entries]


def test_it_notes_the_environments_key_and_the_one_it_replaces() -> None:
    settle_key(default_workspace(), ENVIRONMENT_KEY, KEY)
    settle_key(default_workspace(), ENVIRONMENT_KEY, KEY)
    settle_key(default_workspace(), ENVIRONMENT_KEY, OTHER)
    assert told() == [("create", "workspace"), ("create", "key"), ("revoke", "key"), ("create", "key")]


def test_it_notes_the_environments_owner_and_their_new_password() -> None:
    own(EMAIL, "a-long-password-1")
    own(EMAIL, "a-long-password-1")
    own(EMAIL, "a-long-password-2")
    assert told() == [("create", "workspace"), ("create", "user"), ("update", "user")]
    assert AuditEntry.objects.order_by("-id")[0].changes == {"password": "changed"}


def test_it_notes_the_sample_workspace_once() -> None:
    own(EMAIL, "a-long-password-1")
    before = len(told())
    sample_workspace(KEY)
    made = told()[before:]
    assert sorted(made) == [("create", "key"), ("create", "user"), ("create", "workspace"), ("update", "twilio")]
    sample_workspace(KEY)
    assert len(told()) == before + 4
