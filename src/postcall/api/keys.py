"""Who may call the API: bearer keys, each of one workspace and one scope."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from postcall.api.problems import Problem
from postcall.work.rows import find
from postcall.workspaces.models import ApiKey, Workspace
from postcall.workspaces.scope import within

Scope = ApiKey.Scope

# Each scope may do what the one before it may.
_RANK: Final = {Scope.READ.value: 0, Scope.INGEST.value: 1, Scope.ADMIN.value: 2}
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


class ApiRequest(HttpRequest):
    """A request that a key let in."""

    auth: ApiKey


class Key(HttpBearer):
    """Asks for a key of at least this scope. A revoked key is refused from the next request on."""

    def __init__(self, scope: ApiKey.Scope) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey:  # noqa: ARG002  # ninja's signature
        key = find(ApiKey, "digest = %s", [ApiKey.digest_of(token.strip())])
        if key is None:
            raise unauthorized("this key is not known here: make one with `postcall key create`")
        if key.revoked_at is not None:
            raise unauthorized(f"the key {key.hint}… was revoked: make another with `postcall key create`")
        if _RANK[key.scope] < _RANK[self.scope.value]:
            raise Problem(403, f"this needs a key of the scope {self.scope.value}; {key.hint}… has {key.scope}")
        key.workspace = find(Workspace, "id = %s", [key.workspace_id]) or key.workspace
        _note_use(key)
        return key


def unauthorized(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="Postcall"'})


def _note_use(key: ApiKey) -> None:
    """At most once a minute: the row is not rewritten with every call."""
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - _USE_NOTED_EVERY:
        within(key.workspace_id, ApiKey).filter(pk=key.pk).update(last_used_at=now)


READ: Final = Key(Scope.READ)
INGEST: Final = Key(Scope.INGEST)
ADMIN: Final = Key(Scope.ADMIN)
