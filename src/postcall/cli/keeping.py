"""`postcall export`, `erase`, `backup` and `restore`: what is kept, taken along and forgotten."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from postcall.cli.calls import bar
from postcall.cli.environment import data_dir, django, looking, prepared
from postcall.cli.output import err, fail, note, out, print_json
from postcall.cli.people import AsJson, InWorkspace, workspace_named
from postcall.config import config
from postcall.database.embedded import DatabaseUrl
from postcall.keeping.files import STDOUT, Refused, refuse_existing, whole

if TYPE_CHECKING:
    from postcall.keeping.archive import Reader
    from postcall.keeping.erase import Found
    from postcall.keeping.models import Erasure
    from postcall.keeping.restore import Restored
    from postcall.workspaces.models import Workspace

# How long `erase` stays with what Twilio has to forget; a worker does the rest.
AT_TWILIO_S = 60.0
_COUNTED = ("calls", "follow_ups", "messages", "mentions", "opted_out_in")

Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@contextmanager
def refusals() -> Iterator[None]:
    """What is refused is one line on standard error and exit code 1."""
    try:
        yield
    except Refused as refused:
        raise fail(str(refused)) from None


def byte_bar() -> Progress:
    """A progress bar of bytes on standard error."""
    said = TextColumn("{task.description}", markup=False)
    return Progress(said, BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=err)


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; - is standard output.")],
    in_workspace: InWorkspace = "Default",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write everything that a workspace owns as JSON lines, without secrets. docs/keeping.md has the shape."""
    with refusals():
        refuse_existing(file, force=force)
    with looking(), refusals():
        from postcall.keeping import export as exporting

        workspace = workspace_named(in_workspace)
        written = 0
        with whole(file, force=force) as target, bar() as progress:
            task = progress.add_task("Exporting", total=exporting.count(workspace))
            for line in exporting.lines(workspace):
                target.write(line.encode())
                written += 1
                progress.advance(task)
            progress.update(task, total=written)
        _record(workspace, "export", "workspace", str(workspace.pk))
    if as_json and str(file) != STDOUT:
        print_json({"file": str(file), "workspace": workspace.name, "lines": written})
    else:
        note(f"{written} lines of {workspace.name} written.")


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; - is standard output.")],
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write the embedded database with its secrets into one file, while everything goes on. Keep it like a
    password."""
    if config().database_url is not None:
        raise fail(
            "the database is at DATABASE_URL: use `pg_dump --format=custom`, and keep POSTCALL_SECRET_KEY with the "
            "dump, without which what is encrypted in it cannot be read"
        )
    folder = data_dir()
    if not (folder / "postgres").exists():
        raise fail(f"{folder} holds no database: set POSTCALL_DATA_DIR to the folder of the one to back up")
    with refusals():
        refuse_existing(file, force=force)
    with django(), refusals(), byte_bar() as progress:
        from postcall.keeping.backup import back_up

        url = config().database_url
        assert url is not None
        task = progress.add_task("Backing up", total=None)
        with whole(file, force=force) as target:
            made = back_up(
                folder,
                DatabaseUrl(url.get_secret_value()),
                config().secret_keys,
                target,
                lambda size: progress.advance(task, size),
            )
        _record(None, "backup", "database", "")
    if str(file) == STDOUT:
        return
    if as_json:
        print_json({"file": str(file), "bytes": file.stat().st_size} | made.model_dump(mode="json"))
        return
    note(f"{file.stat().st_size / 1e6:.1f} MB written to {file}, as of {made.taken_at:%Y-%m-%d %H:%M:%S} UTC.")
    if "secret-key" not in made.members:
        note("The first key of POSTCALL_SECRET_KEY came from the environment and is not in it: keep that as well.")


def restore(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A backup; without one only --resume or --taken-at.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Let texts go out: no other Postcall works on the same calls.")
    ] = False,
    taken_at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"],
            help="For a database at DATABASE_URL that was restored by other means: when its copy was made (UTC).",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Move aside what is in the data folder.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make the data folder from a backup. Nothing is sent before --resume, and nothing that was sent since the
    backup is sent again: Twilio's lists are asked first."""
    if file is not None and taken_at is not None:
        raise typer.BadParameter("a backup knows when it was made", param_hint="--taken-at")
    if file is None:
        _tell_restored(taken_at, resume, as_json)
        return
    if config().database_url is not None:
        raise fail(
            "the database is at DATABASE_URL: use `pg_restore`, give POSTCALL_SECRET_KEY its old value, and before "
            "Postcall starts say `postcall restore --taken-at TIME`, when the dump was made"
        )
    with refusals(), byte_bar() as progress:
        from postcall.keeping.archive import Reader

        task = progress.add_task("Checking", total=file.stat().st_size if file.exists() else None)
        with Reader(file, lambda size: progress.advance(task, size)) as opened:
            progress.stop()
            _confirm_restoring(opened, yes)
            done = _restored(opened, force, resume)
            taken = opened.manifest.taken_at
    if as_json:
        print_json(
            {
                "data_dir": str(data_dir()),
                "taken_at": taken,
                "moved_aside": str(done.aside) if done.aside else None,
                "missing_keys": done.missing_keys,
                "sending": resume,
            }
        )
        return
    out.print(Text(f"Restored into {data_dir()}, as of {taken:%Y-%m-%d %H:%M:%S} UTC."))
    if done.aside is not None:
        note(f"What was there before is in {done.aside}.")
    if done.missing_keys:
        note(
            f"{done.missing_keys} older keys of that POSTCALL_SECRET_KEY are in neither the backup nor the "
            "environment: what only they encrypted cannot be read. `postcall check` says whether there is any."
        )
    if not resume:
        note(
            "Nothing is sent yet. Make sure that no other Postcall works on the same calls; then "
            "`postcall restore --resume` lets texts go out."
        )


def _confirm_restoring(backup: Reader, yes: bool) -> None:
    made = backup.manifest
    said = (
        f"Restore the backup of {made.taken_at:%Y-%m-%d %H:%M:%S} UTC (Postcall {made.postcall}) into {data_dir()}"
    )
    if yes:
        note(said)
    elif not sys.stdin.isatty():
        raise fail("restoring has to be confirmed: say --yes")
    else:
        typer.confirm(f"{said}?", abort=True, err=True)


def _restored(backup: Reader, force: bool, resume: bool) -> Restored:
    known = _known_migrations()
    from postcall.keeping.restore import restore as restored

    return restored(backup, data_dir(), config().secret_keys, known, force=force, resume=resume)


def _known_migrations() -> dict[str, set[str]]:
    """This Postcall's own, by app; without a database."""
    import django
    from django.db.migrations.loader import MigrationLoader

    os.environ["DJANGO_SETTINGS_MODULE"] = "postcall.settings"
    django.setup()
    loader = MigrationLoader(None)
    known: dict[str, set[str]] = {}
    for app, name in loader.disk_migrations:
        known.setdefault(app, set()).add(name)
    return known


def _tell_restored(taken_at: datetime | None, resume: bool, as_json: bool) -> None:
    """Of a database that is in place already: that it was restored, and that it may send."""
    if taken_at is None and not resume:
        raise typer.BadParameter("name a backup, or say --resume", param_hint="FILE")
    from postcall.keeping.restore import mark_restored, resume_sending

    if taken_at is not None and taken_at.tzinfo is None:
        taken_at = taken_at.replace(tzinfo=UTC)
    with prepared():
        from django.db import connection, transaction

        with transaction.atomic():
            if taken_at is not None:
                mark_restored(connection.connection, taken_at, resume=resume)
            resumed = resume_sending(connection.connection) if resume else False
    if as_json:
        print_json({"taken_at": taken_at, "sending": resume, "resumed": resumed})
    elif resume:
        out.print("Texts go out again." if resumed or taken_at else "Sending was not paused by a restoration.")
    else:
        out.print("Noted. Nothing is sent before `postcall restore --resume`.")


def erase(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="With its country code, such as +14155550132.")],
    in_workspace: Annotated[
        str | None, typer.Option("--workspace", help="One workspace’s name; all of them if none is named.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is, and change nothing.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget a person: words, texts and number, here and at Twilio. What happened stays, without them, and the
    number is never texted again, although nobody can read any more which one it was."""
    from postcall.numbers import e164

    found_number = e164(number)
    if found_number is None:
        raise typer.BadParameter(
            f"“{number}” is no phone number; write it with its country code", param_hint="NUMBER"
        )
    with looking() if dry_run else prepared():
        from postcall.keeping import erase as erasing
        from postcall.keeping.mentions import named_in_configuration
        from postcall.keeping.spellings import Spellings
        from postcall.workspaces.audit import Actor

        workspace = None if in_workspace is None else workspace_named(in_workspace)
        found = erasing.look_for(found_number, workspace)
        if dry_run:
            _show_found(found_number, found, as_json)
            return
        _confirm_erasing(found_number, found, yes)
        try:
            erasure = erasing.begin(found_number, workspace, Actor.at_command_line())
        except erasing.OwnNumber as own:
            raise fail(str(own)) from None
        waiting = erasing.work(erasure)
        left, why = _have_twilio_forget(erasure)
        _show_erased(erasure, waiting, left, why, as_json)
        if (named := named_in_configuration(Spellings(found_number))) and not as_json:
            note(f"You wrote the number yourself in {', '.join(named)}: what you wrote is yours to change.")


def _record(workspace: Workspace | None, verb: str, kind: str, pk: str) -> None:
    from django.db import transaction

    from postcall.workspaces.audit import Actor, Thing, record

    with transaction.atomic():
        record(workspace, Actor.at_command_line(), verb, Thing(kind, pk))


def _confirm_erasing(number: str, found: Found, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise fail("erasing cannot be undone: say --yes, or look with --dry-run first")
    typer.confirm(
        f"Forget {number}: {found.calls} calls, {found.messages} texts? This cannot be undone", abort=True, err=True
    )


def _show_found(number: str, found: Found, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json({"number": number, "dry_run": True} | asdict(found))
        return
    out.print(
        Text(
            f"{number}: {found.calls} calls, {found.follow_ups} follow-ups, {found.messages} texts "
            f"({found.at_twilio} at Twilio, {found.on_their_way} on their way), {found.opt_outs} opt-outs. "
            "Nothing was changed."
        )
    )


def _have_twilio_forget(erasure: Erasure) -> tuple[int, str]:
    """How many of the erasure's texts Twilio has not forgotten yet, and its last answer about one."""
    from postcall.keeping.redact import forget_some

    rows = erasure.redactions
    until = time.monotonic() + AT_TWILIO_S
    with bar() as progress:
        task = progress.add_task("At Twilio", total=rows.count())
        while time.monotonic() < until and forget_some(erasure):
            progress.update(task, total=rows.count(), completed=rows.exclude(done_at=None).count())
        progress.update(task, total=rows.count(), completed=rows.exclude(done_at=None).count())
    open_rows = rows.filter(done_at=None)
    said = open_rows.exclude(last_error="").values_list("last_error", flat=True).first()
    return open_rows.count(), said or ""


def _show_erased(erasure: Erasure, waiting: int, left: int, why: str, as_json: bool) -> None:
    counts = {name: erasure.counts.get(name, 0) for name in _COUNTED}
    homes = counts["opted_out_in"]
    done = erasure.redactions.exclude(done_at=None).exclude(sid="").count()
    if as_json:
        result: dict[str, Any] = {"id": erasure.pk} | counts
        result |= {"forgotten_by_twilio": done, "left_at_twilio": left, "twilio_said": why, "on_their_way": waiting}
        print_json(result | {"complete": not waiting and not left})
        return
    out.print(
        Text(
            f"Forgotten: {counts['calls']} calls, {counts['follow_ups']} follow-ups, {counts['messages']} texts "
            f"({done} by Twilio too), {counts['mentions']} mentions elsewhere. The number is opted out by its "
            f"hash in {homes} workspace{'' if homes == 1 else 's'}."
        )
    )
    if waiting:
        note(
            f"{waiting} texts, on their way or with the number in them, have to be over first: "
            "a worker completes it then."
        )
    if left:
        said = f" ({why})" if why else ""
        note(f"Twilio has not forgotten {left} yet{said}: a running worker asks again until it has.")
