"""What is left to forget, and what a restored database must not send again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from postcall.ids import new_id
from postcall.messages.models import Account, Message
from postcall.work.models import Due
from postcall.workspaces.encryption import EncryptedField
from postcall.workspaces.models import Workspace


class Erasure(Due):
    """One person's wish to be forgotten. Due: until nothing of theirs is on its way any more.

    `workspace` None: in all of them. Until it is done `number` (E.164) says whose data is still to be taken out;
    then it is empty. `counts` says how much was, `waits_for` names the rows that it waits for ("message <id>").
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, null=True, related_name="+")
    number = EncryptedField(blank=True)
    counts = models.JSONField(default=dict)
    waits_for = models.JSONField(default=list)
    requested_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "erasure"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="erasure_due")
        ]


class Redaction(Due):
    """One text that Twilio still has to forget. Due: until Twilio has.

    `account` is the one that the text was sent by. Without `sid` it has to be looked for in Twilio's list first:
    `number` and `body` name a text of which it is not known whether it was sent, `number` alone what its owner
    texted to us. Both are emptied in the end.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    erasure = models.ForeignKey(Erasure, models.CASCADE, related_name="redactions")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    sid = models.CharField(max_length=34, blank=True)
    number = EncryptedField(blank=True)
    body = EncryptedField(blank=True)
    since = models.DateTimeField(help_text="When the text was handed to Twilio.")
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=255, blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "redaction"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["account", "sid"], condition=~Q(sid=""), name="redaction_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="redaction_due")
        ]


class Restoration(models.Model):
    """This database was restored from a backup: what happened after `taken_at` is unknown to its rows.

    The claim of a text reads it (`messages/claim.py`): before the first text of a call from before `restored_at`
    goes out, Twilio's list is looked through for it, and while `resumed_at` is None nothing goes out at all.
    """

    id = models.BigAutoField(primary_key=True)
    taken_at = models.DateTimeField()
    restored_at = models.DateTimeField()
    resumed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "restoration"


class Sought(models.Model):
    """A message that was looked for in Twilio's list after a restoration, and which restoration that was."""

    message = models.OneToOneField(Message, models.CASCADE, primary_key=True, related_name="+")
    restoration = models.ForeignKey(Restoration, models.CASCADE, related_name="+")

    class Meta:
        db_table = "restoration_sought"
