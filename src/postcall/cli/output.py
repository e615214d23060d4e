"""How commands speak: tables and notes for people, JSON for programs, one clear line when something fails.

What came from outside is always a `Text`, never markup: a name may hold brackets.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

out = Console()
err = Console(stderr=True, soft_wrap=True)


def note(text: str) -> None:
    err.print(Text(text, style="dim"))


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def fail(text: str) -> typer.Exit:
    """One line on standard error and exit code 1: `raise fail("…")`."""
    err.print(Text.assemble(("postcall:", "red"), " ", " ".join(text.split())))
    return typer.Exit(1)
