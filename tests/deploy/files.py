"""What a deployment is made of, as text."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "compose.yaml"
PAGE = ROOT / "docs/deploy.md"
EVERYTHING = [PAGE, DOCKERFILE, COMPOSE, *(path for path in (ROOT / "deploy").rglob("*") if path.is_file())]


def directives(unit: Path) -> list[tuple[str, str]]:
    lines = (line for line in unit.read_text().splitlines() if line and not line.startswith(("#", "[")))
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, with continued lines joined: ("RUN", "…")."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.M).replace("\\\n", " ")
    return [
        (word, rest.strip())
        for word, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())
    ]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def commands_on_the_page() -> list[list[str]]:
    """Every `postcall …` that the page tells somebody to type."""
    text = PAGE.read_text()
    typed = re.findall(r"`postcall ([a-z][^`]*)`", text) + re.findall(r"compose run --rm worker (.+)", text)
    return [shlex.split(line) for line in typed]
