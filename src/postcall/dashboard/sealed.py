"""Secrets that a browser keeps for us, encrypted: typed into a form that was refused, or made to be shown once."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest

from postcall.workspaces.encryption import CannotDecrypt, decrypt, encrypt
from postcall.workspaces.models import Workspace

# What else we encrypt, and what was typed in another workspace, does not begin so.
_TYPED: Final = "typed in "
_ONCE: Final = "shown_once"


def seal(workspace: Workspace, secret: str) -> str:
    return encrypt(f"{_TYPED}{workspace.pk}: {secret}")


def unseal(workspace: Workspace, sealed: str) -> str:
    """Empty unless `seal` made it for the same workspace."""
    try:
        plain = decrypt(sealed) if sealed else ""
    except CannotDecrypt:
        return ""
    begins = f"{_TYPED}{workspace.pk}: "
    return plain.removeprefix(begins) if plain.startswith(begins) else ""


def show_once(request: HttpRequest, workspace: Workspace, what: str, secret: str) -> None:
    """Keeps a secret that was just made for the next page that this browser is shown, and no longer."""
    request.session[_ONCE] = {"what": what, "sealed": seal(workspace, secret)}


def take_once(request: HttpRequest, workspace: Workspace, what: str) -> str:
    """The secret kept for `what`, which is forgotten by that; empty: none is."""
    kept = request.session.get(_ONCE)
    if not kept or kept["what"] != what:
        return ""
    del request.session[_ONCE]
    return unseal(workspace, kept["sealed"])
