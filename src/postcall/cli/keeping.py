"""`postcall export`, `erase`, `backup` and `restore`: what is kept, taken along and forgotten."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from postcall.cli.calls import bar
from postcall.cli.environment import prepared
from postcall.cli.output import fail, note, out, print_json
from postcall.cli.people import AsJson, InWorkspace, workspace_named
from postcall.keeping.files import STDOUT, Refused, refuse_existing, whole

if TYPE_CHECKING:
    from postcall.keeping.erase import Found
    from postcall.keeping.models import Erasure

ALL = "all"
# How long `erase` stays with what Twilio has to forget; a worker does the rest.
AT_TWILIO_S = 60.0

Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@contextmanager
def refusals() -> Iterator[None]:
    """What is refused is one line on standard error and exit code 1."""
    try:
        yield
    except Refused as refused:
        raise fail(str(refused)) from None


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; - is standard output.")],
    in_workspace: InWorkspace = "Default",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write everything that a workspace owns as JSON lines, without secrets. docs/keeping.md has the shape."""
    with refusals():
        refuse_existing(file, force=force)
    with prepared(), refusals():
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
    if as_json and str(file) != STDOUT:
        print_json({"file": str(file), "workspace": workspace.name, "lines": written})
    else:
        note(f"{written} lines of {workspace.name} written.")


def erase(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="With its country code, such as +14155550132.")],
    in_workspace: Annotated[str, typer.Option("--workspace", help="One workspace’s name, or all of them.")] = ALL,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is, and change nothing.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget a person: words, texts and number, here and at Twilio. What happened stays, without them, and the number
    is never texted again, although nobody can read any more which one it was."""
    from postcall.numbers import e164

    found_number = e164(number)
    if found_number is None:
        raise typer.BadParameter(
            f"“{number}” is no phone number; write it with its country code", param_hint="NUMBER"
        )
    with prepared():
        from postcall.keeping import erase as erasing

        workspace = None if in_workspace.lower() == ALL else workspace_named(in_workspace)
        found = erasing.look_for(found_number, workspace)
        if dry_run:
            _show_found(found_number, found, as_json)
            return
        _confirm_erasing(found_number, found, yes)
        try:
            erasure = erasing.begin(found_number, workspace)
        except erasing.OwnNumber as own:
            raise fail(str(own)) from None
        waiting = erasing.work(erasure)
        left, why = _have_twilio_forget(erasure)
        _show_erased(erasure, waiting, left, why, as_json)


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
    counts = {name: erasure.counts.get(name, 0) for name in ("calls", "follow_ups", "messages", "mentions")}
    done = erasure.redactions.exclude(done_at=None).exclude(sid="").count()
    if as_json:
        result: dict[str, Any] = {"id": erasure.pk} | counts
        result |= {"forgotten_by_twilio": done, "left_at_twilio": left, "twilio_said": why, "on_their_way": waiting}
        print_json(result | {"complete": not waiting and not left})
        return
    out.print(
        Text(
            f"Forgotten: {counts['calls']} calls, {counts['follow_ups']} follow-ups, {counts['messages']} texts "
            f"({done} by Twilio too), {counts['mentions']} mentions elsewhere. The number is opted out by its hash."
        )
    )
    if waiting:
        note(
            f"{waiting} texts are on their way to Twilio this moment; they are forgotten as soon as they are over."
        )
    if left:
        said = f" ({why})" if why else ""
        note(f"Twilio has not forgotten {left} yet{said}: a running worker asks again until it has.")
