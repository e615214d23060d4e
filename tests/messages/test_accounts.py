"""Twilio accounts are immutable versions; which one is in force changes, what began with another does not."""

from __future__ import annotations

import pytest

from postcall.config import config
from postcall.messages.accounts import (
    NoSharedAccount,
    SecretMissing,
    account_of,
    ensure_shared_account,
    settle_default_account,
    use_own,
    use_sandbox,
    use_shared,
)
from postcall.messages.models import Account, SendingAccount
from postcall.workspaces.models import Workspace

OWN = "AC" + "d" * 32


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="Default")


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A deployment with a shared account."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "e" * 32)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "token-1")
    monkeypatch.setenv("TWILIO_FROM_NUMBER", "+15005550006")
    config.cache_clear()
    yield monkeypatch  # type: ignore[misc]  # a fixture
    monkeypatch.undo()
    config.cache_clear()


def change(environment: pytest.MonkeyPatch, **values: str | None) -> None:
    for name, value in values.items():
        environment.setenv(name, value) if value else environment.delenv(name)
    config.cache_clear()


NO_TWILIO = dict.fromkeys(("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM_NUMBER"))


def test_a_default_workspace_sends_through_the_sandbox_until_there_is_an_account(workspace: Workspace) -> None:
    sending = settle_default_account(workspace)
    assert (sending.account.kind, sending.chosen) == ("sandbox", False)
    assert settle_default_account(workspace).account_id == sending.account_id


def test_a_default_workspace_sends_by_the_shared_account_once_there_is_one(
    workspace: Workspace, twilio: pytest.MonkeyPatch
) -> None:
    use_sandbox(workspace, chosen=False)
    assert settle_default_account(workspace).account.kind == "shared"


def test_a_start_does_not_undo_an_owners_choice(workspace: Workspace, twilio: pytest.MonkeyPatch) -> None:
    settle_default_account(workspace)
    use_sandbox(workspace)
    assert settle_default_account(workspace).account.kind == "sandbox"


def test_the_sample_workspace_never_leaves_the_sandbox(db: None, twilio: pytest.MonkeyPatch) -> None:
    sample = Workspace.objects.create(name="Sample", is_sample=True)
    ensure_shared_account()
    use_shared(sample)
    assert settle_default_account(sample).account.kind == "sandbox"


def test_the_shared_account_gets_a_version_only_when_something_changed(
    db: None, twilio: pytest.MonkeyPatch
) -> None:
    first = ensure_shared_account()
    assert ensure_shared_account() == first
    change(twilio, TWILIO_AUTH_TOKEN="token-2")
    second = ensure_shared_account()
    assert second is not None
    assert second != first
    assert list(Account.objects.order_by("id").values_list("auth_token", flat=True)) == ["token-1", "token-2"]


def test_workspaces_follow_the_shared_account(workspace: Workspace, twilio: pytest.MonkeyPatch) -> None:
    ensure_shared_account()
    use_shared(workspace)
    change(twilio, TWILIO_AUTH_TOKEN="token-2")
    ensure_shared_account()
    account = account_of(workspace.pk)
    assert account is not None
    assert account.auth_token == "token-2"
    assert SendingAccount.objects.get().chosen


def test_without_a_shared_account_nobody_sends_by_it(workspace: Workspace, twilio: pytest.MonkeyPatch) -> None:
    ensure_shared_account()
    use_shared(workspace)
    change(twilio, **NO_TWILIO)
    ensure_shared_account()
    assert account_of(workspace.pk) is None
    with pytest.raises(NoSharedAccount):
        use_shared(workspace)


def test_the_sandbox_account_stays_the_same(workspace: Workspace) -> None:
    first = use_sandbox(workspace).account
    use_own(workspace, account_sid=OWN, auth_token="one")
    assert use_sandbox(workspace).account == first


def test_a_changed_account_is_another_row(workspace: Workspace) -> None:
    first = use_own(workspace, account_sid=OWN, auth_token="one", from_number="+15005550006").account
    second = use_own(workspace, account_sid=OWN, from_number="+15005550007").account
    same = use_own(workspace, account_sid=OWN, from_number="+15005550007").account
    assert first != second == same
    assert second.auth_token == "one"
    first.refresh_from_db()
    assert first.from_number == "+15005550006"


def test_it_asks_for_the_secret_of_an_account_that_it_does_not_know(workspace: Workspace) -> None:
    with pytest.raises(SecretMissing, match="auth_token"):
        use_own(workspace, account_sid=OWN)
    use_own(workspace, account_sid=OWN, auth_token="one")
    with pytest.raises(SecretMissing, match="auth_token"):
        use_own(workspace, account_sid="AC" + "f" * 32)
    with pytest.raises(SecretMissing, match="api_key_secret"):
        use_own(workspace, account_sid=OWN, api_key_sid="SK" + "1" * 32)


def test_secrets_are_encrypted_at_rest(workspace: Workspace) -> None:
    from django.db import connection

    use_own(workspace, account_sid=OWN, auth_token="in the clear")
    with connection.cursor() as cursor:
        cursor.execute("SELECT auth_token FROM twilio_account")
        assert "in the clear" not in cursor.fetchone()[0]
