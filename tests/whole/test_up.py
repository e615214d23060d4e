"""`postcall up` as an operator meets it: the sample calls, a clean stop, nothing left, nothing repeated."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import PATIENCE_S, Stack, a_call, set_up_always, wait_until

from postcall.samples import load_calls
from postcall.sandbox.running import Sandbox

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    running = Stack(tmp_path, "--sample")
    yield running
    running.end()


def test_it_puts_the_sample_calls_through_once_and_leaves_nothing_running(stack: Stack) -> None:
    stack.start()
    wait_until(lambda: "Postcall is running" in stack.said(), "the welcome stood on screen")
    said = stack.said()
    assert "What became of the sample calls" in said
    assert "owner@localhost" in said
    rows = json.loads(stack.command("sample", "--json").stdout)
    assert len({row["call"] for row in rows}) == len(load_calls(_now()))
    texts = [(row["call"], row["action"]) for row in rows if row["status"]]
    assert texts
    assert stack.stop() == 0
    assert stack.processes() == []

    stack.start()
    wait_until(lambda: stack.said().count("Postcall is running") == 2, "it ran again")
    assert "nothing was repeated" in stack.said()
    again = json.loads(stack.command("sample", "--json").stdout)
    assert [(row["call"], row["action"]) for row in again if row["status"]] == texts
    assert stack.stop(signal.SIGTERM) == 0
    assert stack.processes() == []


def _now() -> object:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def test_it_sends_every_text_once_though_workers_and_web_are_killed(tmp_path: Path) -> None:
    with Sandbox(pace=0.01).running() as twilio:
        stack = Stack(tmp_path, sandbox_url=twilio.url, POSTCALL_TEST_PACE="0.1")
        try:
            stack.start()
            agent = set_up_always(stack)
            acknowledged = []
            for number in range(60):
                if number in (15, 45):
                    assert stack.kill("worker")
                if number == 30:
                    assert stack.kill("web")
                body = a_call(agent, number)
                wait_until(lambda body=body: _taken(stack, body), "the call was taken")
                acknowledged.append(number)
            wait_until(lambda: len(twilio.creates) == len(acknowledged), "every text was at Twilio")
            _settled(stack, len(acknowledged))
            assert set(twilio.creates.values()) == {1}
        finally:
            stack.end()


def _taken(stack: Stack, body: dict[str, object]) -> bool:
    try:
        stack.ask("POST", "/calls", body)
    except OSError:
        return False
    return True


def _settled(stack: Stack, count: int) -> None:
    """Until every message has reached its end."""
    ended = ("delivered", "sent")

    def all_ended() -> bool:
        messages, path = [], "/messages?limit=100"
        while path:
            page = stack.ask("GET", path)
            messages += page["items"]
            path = f"/messages?limit=100&cursor={page['next']}" if page["next"] else ""
        return len(messages) == count and all(message["status"] in ended for message in messages)

    deadline = time.monotonic() + PATIENCE_S
    wait_until(all_ended, f"all {count} messages had ended ({deadline:.0f})")
