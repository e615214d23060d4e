"""What the test bench keeps of people's words goes when theirs go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from postcall.testbench.models import ActionCase, BenchItem, BenchRun

# A run is for the words of its day.
RUNS_KEPT: Final = timedelta(days=90)


def forget_words_of(calls: Sequence[UUID]) -> None:
    """Empties what runs found out in these calls, save what came of it; a call is no case any more. In the
    transaction that empties the calls, after them: whoever judges locks a call before what was found in it."""
    ActionCase.objects.filter(call__in=calls).delete()
    _empty(BenchItem.objects.filter(call__in=calls))


def _empty(items: QuerySet[BenchItem]) -> None:
    items.update(body="", before_body="", detail="", verdict=None, before_verdict=None)


def forget_person(workspace_id: UUID, spellings: str) -> None:
    """Removes cases of pasted words that hold somebody's number, and what runs wrote of it. `spellings` is a
    regular expression of PostgreSQL's."""
    cases = ActionCase.objects.filter(workspace_id=workspace_id, call=None)
    cases.annotate(written=Cast("turns", TextField())).filter(written__regex=spellings).delete()
    items = BenchItem.objects.filter(workspace_id=workspace_id).annotate(
        told=Cast("verdict", TextField()), told_before=Cast("before_verdict", TextField())
    )
    columns = ("body", "before_body", "detail", "told", "told_before")
    named = Q(*((f"{column}__regex", spellings) for column in columns), _connector=Q.OR)
    _empty(items.filter(named))


def forget_runs(now: datetime) -> None:
    """Deletes runs that ended long ago. Cases stay."""
    BenchRun.objects.filter(ended_at__lt=now - RUNS_KEPT).delete()
