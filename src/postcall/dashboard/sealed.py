"""A secret that was typed into a form which was refused: it goes along encrypted, so that nobody types it twice."""

from __future__ import annotations

from typing import Final

from postcall.workspaces.encryption import CannotDecrypt, decrypt, encrypt
from postcall.workspaces.models import Workspace

# What else we encrypt, and what was typed in another workspace, does not begin so.
_TYPED: Final = "typed in "


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
