"""The keys with which programs use the API."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.config import config
from postcall.dashboard.access import Visit, member, owner
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.sealed import show_once, take_once
from postcall.dashboard.verbs import keys as verbs
from postcall.workspaces.models import ApiKey

SCOPES: Final = {
    "ingest": "Put calls in, and read",
    "read": "Read only",
    "admin": "Everything, settings too",
}


@require_GET
@member
def keys(visit: Visit) -> HttpResponse:
    return _page(visit, Form({"scope": "ingest"}))


def _page(visit: Visit, form: Form) -> HttpResponse:
    rows = visit.rows(ApiKey).order_by("revoked_at", "-created_at")
    asked = uuid_or_none(visit.request.GET.get("made")) if visit.is_owner else None
    made = rows.filter(pk=asked).first() if asked else None
    secret = take_once(visit.request, visit.workspace, f"key {made.pk}") if made else ""
    return visit.page(
        "settings/keys.html",
        {
            "tab": "keys",
            "form": form,
            "living": [row for row in rows if row.revoked_at is None],
            "revoked": [row for row in rows if row.revoked_at is not None],
            "scopes": SCOPES,
            "made": made,
            "secret": secret,
            "example": _example(made.scope, secret) if made and secret else "",
            "in_environment": _of_environment(),
        },
        place="settings",
        status=200 if form.is_well else 422,
    )


def _example(scope: str, secret: str) -> str:
    """A first request with the key, for a shell."""
    base = f'curl -H "Authorization: Bearer {secret}" {config().base_url}/api/v1'
    if scope == ApiKey.Scope.INGEST:
        return f"{base}/calls -H 'Content-Type: application/json' -d '{{\"external_id\": \"first-call\"}}'"
    return f"{base}/audit" if scope == ApiKey.Scope.ADMIN else f"{base}/calls"


def _of_environment() -> str:
    """The digest of the key that POSTCALL_API_KEY names; empty: it names none."""
    given = config().api_key
    return ApiKey.digest_of(given.get_secret_value()) if given else ""


@require_POST
@owner
def create(visit: Visit) -> HttpResponse:
    """Makes a key, which the next page shows this once."""
    form = Form.posted(visit.request)
    if not form["name"]:
        form.refuse("name", "Say what the key is for, so that it can be told from others")
    if len(form["name"]) > 100:
        form.refuse("name", "At most 100 characters")
    if form["scope"] not in SCOPES:
        form.refuse("scope", "Choose what the key may do")
    if not form.is_well:
        return _page(visit, form)
    row, secret = verbs.create(visit, form["name"], form["scope"])
    show_once(visit.request, visit.workspace, f"key {row.pk}", secret)
    return visit.back(f"{visit.to('settings-keys')}?made={row.pk}")


@require_POST
@owner
def revoke(visit: Visit, key_id: UUID) -> HttpResponse:
    row = visit.one(visit.rows(ApiKey), key_id)
    if verbs.revoke(visit, row):
        flashes.success(visit.request, f"{row.name} ({row.hint}…) is revoked: it is refused from now on.")
    else:
        flashes.info(visit.request, f"{row.name} ({row.hint}…) was revoked already.")
    return visit.back(visit.to("settings-keys"))
