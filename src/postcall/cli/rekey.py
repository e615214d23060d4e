"""`postcall rekey`: the last step of changing POSTCALL_SECRET_KEY."""

from __future__ import annotations

from collections import Counter

from postcall.cli.calls import bar
from postcall.cli.environment import prepared
from postcall.cli.output import fail, note, out, print_json
from postcall.cli.people import AsJson
from postcall.config import config


def rekey(as_json: AsJson = False) -> None:
    """Encrypt every stored secret anew, by the first key of POSTCALL_SECRET_KEY, so that the others can be dropped.

    Before: put the new key in front, a comma after it, and restart every process. May be stopped and run again.
    """
    with prepared():
        counts = _rekeyed()
        if as_json:
            print_json(
                {"renewed": counts["renewed"], "already": counts["already"], "unreadable": _unreadable(counts)}
            )
        if lost := _unreadable(counts):
            where = ", ".join(f"{column} ({number})" for column, number in lost.items())
            raise fail(
                f"{sum(lost.values())} secrets cannot be read by any key of POSTCALL_SECRET_KEY: {where}. "
                "Put the key that encrypted them back, after a comma, and run this again"
            )
        if as_json:
            return
        out.print(f"{counts['renewed']} secrets encrypted anew, {counts['already']} were already.")
        if len(config().secret_keys) > 1:
            note("The older keys of POSTCALL_SECRET_KEY can be dropped. Who is signed in by one signs in again.")


def _rekeyed() -> Counter[str]:
    from django.db import transaction

    from postcall.workspaces.audit import Actor, Thing, record
    from postcall.workspaces.rekey import count_secrets
    from postcall.workspaces.rekey import rekey as batches

    counts: Counter[str] = Counter()
    with bar() as progress:
        task = progress.add_task("Encrypting anew", total=count_secrets())
        for batch in batches():
            counts.update(renewed=batch.renewed, already=batch.already)
            if batch.unreadable:
                counts[f"unreadable {batch.column}"] += batch.unreadable
            progress.advance(task, batch.values)
    with transaction.atomic():
        told = {name: [None, counts[name]] for name in ("renewed", "already")}
        record(None, Actor.at_command_line(), "rekey", Thing("secrets"), told)
    return counts


def _unreadable(counts: Counter[str]) -> dict[str, int]:
    return {
        name.removeprefix("unreadable "): number
        for name, number in counts.items()
        if name.startswith("unreadable ")
    }
