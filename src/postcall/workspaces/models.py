"""The tenant, who may enter it, and what it sends by. Nothing crosses workspaces."""

from __future__ import annotations

import hashlib
import secrets
from datetime import time
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from postcall.ids import new_id

DEFAULT_WORKSPACE = "Default"
SAMPLE_WORKSPACE = "Sample"


class Workspace(models.Model):
    """A tenant, with the rules by which its texts leave."""

    class WhenUnconfirmed(models.TextChoices):
        RESEND = "resend_when_absent"
        HOLD = "hold"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=100)
    is_sample = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False, help_text="What the environment's account and keys are for.")
    created_at = models.DateTimeField(auto_now_add=True)
    checklist_dismissed = models.BooleanField(default=False)

    # Sending rules. A window of None..None: at any hour.
    window_start = models.TimeField(null=True, default=time(9))
    window_end = models.TimeField(null=True, default=time(20))
    valid_for_s = models.PositiveIntegerField(default=3600)
    max_per_number_per_day = models.PositiveIntegerField(null=True, default=5)
    max_messages_per_day = models.PositiveIntegerField(null=True, default=None)
    countries = ArrayField(models.CharField(max_length=2), null=True, default=None)
    unconfirmed = models.CharField(
        max_length=20, choices=WhenUnconfirmed.choices, default=WhenUnconfirmed.RESEND.value
    )
    retention_days = models.PositiveIntegerField(null=True, default=90)

    class Meta:
        db_table = "workspace"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(Lower("name"), name="workspace_name_once"),
            models.UniqueConstraint(
                fields=["is_default"], condition=models.Q(is_default=True), name="workspace_default_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class People(BaseUserManager["User"]):
    """Users by e-mail, upper and lower case alike."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save()
        return user


class User(AbstractBaseUser):
    """A person who signs in."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100, blank=True)
    is_active = models.BooleanField(default=True)
    signed_out_times = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[People] = People()
    USERNAME_FIELD = "email"

    class Meta:
        db_table = "person"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(Lower("email"), name="person_email_once")
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """As Django's, which ends all sessions with a new password; also with another `signed_out_times`."""
        own = f"{self.password}:{self.signed_out_times}"
        return salted_hmac("postcall.session", own, secret=secret, algorithm="sha256").hexdigest()


class Membership(models.Model):
    """What a person may do in a workspace."""

    class Role(models.TextChoices):
        OWNER = "owner"
        EDITOR = "editor"
        VIEWER = "viewer"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    seen_at = models.DateTimeField(null=True, help_text="To a few minutes.")

    class Meta:
        db_table = "membership"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["workspace", "user"], name="membership_once")
        ]


class Invitation(models.Model):
    """An open invitation: whoever has its link and goes by its e-mail address may become a member. Accepted or
    revoked, it is deleted; the audit log tells of it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Membership.Role.choices)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "invitation"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("workspace", Lower("email"), name="invitation_once")
        ]


class ApiKey(models.Model):
    """A key for programs. Only its hash is kept: it is shown once, when it is made."""

    class Scope(models.TextChoices):
        READ = "read"
        INGEST = "ingest"
        ADMIN = "admin"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=Scope.choices)
    hint = models.CharField(max_length=12, help_text="The key's beginning, to tell keys apart.")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "api_key"

    @staticmethod
    def digest_of(key: str) -> str:
        """A plain hash suffices: the keys that we make carry 256 bits of randomness."""
        return hashlib.sha256(key.encode()).hexdigest()

    @classmethod
    def issue(cls, workspace: Workspace, name: str, scope: str, key: str | None = None) -> tuple[ApiKey, str]:
        """Makes a key (or records the given one) and returns it beside its row, for this once."""
        key = key or f"pc_{secrets.token_urlsafe(32)}"
        row = cls.objects.create(
            workspace=workspace, name=name, scope=scope, hint=key[:7], digest=cls.digest_of(key)
        )
        return row, key


class AuditEntry(models.Model):
    """Who changed what. Only ever added: the table itself refuses to change or delete one.

    `workspace` None: of the deployment. The names are those of that moment. `changes` is by field [before, after],
    or "changed" where neither is to be seen.
    """

    class Actor(models.TextChoices):
        USER = "user"
        KEY = "key"
        CLI = "cli"
        SYSTEM = "system"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField()
    workspace = models.ForeignKey(Workspace, models.PROTECT, null=True, related_name="+")
    actor_kind = models.CharField(max_length=10, choices=Actor.choices)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=254)
    verb = models.CharField(max_length=40)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(max_length=254, blank=True)
    changes = models.JSONField(default=dict)

    class Meta:
        db_table = "audit_entry"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["workspace", "id"], name="audit_entry_of_workspace")
        ]
