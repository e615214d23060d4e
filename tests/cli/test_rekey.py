"""`postcall rekey`, as the last step of changing POSTCALL_SECRET_KEY."""

import json
from typing import Any

import pytest

from postcall.sources.models import Source
from postcall.workspaces.models import AuditEntry, Workspace

from .conftest import Run

OLD, NEW = "the-old-key-of-the-tests-0123456789", "the-new-key-of-the-tests-0123456789"


@pytest.fixture
def source(db: None, settings: Any) -> Source:
    """Encrypted by the old key, which is not the newest any more."""
    home = Workspace.objects.create(name="Northgate Clinic")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []
    made = Source.objects.create(workspace=home, kind="generic", name="Desk", auth="a secret")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD, settings.SECRET_KEY]
    return made


def test_it_lets_the_old_key_be_dropped(on_database: Run, source: Source, settings: Any) -> None:
    told = json.loads(on_database("rekey", "--json").out)
    assert told["renewed"] >= 1
    settings.SECRET_KEY_FALLBACKS = []
    source.refresh_from_db()
    assert source.auth == "a secret"
    assert AuditEntry.objects.get(verb="rekey").changes["renewed"] == [None, told["renewed"]]


def test_it_says_which_secrets_no_key_opens(on_database: Run, source: Source, settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = []
    ended = on_database("rekey")
    assert ended.code == 1
    assert "source.auth (1)" in ended.err
    assert "Put the key that encrypted them back" in ended.err
