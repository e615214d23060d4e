"""Every icon once, in a file that the browser keeps; pages refer to it."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from heroicons.templatetags.heroicons import heroicon_outline

# What we call an icon, and what heroicons calls it.
ICONS: Final[dict[str, str]] = {
    "overview": "chart-bar",
    "calls": "phone",
    "review": "clipboard-document-check",
    "messages": "chat-bubble-left",
    "actions": "bolt",
    "agents": "microphone",
    "logo": "chat-bubble-left-ellipsis",
    "good": "check-circle",
    "bad": "x-circle",
    "wait": "clock",
    "held": "pause-circle",
    "unsure": "question-mark-circle",
    "idle": "minus-circle",
    "send": "paper-airplane",
    "warn": "exclamation-triangle",
    "info": "information-circle",
    "in": "arrow-down-left",
    "out": "arrow-up-right",
    "sandbox": "beaker",
    "search": "magnifying-glass",
    "next": "chevron-right",
    "updown": "chevron-up-down",
    "check": "check",
    "x": "x-mark",
    "again": "arrow-path",
    "reread": "document-magnifying-glass",
    "up": "arrow-up",
    "external": "arrow-top-right-on-square",
    "leave": "arrow-right-start-on-rectangle",
    "settings": "adjustments-horizontal",
    "add": "plus",
    "copy": "clipboard-document",
    "key": "key",
    "more": "ellipsis-horizontal",
    "try": "play",
    "person": "user-circle",
    "people": "users",
    "mail": "envelope",
    "link": "link",
    "block": "no-symbol",
    "edit": "pencil-square",
    "archive": "archive-box",
    "download": "arrow-down-tray",
    "device": "device-phone-mobile",
    "bell": "bell",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@cache
def sprite() -> SafeString:
    drawings = (
        (SafeString(heroicon_outline(drawing, size=None, id=name, stroke_width="2")),)
        for name, drawing in ICONS.items()
    )
    return format_html('<svg xmlns="http://www.w3.org/2000/svg">{}</svg>', format_html_join("", "{}", drawings))


@cache
def address(name: str) -> str:
    """Where the icon is drawn; another one once any drawing changes. KeyError for an icon that there is not."""
    if name not in ICONS:
        raise KeyError(name)
    return f"/icons.svg?{hashlib.sha256(sprite().encode()).hexdigest()[:6]}#{name}"


@require_safe
def icons(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  # everybody gets the same
    return HttpResponse(sprite(), content_type="image/svg+xml", headers={"Cache-Control": _FOR_EVER})
