"""`postcall web`, `worker` and `migrate`: the parts, for many machines."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from postcall.cli.addresses import listening_address, refuse_taken_port
from postcall.cli.environment import database, django, prepared
from postcall.cli.first_run import set_up_link
from postcall.cli.output import note
from postcall.cli.processes import end_with_parent
from postcall.config import config


def web(
    threads: Annotated[int, typer.Option(min=1, max=64, help="Requests answered at the same time.")] = 8,
) -> None:
    """Answer HTTP: the API, webhooks and the dashboard. Run `postcall migrate` first."""
    from granian import Granian
    from granian.constants import Interfaces

    environment = config()
    address = listening_address(environment.host)
    # A part of `postcall up` is left to listen beside what a killed one may still hold.
    part_of_up = end_with_parent()
    if not part_of_up:
        refuse_taken_port(address, environment.port)
    # Django is loaded by the server's own worker process alone.
    with database():
        if not part_of_up and (link := set_up_link()):
            note(f"Nobody can sign in yet. Make the owner at {link}")
        server = Granian(
            "postcall.wsgi:application",
            address=address,
            port=environment.port,
            interface=Interfaces.WSGI,
            workers=1,
            blocking_threads=threads,
            # Waiting requests queue up to here; more are refused by the kernel and tried again by the platform.
            backlog=2048,
            websockets=False,
            log_enabled=False,
            respawn_failed_workers=True,
            workers_kill_timeout=10,
        )
        server.serve()


def worker() -> None:
    """Judge calls, send messages and track them. Run as many as wanted, on any number of machines."""
    end_with_parent()
    with django():
        from postcall.worker.loop import WorkerProcess

        process = WorkerProcess()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: process.stop())
        # The main thread stays free for signals.
        thread = threading.Thread(target=process.run, name="worker")
        thread.start()
        thread.join()


def migrate() -> None:
    """Bring the database's tables up to date and settle what the environment asks for. Safe to repeat."""
    with prepared():
        note("The database is up to date.")
