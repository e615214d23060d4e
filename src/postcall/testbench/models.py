"""The operators' test bench: calls whose answer somebody knows, and runs of an action's words over many calls."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from postcall.actions.models import Action, Revision
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.ids import new_id
from postcall.work.models import Due
from postcall.workspaces.models import Workspace


class ActionCase(models.Model):
    """A call of which somebody said whether an action's condition was met in it.

    Its words are those of `call`, and gone when the call is forgotten; or, pasted by an operator, `turns`
    ([{"role", "text"}]), kept until the case is removed. `revision`, `result` and `judge` are what was judged when
    the case was made: by which words, with what result, by whom; empty where nothing had been.
    """

    class Expected(models.TextChoices):
        MET = "met"
        NOT_MET = "not_met"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    action = models.ForeignKey(Action, models.CASCADE, related_name="cases")
    call = models.ForeignKey(Call, models.CASCADE, null=True, related_name="+")
    turns = models.JSONField(default=list)
    expected = models.CharField(max_length=10, choices=Expected.choices)
    note = models.CharField(max_length=300, blank=True)
    revision = models.ForeignKey(Revision, models.SET_NULL, null=True, related_name="+")
    result = models.CharField(max_length=10, blank=True)
    judge = models.CharField(max_length=200, blank=True)
    said_by = models.CharField(max_length=254, blank=True, help_text="Who said it, under their name of then.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "action_case"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["action", "call"], condition=Q(call__isnull=False), name="action_case_once"
            )
        ]


class BenchRun(Due):
    """An action's words put to many calls, or to its cases. Nothing is sent, and no follow-up is made.

    `condition` (empty with `always`) and `message` are the words that are tried; `revision` is the present one of
    the moment when the run was begun, to which they are compared. `agent`, `since`, `until` and `latest` say which
    calls were asked for; which they are stands in the items, and does not change. `problem`: why it failed, for the
    operator. Due while it is queued or running.
    """

    class Kind(models.TextChoices):
        BACKTEST = "backtest"
        CASES = "cases"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        CANCELED = "canceled"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    action = models.ForeignKey(Action, models.CASCADE, related_name="runs")
    revision = models.ForeignKey(Revision, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    condition = models.TextField(blank=True)
    always = models.BooleanField(default=False)
    message = models.TextField()
    agent = models.ForeignKey(Agent, models.SET_NULL, null=True, related_name="+")
    all_agents = models.BooleanField(default=False, help_text="Also those that do not use the action.")
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    latest = models.PositiveIntegerField(null=True)

    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED.value)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0, help_text="Of the judge, in a row.")
    problem = models.TextField(blank=True)
    judge = models.CharField(max_length=200, blank=True)
    began_by = models.CharField(max_length=254, blank=True, help_text="Who began it, under their name of then.")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "bench_run"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="bench_run_due"),
            models.Index(fields=["workspace", "-id"], name="bench_run_of"),
        ]

    @property
    def is_at_work(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)

    @property
    def compares(self) -> bool:
        """Whether the words tried are others than the revision's, so that there is something to compare."""
        return (self.condition, self.always, self.message) != (
            self.revision.condition,
            self.revision.always,
            self.revision.message,
        )


class BenchItem(models.Model):
    """One call, or case, of a run: what the words tried would have come to, and beside it (`before_…`) what the
    present revision would have. `judged_at` None: not yet.

    `verdict` and `before_verdict` are {"reason", "evidence": [{"turn", "quote"}], "judge", "prompt", "probability",
    "confidence", "likelier"}; null where nothing was judged. Words that were said in a call that is forgotten are
    gone from here too; what came of it stays.
    """

    class Outcome(models.TextChoices):
        WOULD_SEND = "would_send"
        WOULD_NOT = "would_not"
        UNCLEAR = "unclear"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    run = models.ForeignKey(BenchRun, models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    call = models.ForeignKey(Call, models.CASCADE, null=True, related_name="+")
    case = models.ForeignKey(ActionCase, models.CASCADE, null=True, related_name="items")
    expected = models.CharField(max_length=10, blank=True, help_text="Of a case, as it was then.")

    judged_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    reason = models.CharField(max_length=30, blank=True)
    detail = models.TextField(blank=True)
    result = models.CharField(max_length=10, blank=True)
    verdict = models.JSONField(null=True)
    body = models.TextField(blank=True)
    segments = models.PositiveSmallIntegerField(null=True)
    price = models.DecimalField(max_digits=12, decimal_places=6, null=True, help_text="What the text would cost.")
    currency = models.CharField(max_length=3, blank=True)

    before_outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    before_reason = models.CharField(max_length=30, blank=True)
    before_result = models.CharField(max_length=10, blank=True)
    before_verdict = models.JSONField(null=True)
    before_body = models.TextField(blank=True)

    requests = models.PositiveIntegerField(default=0)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, help_text="Of the judge, in USD; null: no price is known."
    )

    class Meta:
        db_table = "bench_item"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "position"], name="bench_item_place")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["run", "outcome", "position"], name="bench_item_outcome"),
        ]
