"""Drives a real Postcall over HTTP as a voice platform would, and prints what it did under load.

    .venv/bin/python bench/load.py [--rates 10,50] [--seconds 20] [--burst 1500] [--json]

It starts everything itself, on this machine and in a folder of its own: `postcall up` with the embedded
database, and the Twilio stand-in with 5 ms latency in a process of its own. The calls meet one `always` action,
so no model is in the way. Every figure is of one run: the load generator, PostgreSQL, web, worker and stand-in
share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

KEY = "pc_bench_key_0123456789abcdef"
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """`pid` and all processes below it; a process that left its parent is found by its session's ancestor."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def postgres_of(data_dir: Path) -> list[int]:
    """The embedded server is no child of ours: its pid stands in its data folder."""
    pids = [int(path.read_text().split()[0]) for path in data_dir.rglob("postmaster.pid")]
    return [one for pid in pids for one in descendants(pid)]


def cpu_s(pids: list[int]) -> float:
    """CPU seconds used so far by these processes and their children that have ended."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(value) for value in fields[11:15])
    return total / TICKS


def pss_mb(pids: list[int]) -> float:
    """Proportional set size: shared pages counted once, shared out among their users."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])  # type: ignore[index]  # always there
    return total / 1024


class Stack:
    """A running Postcall with one agent and one `always` action attached."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.port, self.sandbox_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = (folder / "log").open("w")
        self.agent = ""

    def start(self) -> None:
        postcall = [sys.executable, "-m", "postcall"]
        self.sandbox = subprocess.Popen(
            [*postcall, "sandbox", "--port", str(self.sandbox_port), "--latency-ms", "5"],
            stdout=self.log,
            stderr=self.log,
        )
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("POSTCALL_", "TWILIO_"))} | {
            "POSTCALL_DATA_DIR": str(self.data_dir),
            "POSTCALL_API_KEY": KEY,
            "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "TWILIO_AUTH_TOKEN": "bench-token",
            "TWILIO_FROM_NUMBER": "+14155550100",
            "TWILIO_API_URL": f"http://127.0.0.1:{self.sandbox_port}",
            "POSTCALL_LOG_FORMAT": "json",
            "POSTCALL_SANDBOX_URL": f"http://127.0.0.1:{self.sandbox_port}",  # one stand-in is enough
        }
        environment.pop("DATABASE_URL", None)
        self.process = subprocess.Popen(
            [*postcall, "up", "--port", str(self.port)], env=environment, stdout=self.log, stderr=self.log
        )

    def pids(self) -> list[int]:
        return descendants(self.process.pid) + postgres_of(self.data_dir)

    def cpu_by_part(self) -> dict[str, float]:
        """CPU seconds so far of web, worker, PostgreSQL and the rest of Postcall (not the stand-in, not us)."""
        parts = {"web": 0.0, "worker": 0.0, "postgres": cpu_s(postgres_of(self.data_dir)), "up": 0.0}
        for pid in descendants(self.process.pid):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            own = command.rpartition("postcall ")[2].split(" ")[0]
            part = own if own in parts else "web"  # the web server's own workers carry no name
            parts[part] += cpu_s([pid])
        return parts

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self.sandbox.terminate()
        self.sandbox.wait(10)


@contextmanager
def stack() -> Any:
    with tempfile.TemporaryDirectory(prefix="postcall-bench-", ignore_cleanup_errors=True) as folder:
        running = Stack(Path(folder))
        running.start()
        try:
            yield running
        finally:
            running.stop()


async def ready(session: aiohttp.ClientSession, running: Stack) -> None:
    for _ in range(600):
        if running.process.poll() is not None:
            raise SystemExit(f"postcall did not start:\n{Path(running.log.name).read_text()[-2000:]}")
        try:
            async with session.get(f"{running.url}/readyz") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit("postcall was not ready within a minute")


async def post(session: aiohttp.ClientSession, url: str, body: object) -> Any:
    async with session.post(url, json=body) as answer:
        if answer.status >= 300:
            raise SystemExit(f"{url}: {answer.status} {await answer.text()}")
        return await answer.json()


async def set_up(session: aiohttp.ClientSession, running: Stack) -> None:
    api = f"{running.url}/api/v1"
    agent = await post(session, f"{api}/agents", {"name": "Front desk", "timezone": "America/New_York"})
    action = await post(
        session,
        f"{api}/actions",
        {
            "type": "post_call_sms",
            "name": "Thanks",
            "message": "Hi <customer_name>, thanks for calling Pinewhistle Dental. Your reference is <code>.",
            "always": True,
        },
    )
    await post(
        session,
        f"{api}/agents/{agent['id']}/attachments",
        {
            "action_id": action["id"],
            "mode": "live",
            "inputs": {
                "customer_name": {"from": "collected", "name": "name"},
                "code": {"from": "action_result", "action": "create_booking", "name": "reference"},
            },
        },
    )
    running.agent = agent["id"]


def call(running: Stack, name: str, number: int) -> dict[str, Any]:
    """A call of 12 turns; every call is another customer's, none with a fate in the stand-in."""
    lines = [
        ("agent", "Thanks for calling Pinewhistle Dental, how can I help you today?"),
        ("customer", "Hi, I would like to come in for a check-up some time next week, if you have anything."),
    ] * 6
    return {
        "external_id": f"{name}-{number}",
        "agent": running.agent,
        "direction": "inbound",
        "customer_number": f"+1{201 + number // 9_000 % 8}555{1_000 + number % 9_000}",
        "connected": True,
        "transcript": [{"role": role, "text": text, "at": at * 4.0} for at, (role, text) in enumerate(lines)],
        "variables": {
            "collected": {"name": "Ann"},
            "action_results": {"create_booking": {"reference": f"R{number:06}"}},
        },
    }


async def accepted_at(session: aiohttp.ClientSession, running: Stack, ids: dict[str, float]) -> dict[str, float]:
    """For each call (its id by when its hang-up was reported) when its text was accepted by Twilio's stand-in."""
    found: dict[str, float] = {}
    limit = asyncio.Semaphore(4)

    async def look(call_id: str) -> None:
        async with limit:
            for _ in range(300):
                async with session.get(f"{running.url}/api/v1/calls/{call_id}") as answer:
                    follow_ups = (await answer.json())["follow_ups"]
                events = [
                    event
                    for follow_up in follow_ups
                    for event in (follow_up["message"] or {}).get("events", [])
                    if event["status"] == "accepted"
                ]
                if events:
                    at = min(datetime.fromisoformat(event["at"]) for event in events)
                    found[call_id] = at.timestamp()
                    return
                await asyncio.sleep(0.2)

    await asyncio.gather(*(look(call_id) for call_id in ids))
    return found


def percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50_ms": round(cuts[49] * 1000, 1), "p99_ms": round(cuts[98] * 1000, 1)}


async def at_rate(session: aiohttp.ClientSession, running: Stack, rate: float, seconds: float) -> dict[str, Any]:
    """Calls at a fixed rate, whether or not the earlier ones were answered."""
    sent: dict[str, float] = {}
    acknowledged: list[float] = []
    name = f"rate{rate:g}"

    async def one(number: int) -> None:
        begun = time.time()
        answer = await post(session, f"{running.url}/api/v1/calls", call(running, name, number))
        acknowledged.append(time.time() - begun)
        sent[answer["id"]] = begun

    cpu_before = running.cpu_by_part()
    start = time.monotonic()
    tasks = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    await asyncio.sleep(2)
    cpu = {part: used - cpu_before[part] for part, used in running.cpu_by_part().items()}
    accepted = await accepted_at(session, running, sent)
    return {
        "calls_per_s": rate,
        "calls": len(sent),
        "texts": len(accepted),
        "acknowledged": percentiles(acknowledged),
        "hang_up_to_accepted": percentiles([accepted[key] - sent[key] for key in accepted]),
        "cpu_ms_per_call": round(sum(cpu.values()) / len(sent) * 1000, 1),
        "of_which": {part: round(used / len(sent) * 1000, 1) for part, used in cpu.items()},
    }


async def burst(session: aiohttp.ClientSession, running: Stack, calls: int) -> dict[str, Any]:
    """As many calls as are taken with 16 at a time in flight; over when the last text was accepted."""
    sent: dict[str, float] = {}
    numbers = iter(range(calls))

    async def sender() -> None:
        for number in numbers:
            answer = await post(session, f"{running.url}/api/v1/calls", call(running, "burst", 100_000 + number))
            sent[answer["id"]] = time.time()

    begun = time.time()
    await asyncio.gather(*(sender() for _ in range(16)))
    taken_s = time.time() - begun
    accepted = await accepted_at(session, running, sent)
    return {
        "calls": calls,
        "texts": len(accepted),
        "taken_per_s": round(calls / taken_s, 1),
        "sent_per_s": round(len(accepted) / (max(accepted.values()) - begun), 1),
    }


async def measure(rates: list[float], seconds: float, calls: int) -> dict[str, Any]:
    with stack() as running:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(
            headers=headers, connector=aiohttp.TCPConnector(limit=64), timeout=aiohttp.ClientTimeout(60)
        ) as session:
            await ready(session, running)
            await set_up(session, running)
            await asyncio.sleep(25)  # idle: threads and their connections have gone home
            idle = pss_mb([*running.pids(), running.sandbox.pid])
            results = {
                "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
                "idle_mb": round(idle),
                "at_rate": [await at_rate(session, running, rate, seconds) for rate in rates],
                "burst": await burst(session, running, calls),
            }
            results["after_load_mb"] = round(pss_mb([*running.pids(), running.sandbox.pid]))
            return results


def show(results: dict[str, Any]) -> None:
    print(
        f"{results['machine']}; idle {results['idle_mb']} MB, after load {results['after_load_mb']} MB (PSS, all)"
    )
    print("calls/s  calls  texts  ack p50     p99  accepted p50     p99  CPU ms a call")
    for row in results["at_rate"]:
        ack, accepted = row["acknowledged"], row["hang_up_to_accepted"]
        parts = ", ".join(f"{part} {used}" for part, used in row["of_which"].items())
        print(
            f"{row['calls_per_s']:>7g} {row['calls']:>6} {row['texts']:>6} {ack['p50_ms']:>8} {ack['p99_ms']:>7} "
            f"{accepted['p50_ms']:>13} {accepted['p99_ms']:>7}  {row['cpu_ms_per_call']} ({parts})"
        )
    row = results["burst"]
    print(
        f"burst of {row['calls']}: taken at {row['taken_per_s']}/s, {row['texts']} texts at {row['sent_per_s']}/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="10,50", help="calls a second, one run each")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--burst", type=int, default=1500, help="calls of the closed-loop run")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    results = asyncio.run(measure([float(rate) for rate in given.rates.split(",")], given.seconds, given.burst))
    print(json.dumps(results, indent=2)) if given.json else show(results)


if __name__ == "__main__":
    main()
