"""The worker process as a whole: it works what is due, shows that it lives, and outlives what its chores meet."""

import threading
from collections.abc import Iterator

import pytest
from django.db import DatabaseError
from django.utils import timezone

from postcall.calls.models import Call
from postcall.calls.receive import receive
from postcall.sources.ended_call import EndedCall
from postcall.work.models import Worker
from postcall.work.seen import seen_lately
from postcall.worker.loop import WorkerProcess
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    process = WorkerProcess()
    thread = threading.Thread(target=process.run)
    thread.start()
    yield process
    process.stop()
    thread.join(60)
    assert not thread.is_alive()


def wait_until(holds: object) -> None:
    assert callable(holds)
    for _ in range(1200):
        if holds():
            return
        threading.Event().wait(0.05)
    raise AssertionError("waited a minute in vain")


def test_it_works_a_call_that_comes_in(worker: WorkerProcess) -> None:
    from postcall.agents.models import Agent

    workspace = Workspace.objects.create(name="Northgate Clinic")
    agent = Agent.objects.create(workspace=workspace, name="Front desk")
    ended = EndedCall.model_validate({"external_id": "c-1", "agent": str(agent.pk)})
    call = receive(workspace, None, "api", ended, b"{}").call
    wait_until(lambda: Call.objects.get(pk=call.pk).status == "done")


def test_it_shows_that_it_lives_and_says_good_bye(worker: WorkerProcess) -> None:
    wait_until(seen_lately)
    worker.stop()
    wait_until(lambda: not Worker.objects.exists())


def test_it_outlives_a_chore_that_fails(worker: WorkerProcess) -> None:
    def refused() -> None:
        raise DatabaseError("refused\nDETAIL: a row")

    def broken() -> None:
        raise ValueError("a bug")

    worker._survive(refused)
    worker._survive(broken)
    Worker.objects.all().delete()
    worker._survive(worker._one_beat, Worker(host="here", pid=1, started_at=timezone.now()))
    assert seen_lately()
