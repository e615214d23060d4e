"""What stands ready in a database before the first request: tables, the default workspace, who may sign in."""

from __future__ import annotations

from django.core.management import call_command
from django.db import connection

from postcall.config import config
from postcall.messages.accounts import settle_default_account, use_sandbox
from postcall.workspaces.models import DEFAULT_WORKSPACE, SAMPLE_WORKSPACE, ApiKey, Membership, User, Workspace

LOCAL_OWNER = "owner@localhost"


def prepare(local_owner_password: str | None = None) -> None:
    """Migrates and settles what the environment asks for; any number of processes may do so at once.

    `local_owner_password`: with the embedded database, the password of `owner@localhost`, who is made when the
    environment names no owner and nobody can sign in yet.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('postcall migrations'))")
        try:
            call_command("migrate", verbosity=0, interactive=False)
            _settle(local_owner_password)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('postcall migrations'))")


def _settle(local_owner_password: str | None) -> None:
    workspace, _ = Workspace.objects.get_or_create(name=DEFAULT_WORKSPACE)
    settle_default_account(workspace)
    environment = config()
    if environment.api_key:
        key = environment.api_key.get_secret_value()
        if not ApiKey.objects.filter(digest=ApiKey.digest_of(key)).exists():
            ApiKey.issue(workspace, "POSTCALL_API_KEY", ApiKey.Scope.ADMIN, key)
    if environment.admin_email and environment.admin_password:
        own(environment.admin_email, environment.admin_password.get_secret_value())
    elif local_owner_password and not User.objects.exclude(email=LOCAL_OWNER).exists():
        own(LOCAL_OWNER, local_owner_password)


def own(email: str, password: str) -> User:
    """Makes `email` an owner of every workspace that has none; the password is set as given, each time."""
    user = User.objects.filter(email__iexact=email).first() or User.objects.create_user(email, password)
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    for workspace in Workspace.objects.exclude(memberships__role=Membership.Role.OWNER):
        Membership.objects.get_or_create(workspace=workspace, user=user, defaults={"role": Membership.Role.OWNER})
    return user


def sample_workspace(api_key: str) -> tuple[Workspace, str]:
    """The sample workspace, which always sends through the sandbox, and a key to its API."""
    workspace, made = Workspace.objects.get_or_create(name=SAMPLE_WORKSPACE, defaults={"is_sample": True})
    if made:
        # A promotion among the samples is to be seen at any hour.
        workspace.window_start = workspace.window_end = None
        workspace.save(update_fields=["window_start", "window_end"])
    use_sandbox(workspace)
    if not ApiKey.objects.filter(digest=ApiKey.digest_of(api_key)).exists():
        ApiKey.issue(workspace, "sample calls", ApiKey.Scope.ADMIN, api_key)
    for owner in User.objects.filter(memberships__role=Membership.Role.OWNER).distinct():
        Membership.objects.get_or_create(workspace=workspace, user=owner, defaults={"role": Membership.Role.OWNER})
    return workspace, api_key
