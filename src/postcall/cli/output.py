"""How commands speak: tables and notes for people, JSON for programs, one clear line when something fails."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True, soft_wrap=True)


def note(text: str) -> None:
    err.print(text, style="dim", highlight=False)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def fail(text: str) -> typer.Exit:
    """One line on standard error and exit code 1: `raise fail("…")`."""
    err.print(f"[red]postcall:[/red] {' '.join(text.split())}", highlight=False)
    return typer.Exit(1)
