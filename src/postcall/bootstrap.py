"""What stands ready in a database before the first request: tables, the default workspace, who may sign in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from typing import Final

import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from postcall.config import config
from postcall.messages.accounts import sending_account, settle_default_account
from postcall.workspaces.audit import CHANGED, SYSTEM, Actor, Thing, record
from postcall.workspaces.claim import fits
from postcall.workspaces.members import rename
from postcall.workspaces.models import DEFAULT_WORKSPACE, SAMPLE_WORKSPACE, ApiKey, Membership, User, Workspace
from postcall.workspaces.scope import locked

LOCAL_OWNER: Final = "owner@localhost"
ENVIRONMENT_KEY: Final = "POSTCALL_API_KEY"
SAMPLE_KEY: Final = "sample calls"
LOCK_PAUSE_S: Final = 0.2

log = structlog.get_logger(__name__)


class AlreadyClaimed(Exception):
    """Somebody can sign in already."""


def prepare() -> None:
    """Migrates and settles what the environment asks for; any number of processes may do so at once."""
    with _only_one():
        if config().notify:  # a pooler's connection is left as it is
            # A migration may think for longer between two statements than any other transaction.
            with connection.cursor() as cursor:
                cursor.execute("SET idle_in_transaction_session_timeout = 0")
        try:
            call_command("migrate", verbosity=0, interactive=False)
            _settle()
        finally:
            if config().notify:
                with connection.cursor() as cursor:
                    cursor.execute("RESET idle_in_transaction_session_timeout")


@contextmanager
def _only_one() -> Iterator[None]:
    """While no other process does the same: by a transaction of a connection of its own, which a pooler that hands
    connections out a transaction at a time leaves together. Who waits holds none."""
    own = connection.copy()
    try:
        own.set_autocommit(False)
        while not _locked(own):
            own.rollback()
            time.sleep(LOCK_PAUSE_S)
        yield
    finally:
        own.close()


def _locked(own: BaseDatabaseWrapper) -> bool:
    with own.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('postcall migrations'))")
        return bool(cursor.fetchone()[0])


def _settle() -> None:
    workspace = default_workspace()
    _settle_account(workspace)
    environment = config()
    if environment.api_key:
        settle_key(workspace, ENVIRONMENT_KEY, environment.api_key.get_secret_value())
    if environment.admin_email and environment.admin_password:
        own(environment.admin_email, environment.admin_password.get_secret_value())


@transaction.atomic
def _settle_account(workspace: Workspace) -> None:
    before = sending_account(workspace.pk)
    after = settle_default_account(workspace)
    if before is None or before.account_id != after.account_id:
        told = [f"{each.account.kind} {each.account.account_sid}" if each else None for each in (before, after)]
        record(workspace, SYSTEM, "update", Thing("twilio"), {"account": told})


@transaction.atomic
def default_workspace() -> Workspace:
    """The workspace that the environment's account and keys are for, whatever its name is by now."""
    found = Workspace.objects.filter(is_default=True).first()
    if found is not None:
        return found
    named = Workspace.objects.filter(name__iexact=DEFAULT_WORKSPACE).first()
    if named is None:
        return _make(Workspace(name=DEFAULT_WORKSPACE, is_default=True))
    named.is_default = True  # made before a default workspace could be renamed
    named.save(update_fields=["is_default"])
    return named


def is_unclaimed() -> bool:
    """Whether nobody can sign in yet."""
    return not User.objects.exists()


def opens_unclaimed(token: str) -> bool:
    """Whether the token of a set-up link is this instance's, and nobody can sign in yet."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return is_unclaimed() and fits(token, keys, str(default_workspace().pk))


@transaction.atomic
def claim(email: str, password: str, name: str, workspace_name: str) -> User:
    """Makes the first person, an owner of the default workspace, which is called `workspace_name` from now on, and
    of the sample workspace where there is one.

    Raises AlreadyClaimed, and CannotChange about the workspace's name.
    """
    workspace = locked(default_workspace())
    if not is_unclaimed():
        raise AlreadyClaimed
    before = workspace.name
    rename(workspace, workspace_name)
    person = User.objects.create_user(email, password, name=name)
    for each in (default_workspace(), _sample()):
        if each is not None:
            _make_owner(each, person, Actor.of_person(person))
    if before != workspace_name:
        thing = Thing("workspace", workspace.pk, workspace_name)
        record(workspace, Actor.of_person(person), "update", thing, {"name": [before, workspace_name]})
    return person


def local_owner(password: str) -> None:
    """With the embedded database: makes `owner@localhost` where nobody can sign in yet."""
    with transaction.atomic():
        locked(default_workspace())
        if is_unclaimed():
            own(LOCAL_OWNER, password)


def _make(workspace: Workspace) -> Workspace:
    workspace.save(force_insert=True)
    record(workspace, SYSTEM, "create", Thing("workspace", workspace.pk, workspace.name))
    return workspace


@transaction.atomic
def settle_key(workspace: Workspace, name: str, key: str) -> None:
    """`key` is the workspace's one living admin key of this name: what it replaces is revoked. A key that
    somebody revoked stays so."""
    digest = ApiKey.digest_of(key)
    for old in ApiKey.objects.filter(workspace=workspace, name=name, revoked_at=None).exclude(digest=digest):
        old.revoked_at = timezone.now()
        old.save(update_fields=["revoked_at"])
        record(workspace, SYSTEM, "revoke", _key(old))
    row = ApiKey.objects.filter(digest=digest).first()
    if row is None:
        row, _ = ApiKey.issue(workspace, name, ApiKey.Scope.ADMIN, key)
        record(workspace, SYSTEM, "create", _key(row), {"scope": [None, row.scope]})
    elif row.revoked_at is not None:
        log.warning("api key was revoked and stays so: make another", name=name, hint=row.hint)


def _key(row: ApiKey) -> Thing:
    return Thing("key", row.pk, f"{row.name} ({row.hint}…)")


@transaction.atomic
def own(email: str, password: str) -> User:
    """Makes `email` an owner of the default workspace, and of the sample workspace where there is one; the
    password is set as given, each time."""
    user = User.objects.filter(email__iexact=email).first() or User.objects.create_user(email, password)
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
        record(default_workspace(), SYSTEM, "update", _person(user), {"password": CHANGED})
    for workspace in (default_workspace(), _sample()):
        if workspace is not None:
            _make_owner(workspace, user)
    return user


def _person(user: User) -> Thing:
    return Thing("user", user.pk, user.email)


def _make_owner(workspace: Workspace, user: User, actor: Actor = SYSTEM) -> None:
    before = Membership.objects.filter(workspace=workspace, user=user).values_list("role", flat=True).first()
    if before == Membership.Role.OWNER:
        return
    Membership.objects.update_or_create(workspace=workspace, user=user, defaults={"role": Membership.Role.OWNER})
    told = {"role": [before, Membership.Role.OWNER.value]}
    record(workspace, actor, "update" if before else "create", _person(user), told)


@transaction.atomic
def sample_workspace(api_key: str) -> tuple[Workspace, str]:
    """The sample workspace, which always sends through the sandbox, and a key to its API. The default workspace's
    owners own it too."""
    workspace = _sample() or _new_sample()
    _settle_account(workspace)
    settle_key(workspace, SAMPLE_KEY, api_key)
    for membership in default_workspace().memberships.filter(role=Membership.Role.OWNER):
        if not workspace.memberships.filter(user=membership.user_id).exists():
            _make_owner(workspace, membership.user)
    return workspace, api_key


def _sample() -> Workspace | None:
    return Workspace.objects.filter(is_sample=True).order_by("created_at").first()


def _new_sample() -> Workspace:
    """Under a name that no tenant has."""
    names = chain(
        (SAMPLE_WORKSPACE, f"{SAMPLE_WORKSPACE} calls"), (f"{SAMPLE_WORKSPACE} calls {n}" for n in count(2))
    )
    name = next(each for each in names if not Workspace.objects.filter(name__iexact=each).exists())
    # A promotion among the samples is to be seen at any hour.
    return _make(Workspace(name=name, is_sample=True, window_start=None, window_end=None))
