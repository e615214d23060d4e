"""Addresses to pass on: whoever opens one is elsewhere, perhaps on another network."""

from __future__ import annotations

from django.http import HttpRequest

from postcall.config import config


def to_pass_on(request: HttpRequest, path: str) -> str:
    """For a page that its reader copies it from: the public address, else the one by which the reader came."""
    return f"{config().public_url or f'{request.scheme}://{request.get_host()}'}{path}"


def to_mail(path: str) -> str:
    """For a mail, whose cause may be a stranger's request: never what that request called us."""
    return f"{config().base_url}{path}"
