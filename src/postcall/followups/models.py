"""What one action did about one call, and who must not be texted."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from postcall.actions.models import Action, Attachment, Revision
from postcall.calls.models import Call
from postcall.ids import new_id
from postcall.workspaces.encryption import EncryptedField
from postcall.workspaces.models import Workspace


class Reason(models.TextChoices):
    """Why a follow-up sent nothing (yet). CONTRACT's list; each is shown in words by `reasons.py`."""

    RULE_NOT_MET = "rule_not_met"
    CONDITION_NOT_MET = "condition_not_met"
    CONDITION_UNCLEAR = "condition_unclear"
    JUDGE_FAILED = "judge_failed"
    MISSING_INPUT = "missing_input"
    UNMAPPED_INPUT = "unmapped_input"
    UNSAFE_VALUE = "unsafe_value"
    MESSAGE_TOO_LONG = "message_too_long"
    NOT_CONNECTED = "not_connected"
    VOICEMAIL = "voicemail"
    NO_TRANSCRIPT = "no_transcript"
    REDACTED = "redacted"
    AGENT_UNKNOWN = "agent_unknown"
    NO_RECIPIENT = "no_recipient"
    INVALID_RECIPIENT = "invalid_recipient"
    LANDLINE = "landline"
    NUMBER_REFUSED = "number_refused"
    OPTED_OUT = "opted_out"
    ASKED_NOT_TO_BE_TEXTED = "asked_not_to_be_texted"
    OUTSIDE_SEND_WINDOW = "outside_send_window"
    FREQUENCY_CAP = "frequency_cap"
    BUDGET_EXCEEDED = "budget_exceeded"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    SENDER_PAUSED = "sender_paused"
    AWAITING_APPROVAL = "awaiting_approval"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SHADOW = "shadow"
    ATTACHMENT_OFF = "attachment_off"
    MESSAGING_NOT_CONFIGURED = "messaging_not_configured"
    SET_ASIDE = "set_aside"


class FollowUp(models.Model):
    """Exactly one per (call, action), always with a readable outcome.

    `snapshot` holds what the attachment said when the call was first processed (`postcall.followups.snapshot`):
    later edits of the attachment or the agent do not touch it. `detail` says the reason's particulars in one
    plain sentence. `inputs` maps an input to {"value", "from", "turn"}. `body` is the filled text, also where
    it was held or only shadowed. `decided_at` is when it was decided by itself; what somebody decided about a held
    one stands in `review`, with who (under their name of then) and when.

    What judging a call took (`judge_requests` and on) stands on one of its follow-ups, so that sums are right; what
    it took before it was judged anew stays in it.
    """

    class Review(models.TextChoices):
        APPROVED = "approved"
        EDITED = "edited"  # approved in other words
        REJECTED = "rejected"

    class Outcome(models.TextChoices):
        PENDING = "pending"
        MESSAGE = "message"
        SKIPPED = "skipped"
        HELD = "held"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    call = models.ForeignKey(Call, models.CASCADE, related_name="follow_ups")
    action = models.ForeignKey(Action, models.PROTECT, related_name="follow_ups")
    revision = models.ForeignKey(Revision, models.PROTECT, related_name="+")
    attachment = models.ForeignKey(Attachment, models.PROTECT, related_name="+")
    snapshot = models.JSONField(default=dict)

    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.PENDING.value)
    reason = models.CharField(max_length=30, choices=Reason.choices, blank=True)
    detail = models.TextField(blank=True)

    result = models.CharField(max_length=10, blank=True, help_text="met, not_met or unclear; empty: not judged.")
    confidence = models.FloatField(null=True)
    verdict = models.JSONField(null=True, help_text="reason, evidence, probability, likelier")
    judge = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text="Who decided; empty: not judged."
    )
    prompt = models.CharField(
        max_length=40, blank=True, default="", db_default="", help_text="What a language model was told: a version."
    )
    judge_requests = models.PositiveIntegerField(default=0, db_default=0)
    judge_input_tokens = models.PositiveBigIntegerField(default=0, db_default=0)
    judge_output_tokens = models.PositiveBigIntegerField(default=0, db_default=0)
    judge_cost_usd = models.DecimalField(
        max_digits=16, decimal_places=9, null=True, help_text="By list prices; null: not judged, or no price known."
    )
    judge_s = models.FloatField(null=True, help_text="Seconds that the judge took.")
    inputs = models.JSONField(default=dict)
    recipient = models.CharField(max_length=20, blank=True)
    body = models.TextField(blank=True)

    feedback_right = models.BooleanField(null=True)
    review = models.CharField(max_length=10, choices=Review.choices, blank=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewer_kind = models.CharField(max_length=10, blank=True)
    reviewer = models.CharField(max_length=254, blank=True)
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "follow_up"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["call", "action"], name="follow_up_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["workspace", "outcome", "-id"], name="follow_up_outcome"),
            models.Index(fields=["workspace", "reason", "-id"], name="follow_up_reason"),
            models.Index(fields=["decided_at"], condition=Q(outcome="held"), name="follow_up_held"),
        ]

    @property
    def judged_by(self) -> str:
        """The name of who decided; also of a row that an earlier version wrote while this one was being started."""
        return self.judge or str((self.verdict or {}).get("judge", ""))


class OptOut(models.Model):
    """A number that must not be texted. `ended_at` set: START (or an operator) took it back.

    `number` is E.164, or where its owner was erased its keyed hash (`optouts.hashed`), which begins with `#`.
    """

    class Origin(models.TextChoices):
        STOP = "stop"
        SAID = "said"
        OPERATOR = "operator"
        TWILIO = "twilio"
        ERASED = "erased"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="opt_outs")
    number = models.CharField(max_length=40)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    quote = models.TextField(blank=True, help_text="The words by which it was said, where there are any.")
    call = models.ForeignKey(Call, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=10, choices=Origin.choices, blank=True)

    class Meta:
        db_table = "opt_out"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["workspace", "number"], condition=Q(ended_at=None), name="opt_out_once")
        ]


class NumberKey(models.Model):
    """The one key by which the numbers of erased people are hashed.

    It is encrypted by POSTCALL_SECRET_KEY and never changes: when that is rotated the hashes stay what they are,
    which nobody could make anew from numbers that nobody knows.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    secret = EncryptedField()

    class Meta:
        db_table = "opt_out_key"
