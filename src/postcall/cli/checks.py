"""`postcall check`: what is misconfigured, and how to mend it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import typer
from rich.table import Table

from postcall.cli.environment import data_dir, django
from postcall.cli.output import out, print_json
from postcall.config import config

LOW_DISK_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `mend` is empty where nothing is wrong."""

    subject: str
    level: Literal["ok", "warning", "error"]
    text: str
    mend: str = ""


def check(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Look at the configuration, the database and the workers. Exit code 1 when something must be mended."""
    with django():
        findings = [*_environment(), *_database(), *_texts(), *_disk()]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def _show(findings: list[Finding]) -> None:
    marks = {"ok": "[green]✓ ok[/]", "warning": "[yellow]! look[/]", "error": "[red]✗ mend[/]"}
    table = Table("", "", "", show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in findings:
        table.add_row(marks[finding.level], finding.subject, finding.text)
        if finding.mend:
            table.add_row("", "", f"[dim]→ {finding.mend}[/]")
    out.print(table)


def _environment() -> Iterator[Finding]:
    environment = config()
    yield Finding("Settings", "ok", "all POSTCALL_ and TWILIO_ variables are understood")
    if environment.public_url is None:
        yield Finding(
            "Public address",
            "warning",
            f"POSTCALL_PUBLIC_URL is unset: voice platforms and Twilio cannot reach {environment.base_url}",
            "set it to the https address under which this service is reached",
        )
    elif environment.public_url.startswith("http:"):
        yield Finding(
            "Public address", "warning", f"{environment.public_url} is not https", "put a TLS proxy in front of it"
        )
    else:
        yield Finding("Public address", "ok", environment.public_url)
    yield _judge()


def _judge() -> Finding:
    model = config().judge_model
    if model == "offline":
        return Finding(
            "Judge",
            "warning",
            "offline: needs no key; it decides only what it is sure of and holds the rest for you",
            "for production set POSTCALL_JUDGE_MODEL, such as openai:gpt-5-mini, and its provider's key",
        )
    provider = model.partition(":")[0]
    names = {
        "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
        "openai-chat": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
        "openai-responses": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
        "anthropic": ("ANTHROPIC_API_KEY",),
        "google-gla": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    }.get(provider, ())
    if names and not any(os.environ.get(name) for name in names):
        return Finding("Judge", "error", f"{model} needs its key", f"set {names[0]} (or {names[0]}_FILE)")
    return Finding("Judge", "ok", model)


def _database() -> Iterator[Finding]:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from postcall.work.seen import seen_lately

    version = connection.cursor().connection.info.server_version
    if version < 150_000:
        yield Finding(
            "Database", "error", f"PostgreSQL {version // 10_000} is too old", "use PostgreSQL 15 or newer"
        )
        return
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        yield Finding("Database", "error", f"{len(pending)} migrations are missing", "run `postcall migrate`")
        return
    yield Finding("Database", "ok", f"PostgreSQL {version // 10_000}, up to date")
    if seen_lately():
        yield Finding("Worker", "ok", "seen lately")
    else:
        yield Finding("Worker", "warning", "none is running", "start one with `postcall up` or `postcall worker`")


def _texts() -> Iterator[Finding]:
    from postcall.messages.models import SendingAccount
    from postcall.workspaces.models import Workspace

    accounts = {row.workspace_id: row for row in SendingAccount.objects.select_related("account")}
    for workspace in Workspace.objects.order_by("name"):
        sending = accounts.get(workspace.pk)
        subject = f"Texts of {workspace.name}"
        if sending is None:
            yield Finding(
                subject, "warning", "no Twilio account is chosen: it sends nothing", "PUT /api/v1/settings/twilio"
            )
        elif sending.paused_at is not None:
            yield Finding(
                subject,
                "error",
                f"paused since {sending.paused_at:%d %b %H:%M} UTC: Twilio error {sending.paused_code}",
                "mend it at Twilio, then save the Twilio settings again",
            )
        elif sending.account.kind == "sandbox":
            yield Finding(subject, "ok", "go to the sandbox: none leaves this machine")
        else:
            yield Finding(subject, "ok", f"leave through Twilio account …{sending.account.account_sid[-4:]}")


def _disk() -> Iterator[Finding]:
    folder = data_dir()
    if not folder.exists():
        return
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free under {folder}"
    if free < LOW_DISK_BYTES:
        yield Finding("Disk", "error", text, "make room: with a full disk the database stops")
    else:
        yield Finding("Disk", "ok", text)
