"""Addresses that forms are posted to, and that show the refused form: who comes to one without a form is led to the
page that has it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

View = Callable[..., HttpResponseBase]


def posted_from(page: str, *ids: str) -> Callable[[View], View]:
    """As `require_POST`, save that a GET leads to `page`. `ids` are what its address takes of the view's own,
    beside the workspace."""

    def decorated(view: View) -> View:
        taken = require_POST(view)

        @wraps(view)
        def entered(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if request.method in ("GET", "HEAD"):
                return HttpResponseRedirect(reverse(page, kwargs=_those(kwargs, ("workspace_id", *ids))))
            return taken(request, **kwargs)

        return entered

    return decorated


def _those(kwargs: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: kwargs[name] for name in names}
