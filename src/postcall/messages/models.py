"""The text of a follow-up, every try at handing it to Twilio, and everything heard about it since."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from postcall.followups.models import FollowUp
from postcall.ids import new_id
from postcall.work.models import Due
from postcall.workspaces.encryption import EncryptedField
from postcall.workspaces.models import User, Workspace


def new_token() -> str:
    return secrets.token_urlsafe(24)


class Account(models.Model):
    """One version of a Twilio account: immutable, so that attempts, listings and signature checks keep using
    the account they began with. `workspace` None: the deployment's shared account."""

    class Kind(models.TextChoices):
        OWN = "own"
        SHARED = "shared"
        SANDBOX = "sandbox"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, null=True, related_name="twilio_accounts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    account_sid = models.CharField(max_length=34)
    auth_token = EncryptedField()
    api_key_sid = models.CharField(max_length=34, blank=True)
    api_key_secret = EncryptedField(blank=True)
    from_number = models.CharField(max_length=20, blank=True)
    messaging_service_sid = models.CharField(max_length=34, blank=True)
    api_url = models.CharField(max_length=255)
    inbound_token = models.CharField(max_length=64, unique=True, default=new_token)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "twilio_account"


class SendingAccount(models.Model):
    """The account that a workspace sends by now. No row: it sends nothing (`messaging_not_configured`).

    `mended_at` is when an owner last saved it, or a check found it well: what an attempt begun before that ran into
    says nothing of it any more.
    """

    workspace = models.OneToOneField(Workspace, models.CASCADE, primary_key=True, related_name="sending_account")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    chosen = models.BooleanField(default=False, help_text="An owner chose it: the next start leaves it alone.")
    mended_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "sending_account"


class RefusedSender(models.Model):
    """A sender that Twilio refuses at present for its own sake and not for a text's; `sender` is its number, short
    code, name or messaging service, or empty: the account as a whole.

    `attempts` are those refused in a row, with none in between that went. `paused_at` set: nothing is sent by it
    until it is mended (`postcall.messages.pausing`).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    sender = models.CharField(max_length=34, blank=True)
    attempts = ArrayField(models.UUIDField(), default=list)
    code = models.IntegerField(help_text="What Twilio refused it with, the last time.")
    paused_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "refused_sender"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["workspace", "account", "sender"], name="refused_sender_once")
        ]


class Message(Due):
    """The SMS of a follow-up. Due: it waits to be claimed and sent.

    `from_number` and `messaging_service_sid` are what it was sent by, or was to be when it was decided about: every
    attempt takes the sender of its own time.

    `attempts_made` is the number of the latest attempt (0: none yet); an operator's resend compares and swaps
    on it. `valid_until` bounds sending: past it the follow-up expires. `price` is of all its attempts together.
    """

    class Status(models.TextChoices):
        SCHEDULED = "scheduled"
        QUEUED = "queued"
        SENDING = "sending"
        ACCEPTED = "accepted"
        SENT = "sent"
        DELIVERED = "delivered"
        UNDELIVERED = "undelivered"
        FAILED = "failed"
        UNCONFIRMED = "unconfirmed"
        CANCELED = "canceled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="messages")
    follow_up = models.OneToOneField(FollowUp, models.CASCADE, related_name="message")
    to = models.CharField(max_length=20)
    from_number = models.CharField(max_length=20, blank=True)
    messaging_service_sid = models.CharField(max_length=34, blank=True)
    body = models.TextField()
    encoding = models.CharField(max_length=5)
    segments = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED.value)
    sid = models.CharField(max_length=34, blank=True)
    price = models.DecimalField(max_digits=10, decimal_places=5, null=True)
    price_unit = models.CharField(max_length=3, blank=True)
    error_code = models.IntegerField(null=True)
    error_message = models.TextField(blank=True)
    attempts_made = models.PositiveSmallIntegerField(default=0)
    send_tries = models.PositiveSmallIntegerField(
        default=0, help_text="Refusals (429, no connection) since the last accepted try; sets the backoff."
    )
    next_by = models.CharField(max_length=10, default="postcall", help_text="Who asked for the next attempt.")
    valid_until = models.DateTimeField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)
    sent_at = models.DateTimeField(null=True, help_text="When it left, or may have left.")

    class Meta:
        db_table = "message"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="message_due"),
            models.Index(fields=["workspace", "-id"], name="message_log"),
            models.Index(fields=["workspace", "to", "created_at"], name="message_number"),
            models.Index(fields=["workspace", "sent_at"], condition=Q(sent_at__isnull=False), name="message_left"),
        ]


class Attempt(Due):
    """One try at handing a message to Twilio. Due: at its lease's end while `sending`, at the next reading of
    Twilio's list while `unconfirmed`, at the next poll while its message may still move.

    `open` until it is over for good, or given up and left to the operator (`unconfirmed` and closed); a message
    has one open attempt at most. `token` stands in the attempt's
    own StatusCallback address, so a signed callback proves which attempt it speaks of. `provisional`: its SID
    was found in Twilio's list, not told to us; a response or callback for that SID evicts it.
    """

    class Status(models.TextChoices):
        SENDING = "sending"
        ACCEPTED = "accepted"
        SENT = "sent"
        DELIVERED = "delivered"
        UNDELIVERED = "undelivered"
        FAILED = "failed"
        CANCELED = "canceled"
        UNCONFIRMED = "unconfirmed"
        REFUSED = "refused"  # Twilio said no, or was not reached: surely nothing was sent
        ABSENT = "absent"  # the lists prove that nothing was sent

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    token = models.CharField(max_length=64, unique=True, default=new_token)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    account_sid = models.CharField(max_length=34)
    to = models.CharField(max_length=20)
    body_digest = models.CharField(max_length=64)
    sid = models.CharField(max_length=34, blank=True)
    provisional = models.BooleanField(default=False)
    open = models.BooleanField(default=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.SENDING.value)
    by = models.CharField(max_length=10, default="postcall")
    error_code = models.IntegerField(null=True)
    error_message = models.TextField(blank=True)
    price = models.DecimalField(max_digits=10, decimal_places=5, null=True, help_text="Each attempt is billed.")
    price_unit = models.CharField(max_length=3, blank=True, default="", db_default="")
    candidates = ArrayField(
        models.CharField(max_length=34),
        default=list,
        help_text="SIDs with another body that the lists showed and no attempt owns.",
    )
    checks_done = models.PositiveSmallIntegerField(default=0)
    polls_done = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    twilio_ahead_s = models.FloatField(
        null=True, help_text="How far Twilio's clock was ahead of ours when the attempt began; null: not known."
    )
    first_listed_at = models.DateTimeField(
        null=True, help_text="Twilio's time when its list was first read for this attempt."
    )

    class Meta:
        db_table = "attempt"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["message", "number"], name="attempt_number_once"),
            models.UniqueConstraint(fields=["message"], condition=Q(open=True), name="attempt_open_once"),
            models.UniqueConstraint(fields=["account_sid", "sid"], condition=~Q(sid=""), name="attempt_sid_once"),
            # One create at a time a (Twilio account, recipient, body): of two alike, one ambiguous, the list
            # could not tell which of them it shows. Closed: nothing is read from the list for it any more.
            models.UniqueConstraint(
                fields=["account_sid", "to", "body_digest"],
                condition=Q(status__in=("sending", "unconfirmed"), open=True),
                name="attempt_create_once",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="attempt_due"),
            models.Index(fields=["account_sid", "to", "started_at"], name="attempt_recipient"),
        ]


class DeliveryEvent(models.Model):
    """One status an attempt went through. Append-only, partitioned by month (the table is made in the
    migration). `provider_status` is Twilio's own word."""

    class Origin(models.TextChoices):
        POSTCALL = "postcall"
        TWILIO = "twilio"
        POLL = "poll"
        OPERATOR = "operator"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField()
    workspace = models.ForeignKey(Workspace, models.DO_NOTHING, related_name="+", db_constraint=False)
    message = models.ForeignKey(
        Message, models.DO_NOTHING, related_name="events", db_constraint=False, db_index=False
    )
    attempt_number = models.PositiveSmallIntegerField(null=True)
    status = models.CharField(max_length=12)
    provider_status = models.CharField(max_length=30, blank=True)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    error_code = models.IntegerField(null=True)
    detail = models.TextField(blank=True)

    class Meta:
        db_table = "delivery_event"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["message", "at"], name="delivery_event_of")]


class StrayCallback(models.Model):
    """A signed status callback whose SID belongs to no attempt of ours that it names: kept, never acted upon."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(auto_now_add=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    attempt = models.ForeignKey(Attempt, models.SET_NULL, null=True, related_name="+")
    sid = models.CharField(max_length=64, blank=True)
    provider_status = models.CharField(max_length=30, blank=True)

    class Meta:
        db_table = "stray_callback"


class OwnPhone(models.Model):
    """A member's own number: they have read a code that was texted to it, by `workspace`'s sender. `by_sandbox`: no
    phone was involved, so it is good for nothing but the sandbox."""

    person = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="own_phone")
    workspace = models.ForeignKey(Workspace, models.SET_NULL, null=True, related_name="+")
    number = models.CharField(max_length=20)
    by_sandbox = models.BooleanField(default=False)
    verified_at = models.DateTimeField()

    class Meta:
        db_table = "own_phone"


class OwnText(Due):
    """A text to a member's own phone, by a workspace's sender: a code, or a test of an action's words. It is in no
    statistics, and no follow-up's. Due: it waits to be sent, to be found out about or to be polled.

    It is handed to Twilio once at most. While it is undecided no other text goes to its number by its account, so
    that Twilio's list can tell them apart (`messages/underway.py`); `unconfirmed` and due no more is what was never
    found out. `once` is the form's token: pressed twice, sent once. `body` is kept for a day, a code's only until
    it is handed over; `body_digest` is of the words as they were sent.
    """

    class Kind(models.TextChoices):
        CODE = "code"
        TEST = "test"

    class Status(models.TextChoices):
        QUEUED = "queued"
        SENDING = "sending"
        ACCEPTED = "accepted"
        SENT = "sent"
        DELIVERED = "delivered"
        UNDELIVERED = "undelivered"
        FAILED = "failed"
        CANCELED = "canceled"
        UNCONFIRMED = "unconfirmed"
        REFUSED = "refused"  # surely nothing was sent: Twilio said no, was not reached, or a rule forbade it
        ABSENT = "absent"  # the lists prove that nothing was sent

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="own_texts")
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="own_texts")
    kind = models.CharField(max_length=4, choices=Kind.choices)
    once = models.UUIDField()
    action = models.ForeignKey("actions.Action", models.SET_NULL, null=True, related_name="+")
    agent = models.ForeignKey("agents.Agent", models.SET_NULL, null=True, related_name="+")
    call = models.ForeignKey("calls.Call", models.SET_NULL, null=True, related_name="+")
    to = models.CharField(max_length=20)
    from_number = models.CharField(max_length=20, blank=True)
    messaging_service_sid = models.CharField(max_length=34, blank=True)
    body = EncryptedField(blank=True)
    body_digest = models.CharField(max_length=64)
    encoding = models.CharField(max_length=5)
    segments = models.PositiveSmallIntegerField()
    token = models.CharField(max_length=64, unique=True, default=new_token)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    account_sid = models.CharField(max_length=34, blank=True)
    sid = models.CharField(max_length=34, blank=True)
    provisional = models.BooleanField(default=False)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED.value)
    error_code = models.IntegerField(null=True)
    error_message = models.TextField(blank=True)
    price = models.DecimalField(max_digits=10, decimal_places=5, null=True)
    price_unit = models.CharField(max_length=3, blank=True)
    checks_done = models.PositiveSmallIntegerField(default=0)
    polls_done = models.PositiveSmallIntegerField(default=0)
    twilio_ahead_s = models.FloatField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "own_text"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["person", "once"], name="own_text_once"),
            models.UniqueConstraint(fields=["account_sid", "sid"], condition=~Q(sid=""), name="own_text_sid_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="own_text_due"),
            models.Index(
                fields=["to"], condition=Q(status__in=("sending", "unconfirmed")), name="own_text_unknown"
            ),
            models.Index(fields=["workspace", "-id"], name="own_text_log"),
        ]


class PhoneCode(models.Model):
    """The code that a member has still to type before a number is theirs. Only a keyed hash of it is kept."""

    person = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="+")
    text = models.ForeignKey(OwnText, models.CASCADE, related_name="+")
    number = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)
    tries_left = models.PositiveSmallIntegerField()
    valid_until = models.DateTimeField()

    class Meta:
        db_table = "phone_code"
