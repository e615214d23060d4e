"""Taking rows along as a file: that it was done is noted before the first line leaves."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from postcall.dashboard.access import Visit
from postcall.workspaces.audit import Thing


@transaction.atomic
def note(visit: Visit, kind: str, asks: Iterable[str]) -> None:
    """With what was asked by those fields of the address."""
    asked = {key: ", ".join(visit.request.GET.getlist(key)) for key in asks}
    visit.record("export", Thing(kind), {key: [None, value] for key, value in asked.items() if value})
