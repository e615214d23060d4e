"""Making and revoking the keys of programs."""

from __future__ import annotations

from django.db import transaction

from postcall.dashboard.access import Visit
from postcall.work import clock
from postcall.workspaces.audit import Thing
from postcall.workspaces.models import ApiKey


@transaction.atomic
def create(visit: Visit, name: str, scope: str) -> tuple[ApiKey, str]:
    """The key's row, and the key itself, which is kept nowhere."""
    row, secret = ApiKey.issue(visit.workspace, name, scope)
    visit.record("create", _thing(row), {"scope": [None, scope]})
    return row, secret


@transaction.atomic
def revoke(visit: Visit, key: ApiKey) -> bool:
    """Whether it was not revoked before; refused from the next request on, for good."""
    revoked = visit.rows(ApiKey).filter(pk=key.pk, revoked_at=None).update(revoked_at=clock.now())
    if revoked:
        visit.record("revoke", _thing(key))
    return bool(revoked)


def _thing(key: ApiKey) -> Thing:
    return Thing("key", key.pk, f"{key.name} ({key.hint}…)")
