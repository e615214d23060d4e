"""`postcall up`: database, migrations, web, workers and the Twilio stand-in, in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.panel import Panel
from rich.text import Text

from postcall.cli.addresses import ask_directly, free_port, local_url, refuse_taken_port, shown_url
from postcall.cli.environment import EMBEDDED, data_dir, database, sign_in_password
from postcall.cli.first_run import opens, password_of, set_up_link
from postcall.cli.output import err, fail, note
from postcall.cli.processes import Part, Whole
from postcall.config import config
from postcall.database.embedded import EmbeddedDatabase, EmbeddedDatabaseError

READY_S = 120.0
LOCAL_OWNER = "owner@localhost"


def up(
    host: Annotated[str | None, typer.Option(help="Where to listen. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[default: 8000]")] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Add the sample workspace and put its calls through.")
    ] = False,
) -> None:
    """Run everything on this machine: database (embedded unless DATABASE_URL), migrations, web and workers.

    Stop with Ctrl-C.
    """
    if host is not None:
        os.environ["POSTCALL_HOST"] = host
    if port is not None:
        os.environ["POSTCALL_PORT"] = str(port)
    environment = config()
    refuse_taken_port(environment.host, environment.port)
    whole = Whole([], heal_database)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: whole.stopping.set())
    note("Starting the database…" if environment.database_url is None else "Reaching the database…")
    with database():
        _run_once("migrate")
        whole.parts = _parts()
        whole.start()
        try:
            if _answers(whole):
                if sample and not whole.stopping.is_set():
                    _put_samples_through(whole)
                if not whole.stopping.is_set():
                    _welcome(sample)
                    whole.watch()
            note("Stopping…")
        finally:
            whole.stop()
    note("Stopped. Nothing is left running.")


def heal_database() -> None:
    """Starts the embedded server again if it was killed; one that cannot start is reported and tried again."""
    if folder := os.environ.get(EMBEDDED):
        use = EmbeddedDatabase(Path(folder))
        try:
            use.start()
            use.stop()  # this use only: `up` itself still holds the server
        except EmbeddedDatabaseError as error:
            note(f"The database does not come back: {error}")


def _parts() -> list[Part]:
    """Any workspace may choose the sandbox at any time, so there is always one."""
    parts = [Part("The web process", ["web"]), Part("The worker", ["worker"])]
    if config().sandbox_url is None:
        port = free_port()
        os.environ["POSTCALL_SANDBOX_URL"] = f"http://127.0.0.1:{port}"
        state = data_dir() / "sandbox.sqlite3"
        parts.append(Part("The Twilio sandbox", ["sandbox", "--port", str(port), "--state", str(state)]))
    return parts


def _run_once(*arguments: str) -> None:
    """Runs one command to its end; its error is ours."""
    finished = subprocess.run(
        [sys.executable, "-m", "postcall", *arguments], stdin=subprocess.DEVNULL, start_new_session=True
    )
    if finished.returncode:
        raise typer.Exit(finished.returncode)


def _answers(whole: Whole) -> bool:
    """Waits until the web process and a worker are ready; False when told to stop meanwhile."""
    deadline = time.monotonic() + READY_S
    while not whole.stopping.is_set():
        try:
            with ask_directly(f"{local_url()}/readyz", 5):
                return True
        except OSError:
            pass
        if any(part.dead for part in whole.parts):
            dead = next(part.name for part in whole.parts if part.dead)
            raise fail(f"{dead} did not start; what it said stands above")
        if time.monotonic() > deadline:
            raise fail(f"the web process does not answer at {local_url()} after {READY_S:.0f} s")
        time.sleep(0.1)
    return False


def _put_samples_through(whole: Whole) -> None:
    samples = subprocess.Popen(
        [sys.executable, "-m", "postcall", "sample"], stdin=subprocess.DEVNULL, start_new_session=True
    )
    while samples.poll() is None:
        if whole.stopping.wait(0.1):
            samples.terminate()
            samples.wait()
            return
    if samples.returncode:
        note("The sample calls were not all put through; `postcall sample` tries again.")


def _welcome(sample: bool) -> None:
    environment = config()
    lines = [
        Text.assemble("Dashboard  ", (f"{shown_url()}/", "bold")),
        Text.assemble("Sign in    ", *_sign_in()),
        Text(f"API        {shown_url()}/api/v1/docs   (a key: `postcall key create`)"),
    ]
    if os.environ.get(EMBEDDED):
        lines.append(Text(f"Data       {data_dir()}"))
    if environment.twilio_account_sid is None:
        lines.append(
            Text("Texts      go to the built-in sandbox: none leaves this machine. Settings, Twilio: send for real")
        )
    elif sample:
        lines.append(
            Text("Texts      leave through your Twilio account; those of the sample workspace through the sandbox")
        )
    panel = Panel(Text("\n").join(lines), title="Postcall is running", subtitle="Ctrl-C stops it", expand=False)
    err.print(panel, highlight=False, soft_wrap=False)
    if link := set_up_link():
        # Beside the panel, which would break it where it is to be copied from.
        err.print(Text.assemble("Make the owner at ", (link, "bold")))


def _sign_in() -> list[str | tuple[str, str]]:
    if email := config().admin_email:
        return [f"{email}, with the password of POSTCALL_ADMIN_PASSWORD"]
    if set_up_link():
        return ["nobody can yet: the link below makes the owner"]
    stored, password = password_of(LOCAL_OWNER), sign_in_password()
    if stored is None or password is None:
        return ["with your account   (forgotten: `postcall user password EMAIL`)"]
    if opens(stored, password):
        return [(LOCAL_OWNER, "bold"), "   password ", (password, "bold")]
    return [(LOCAL_OWNER, "bold"), ", with the password that you gave it"]
