"""`postcall check`: what is misconfigured, and how to mend it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from postcall.cli.addresses import answers
from postcall.cli.environment import EMBEDDED, data_dir, django
from postcall.cli.first_run import set_up_link
from postcall.cli.model_keys import missing_key
from postcall.cli.output import fail, out, print_json
from postcall.config import config

LOW_DISK_BYTES = 1_000_000_000
OLDEST_POSTGRES = 150_000


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
        database = list(_database())
        if all(finding.level != "error" for finding in database):
            database += _contents()
        findings = [*_environment(), *database, *_disk()]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    if wrong := [finding.subject for finding in findings if finding.level == "error"]:
        raise fail(f"to be mended: {', '.join(wrong)}")


def _show(findings: list[Finding]) -> None:
    marks = {
        "ok": Text("✓ ok", "green"),
        "warning": Text("! look", "yellow"),
        "error": Text("✗ mend", "red"),
    }
    table = Table("", "", "", show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in findings:
        table.add_row(marks[finding.level], Text(finding.subject), Text(finding.text))
        if finding.mend:
            table.add_row("", "", Text(f"→ {finding.mend}", "dim"))
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
    yield _mail()


def _judge() -> Finding:
    model = config().judge_model
    if model == "offline":
        return Finding(
            "Judge",
            "warning",
            "offline: needs no key; it decides only what it is sure of and holds the rest for you",
            "for production set POSTCALL_JUDGE_MODEL, such as openai:gpt-5-mini, and its provider's key",
        )
    if mend := missing_key(model):
        return Finding("Judge", "error", f"{model} cannot be asked", mend)
    return Finding("Judge", "ok", model)


def _mail() -> Finding:
    from postcall.mail import CannotMail, can_mail, try_server

    if not can_mail():
        return Finding("E-mail", "ok", "none is sent: POSTCALL_SMTP_URL is unset; links are passed on by hand")
    try:
        try_server()
    except CannotMail as error:
        return Finding("E-mail", "error", str(error), "mend POSTCALL_SMTP_URL")
    return Finding("E-mail", "ok", f"leaves from {config().mail_from}")


def _database() -> Iterator[Finding]:
    from django.db import DatabaseError, connection
    from django.db.migrations.executor import MigrationExecutor

    from postcall.work.seen import seen_lately

    try:
        connection.ensure_connection()
    except DatabaseError as error:  # Django itself refuses what is very old
        said = str(error).strip().splitlines() or ["it does not answer"]
        yield Finding("Database", "error", said[0], "PostgreSQL 15 or newer is needed at DATABASE_URL")
        return
    version = connection.connection.info.server_version
    if version < OLDEST_POSTGRES:
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


def _people() -> Iterator[Finding]:
    if link := set_up_link():
        yield Finding("Sign-in", "warning", "nobody can sign in yet", f"make the owner at {link}")


def _contents() -> Iterator[Finding]:
    yield from _people()
    secrets = _secrets()
    yield secrets
    if secrets.level == "ok":  # whose accounts cannot be opened cannot be looked at
        yield from _texts()
    yield from _keeping()


def _secrets() -> Finding:
    from postcall.keeping.unreadable import unreadable_columns

    if locked := unreadable_columns():
        return Finding(
            "Secrets",
            "error",
            f"no key of POSTCALL_SECRET_KEY opens all of {', '.join(locked)}",
            "put the key that encrypted them back, after a comma; `postcall rekey` then lets it go",
        )
    return Finding("Secrets", "ok", "POSTCALL_SECRET_KEY opens what is stored")


def _texts() -> Iterator[Finding]:
    from postcall.messages.models import SendingAccount
    from postcall.messages.pausing import pauses
    from postcall.workspaces.models import Workspace

    accounts = {row.workspace_id: row for row in SendingAccount.objects.select_related("account")}
    if any(row.account.kind == "sandbox" for row in accounts.values()):
        yield _sandbox()
    for workspace in Workspace.objects.order_by("name"):
        sending = accounts.get(workspace.pk)
        subject = f"Texts of {workspace.name}"
        if sending is None:
            yield Finding(
                subject, "warning", "no Twilio account is chosen: it sends nothing", "PUT /api/v1/settings/twilio"
            )
        elif paused := pauses(workspace.pk):
            for each in paused:
                what = f"from {each.sender} paused" if each.sender else "paused"
                yield Finding(
                    subject,
                    "error",
                    f"{what} since {each.since:%d %b %H:%M} UTC: Twilio error {each.code}",
                    "mend it at Twilio, then POST /api/v1/settings/twilio/recheck",
                )
        elif sending.account.kind == "sandbox":
            yield Finding(subject, "ok", "go to the sandbox: none leaves this machine")
        else:
            yield Finding(subject, "ok", f"leave through Twilio account …{sending.account.account_sid[-4:]}")


def _sandbox() -> Finding:
    url = config().sandbox_url
    if url is None and os.environ.get(EMBEDDED):
        return Finding("Sandbox", "ok", "`postcall up` brings it")
    if url is None:
        return Finding(
            "Sandbox",
            "warning",
            "workspaces send by it, and only `postcall up` brings one",
            "run `postcall sandbox` and give its address to every `web` and `worker` as POSTCALL_SANDBOX_URL",
        )
    if not answers(url):
        return Finding("Sandbox", "warning", f"workspaces send by it, and none answers at {url}", "start it")
    return Finding("Sandbox", "ok", f"answers at {url}")


def _keeping() -> Iterator[Finding]:
    from postcall.keeping.models import Erasure, Redaction, Restoration

    paused = Restoration.objects.filter(resumed_at=None).order_by("-id").first()
    if paused is not None:
        yield Finding(
            "Restored",
            "error",
            f"from a backup of {paused.taken_at:%Y-%m-%d %H:%M} UTC: nothing is sent yet",
            "make sure that no other Postcall works on the same calls, then `postcall restore --resume`",
        )
    left = Redaction.objects.filter(done_at=None)
    waits_for = Erasure.objects.filter(done_at=None).values_list("waits_for", flat=True)
    waiting = len(waits_for)
    if waiting or left.exists():
        said = left.exclude(last_error="").values_list("last_error", flat=True).first()
        named = ", ".join(sorted({name for names in waits_for for name in names}))
        wait_for = f"{waiting} wait for {named or 'a worker'}"
        text = f"{wait_for}; {left.count()} texts are still at Twilio"
        yield Finding(
            "Erasures",
            "warning",
            f"{text} ({said})" if said else text,
            "a running worker goes on until they are forgotten",
        )


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
