"""The Twilio accounts that workspaces send by: immutable versions, and which of them is in force."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from postcall.config import config
from postcall.followups.models import FollowUp, Reason
from postcall.messages.models import Account, Message, SendingAccount
from postcall.messages.pausing import forgive
from postcall.messages.waiting import bring_forward
from postcall.work import clock
from postcall.workspaces.models import Workspace

SANDBOX_URL = "sandbox"  # resolved when it is used: the stand-in may be at another address after every start
MOST_KEPT = 1000
SANDBOX_NUMBER = "+15005550006"
NOT_SHARED = "this deployment has no shared Twilio account: TWILIO_ACCOUNT_SID is not set"
# Reasons that end by themselves once the workspace has an account that works.
HELD_FOR_ACCOUNT = (Reason.SENDER_PAUSED.value, Reason.MESSAGING_NOT_CONFIGURED.value)

# A change in any of these makes another version.
_CONTENT = (
    "kind",
    "account_sid",
    "auth_token",
    "api_key_sid",
    "api_key_secret",
    "from_number",
    "messaging_service_sid",
    "api_url",
)


class AccountError(Exception):
    """The account cannot be used; the message says why.

    AccountError
      ├─ NoSharedAccount   the deployment has no shared account
      └─ SecretMissing     an account was named without the secret that goes with it
    """


class NoSharedAccount(AccountError):
    pass


class SecretMissing(AccountError):
    pass


_versions: dict[UUID, Account] = {}


def account_with(pk: UUID) -> Account:
    """One version of an account. It never changes, so a process reads and decrypts it once."""
    account = _versions.get(pk)
    if account is None:
        account = Account.objects.get(pk=pk)
        if len(_versions) >= MOST_KEPT:
            _versions.clear()
        _versions[pk] = account
    return account


def proven_alike(account: Account) -> list[UUID]:
    """Every version that is surely the same Twilio account: its SID, by the same auth token or of the same owner.

    A SID alone proves nothing: whoever has a workspace may save anybody's, with a token of their own making.
    """
    alike = Account.objects.filter(account_sid=account.account_sid)
    return [other.pk for other in alike if is_proven_alike(account, other)]


def is_proven_alike(one: Account, other: Account) -> bool:
    if one.account_sid != other.account_sid:
        return False
    same_owner = one.workspace_id == other.workspace_id
    return same_owner or hmac.compare_digest(one.auth_token.encode(), other.auth_token.encode())


def sending_account(workspace_id: UUID) -> SendingAccount | None:
    """What the workspace sends by now, with its account; None: it sends nothing."""
    return SendingAccount.objects.select_related("account").filter(workspace_id=workspace_id).first()


def account_of(workspace_id: UUID) -> Account | None:
    """The account alone; its versions never change, so only which one it is is read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT account_id FROM sending_account WHERE workspace_id = %s", [workspace_id])
        row = cursor.fetchone()
    return account_with(row[0]) if row else None


def shared_account() -> Account | None:
    """The deployment's shared account in force; None when TWILIO_* is not set."""
    if config().twilio_account_sid is None:
        return None
    return Account.objects.filter(workspace=None, kind=Account.Kind.SHARED).order_by("-id").first()


@transaction.atomic
def ensure_shared_account() -> Account | None:
    """Brings the shared account in line with TWILIO_*: another version only when something changed.

    Workspaces on the shared account follow it; when TWILIO_* is gone, they have none.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('postcall shared account'))")
    followers = SendingAccount.objects.filter(account__kind=Account.Kind.SHARED)
    wanted = _shared_from_config()
    if wanted is None:
        followers.delete()
        return None
    account = _version(wanted)
    for workspace_id in list(followers.exclude(account=account).values_list("workspace_id", flat=True)):
        _point(workspace_id, account, chosen=None)
    return account


def _shared_from_config() -> Account | None:
    given = config()
    if given.twilio_account_sid is None or given.twilio_auth_token is None:
        return None
    key_secret = given.twilio_api_key_secret
    return Account(
        kind=Account.Kind.SHARED,
        account_sid=given.twilio_account_sid,
        auth_token=given.twilio_auth_token.get_secret_value(),
        api_key_sid=given.twilio_api_key_sid or "",
        api_key_secret=key_secret.get_secret_value() if key_secret else "",
        from_number=given.twilio_from_number or "",
        messaging_service_sid=given.twilio_messaging_service_sid or "",
        api_url=given.twilio_api_url,
    )


@transaction.atomic
def settle_default_account(workspace: Workspace) -> SendingAccount:
    """What a workspace sends by when no owner chose: the sample workspace the sandbox, always; the default one
    the shared account when there is one, else the sandbox. Called at every start.
    """
    shared = ensure_shared_account()
    current = sending_account(workspace.pk)
    if workspace.is_sample:
        return current if current and current.account.kind == Account.Kind.SANDBOX else use_sandbox(workspace)
    if current and current.chosen:
        return current
    if shared is None:
        return current if current else use_sandbox(workspace, chosen=False)
    return current if current and current.account_id == shared.pk else _point(workspace.pk, shared, chosen=False)


@transaction.atomic
def use_own(
    workspace: Workspace,
    *,
    account_sid: str,
    auth_token: str | None = None,
    api_key_sid: str = "",
    api_key_secret: str | None = None,
    from_number: str = "",
    messaging_service_sid: str = "",
    api_url: str | None = None,
) -> SendingAccount:
    """The workspace sends by its own account. A secret of None keeps the stored one of the same SID.

    Raises SecretMissing when there is none to keep.
    """
    wanted = own_account(
        workspace,
        account_sid=account_sid,
        auth_token=auth_token,
        api_key_sid=api_key_sid,
        api_key_secret=api_key_secret,
        from_number=from_number,
        messaging_service_sid=messaging_service_sid,
        api_url=api_url,
    )
    return _point(workspace.pk, _version(wanted))


def own_account(
    workspace: Workspace,
    *,
    account_sid: str,
    auth_token: str | None = None,
    api_key_sid: str = "",
    api_key_secret: str | None = None,
    from_number: str = "",
    messaging_service_sid: str = "",
    api_url: str | None = None,
) -> Account:
    """The account that `use_own` would have the workspace send by, not stored. Raises SecretMissing."""
    before = latest_own(workspace)
    if auth_token is None:
        if before is None or before.account_sid != account_sid:
            raise SecretMissing("auth_token: enter it; it is not known for this account SID")
        auth_token = before.auth_token
    if api_key_sid and api_key_secret is None:
        if before is None or before.api_key_sid != api_key_sid:
            raise SecretMissing("api_key_secret: enter it; it is not known for this API key")
        api_key_secret = before.api_key_secret
    return Account(
        workspace=workspace,
        kind=Account.Kind.OWN,
        account_sid=account_sid,
        auth_token=auth_token,
        api_key_sid=api_key_sid,
        api_key_secret=(api_key_secret or "") if api_key_sid else "",
        from_number=from_number,
        messaging_service_sid=messaging_service_sid,
        api_url=api_url or config().twilio_api_url,
    )


def reaches_phones(workspace: Workspace) -> bool:
    """Whether its texts leave the house, or may once an account is set up: all but the sandbox's do."""
    current = sending_account(workspace.pk)
    return current is None or current.account.kind != Account.Kind.SANDBOX


def latest_own(workspace: Workspace) -> Account | None:
    """The workspace's own account as it was last saved, in force or not."""
    return Account.objects.filter(workspace=workspace, kind=Account.Kind.OWN).order_by("-id").first()


def stored_since(workspace: Workspace, secret: str) -> datetime | None:
    """When the present `secret` (a field) of the workspace's own account was first saved; None: there is none."""
    since = None
    newest = ""
    for version in Account.objects.filter(workspace=workspace, kind=Account.Kind.OWN).order_by("-id")[:MOST_KEPT]:
        value = getattr(version, secret)
        if not value or newest not in ("", value):
            break
        newest, since = value, version.created_at
    return since


@transaction.atomic
def use_shared(workspace: Workspace) -> SendingAccount:
    """The workspace sends by the deployment's shared account. Raises NoSharedAccount."""
    account = shared_account()
    if account is None:
        raise NoSharedAccount(NOT_SHARED)
    return _point(workspace.pk, account)


@transaction.atomic
def use_sandbox(workspace: Workspace, *, chosen: bool = True) -> SendingAccount:
    """The workspace sends through the stand-in; nothing leaves the house."""
    account = Account.objects.filter(workspace=workspace, kind=Account.Kind.SANDBOX).order_by("-id").first()
    if account is None:
        account = Account.objects.create(
            workspace=workspace,
            kind=Account.Kind.SANDBOX,
            account_sid=f"AC{secrets.token_hex(16)}",
            auth_token=secrets.token_hex(16),
            from_number=SANDBOX_NUMBER,
            api_url=SANDBOX_URL,
        )
    return _point(workspace.pk, account, chosen=chosen)


def _version(wanted: Account) -> Account:
    """The latest version when it says the same, else `wanted`, stored."""
    latest = Account.objects.filter(workspace=wanted.workspace, kind=wanted.kind).order_by("-id").first()
    if latest and all(getattr(latest, name) == getattr(wanted, name) for name in _CONTENT):
        return latest
    wanted.save(force_insert=True)
    return wanted


def _point(workspace_id: UUID, account: Account, *, chosen: bool | None = True) -> SendingAccount:
    """`chosen` None leaves whose choice it was."""
    changes: dict[str, Any] = {"account": account, "mended_at": clock.now()}
    if chosen is not None:
        changes["chosen"] = chosen
    sending, _ = SendingAccount.objects.update_or_create(workspace_id=workspace_id, defaults=changes)
    forgive(workspace_id)
    resume(workspace_id)
    return sending


def resume(workspace_id: UUID) -> int:
    """Makes what was held for want of a working account due at once; returns how many texts.

    The claim looks at each again: what still cannot go is held further, and what has expired is not sent.
    """
    return bring_forward(held_for_account(workspace_id))


def held_for_account(workspace_id: UUID) -> QuerySet[Message]:
    """The texts that wait for an account or a sender that works."""
    return Message.objects.filter(
        workspace_id=workspace_id,
        follow_up__outcome=FollowUp.Outcome.HELD,
        follow_up__reason__in=HELD_FOR_ACCOUNT,
    )
