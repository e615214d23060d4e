"""`postcall audit`: who changed what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from postcall.cli.environment import looking
from postcall.cli.output import note, out, print_json
from postcall.cli.people import AsJson, workspace_named

if TYPE_CHECKING:
    from postcall.workspaces.models import AuditEntry


def audit(
    in_workspace: Annotated[str | None, typer.Option("--workspace", help="Of this workspace alone.")] = None,
    actor: Annotated[str | None, typer.Option(help="A kind (user, key, cli, system), an id, or a name.")] = None,
    verb: Annotated[str | None, typer.Option(help="Such as update.")] = None,
    thing: Annotated[str | None, typer.Option("--object", help="A kind such as action, or an id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, the newest first: by the API, by the pages and by commands, and who signed in."""
    with looking():
        from postcall.workspaces.audit import found
        from postcall.workspaces.models import AuditEntry

        rows = AuditEntry.objects.select_related("workspace").order_by("-id")
        if in_workspace is not None:
            rows = rows.filter(workspace=workspace_named(in_workspace))
        entries = list(found(rows, actor=actor, verb=verb, thing=thing)[:limit])
    if as_json:
        print_json([_told(entry) for entry in entries])
    elif entries:
        out.print(_table(entries))
    else:
        note("Nothing was changed yet that fits.")


def _told(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "at": entry.at.isoformat(),
        "workspace": entry.workspace.name if entry.workspace else None,
        "actor": {"kind": entry.actor_kind, "id": entry.actor_id, "name": entry.actor_name},
        "verb": entry.verb,
        "object": {"kind": entry.object_kind, "id": entry.object_id, "name": entry.object_name},
        "changes": entry.changes,
    }


def _table(entries: list[AuditEntry]) -> Table:
    table = Table("At (UTC)", "Workspace", "Who", "Did", "To", "Changes", box=None)
    for entry in entries:
        row = (
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.workspace.name if entry.workspace else "",
            f"{entry.actor_name} ({entry.actor_kind})",
            entry.verb,
            " ".join(filter(None, (entry.object_kind, entry.object_name))),
            _in_words(entry.changes),
        )
        table.add_row(*map(Text, row))
    return table


def _in_words(changes: dict[str, Any]) -> str:
    return ", ".join(
        f"{field} {change}" if isinstance(change, str) else f"{field} {_short(change[0])} → {_short(change[1])}"
        for field, change in changes.items()
    )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"
