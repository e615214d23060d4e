"""Work that is due stands on the rows themselves: when, who has it until when, and how often it was begun."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from postcall.ids import new_id


class Due(models.Model):
    """A row on which a worker has something to do.

    `due_at` None: nothing. A worker that takes the row sets `lease_until` (the database's clock) and raises
    `generation`; whatever it writes is conditional on that generation, so that a worker which overslept its
    lease changes nothing. `starts` counts beginnings since the last success: a row that kills its worker is set
    aside after MAX_STARTS.
    """

    due_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    generation = models.PositiveIntegerField(default=0)
    starts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True


class Worker(models.Model):
    """A worker process that was seen lately; readyz and `postcall check` read it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "worker"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["seen_at"], name="worker_seen")]
