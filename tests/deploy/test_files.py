"""What docs/deploy.md and its files name exists: settings, commands, files, accounts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from postcall.cli.app import app
from postcall.config import _KNOWN, _PROVIDER_SECRETS, _SECRETS

from .files import COMPOSE, EVERYTHING, PAGE, ROOT, UNITS, commands_on_the_page, directives, instructions, stages

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # a group has commands
FILES = {f"{name}_FILE" for name in (*_SECRETS, *_PROVIDER_SECRETS)}
SETTING = re.compile(r"\b(?:POSTCALL_[A-Z_]+|TWILIO_[A-Z_]+|DATABASE_URL(?:_FILE)?|OPENAI_API_KEY(?:_FILE)?)\b")


@pytest.mark.parametrize("path", EVERYTHING, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_names_settings_that_exist(path: Path) -> None:
    named = {name for name in SETTING.findall(path.read_text()) if not name.endswith("_")}
    assert named <= _KNOWN | FILES | set(_PROVIDER_SECRETS)


def test_it_reads_its_example_environment(tmp_path: Path) -> None:
    example = (ROOT / "deploy/environment.example").read_text()
    given = dict(re.findall(r"^#?([A-Z_]+)=(.+)$", example, re.M))
    assert {"POSTCALL_PUBLIC_URL", "DATABASE_URL", "POSTCALL_JUDGE_MODEL"} <= given.keys()
    looked = subprocess.run(
        [
            sys.executable,
            "-c",
            "from postcall.config import config; print(config().base_url)",
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}
        | given
        | {"POSTCALL_ADMIN_PASSWORD": "x"},
        capture_output=True,
        text=True,
    )
    assert looked.stdout.strip() == given["POSTCALL_PUBLIC_URL"], looked.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_starts_commands_that_exist(unit: Path) -> None:
    (start,) = [value for name, value in directives(unit) if name == "ExecStart"]
    program, command, *rest = start.split()
    assert (program, rest) == ("/opt/postcall/bin/postcall", [])
    assert command in COMMANDS


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_gives_what_was_begun_time_to_end(unit: Path) -> None:
    from postcall.cli.processes import STOP_S
    from postcall.worker.loop import STOP_S as WORKER_STOP_S

    told = dict(directives(unit))
    if told["Type"] != "oneshot":
        assert told["KillMode"] == "mixed"  # the embedded database is not told to end before its users
        assert int(told["TimeoutStopSec"]) > max(STOP_S, WORKER_STOP_S)


def test_its_units_are_alike() -> None:
    """The account, the environment and the sandbox are the same for all parts."""
    own = {"ExecStart", "Description", "After", "Type", "KillMode", "Restart", "RestartSec", "RemainAfterExit"}
    own |= {"StartLimitIntervalSec", "TimeoutStopSec", "LimitNOFILE", "OOMPolicy"}
    shared = [{pair for pair in directives(unit) if pair[0] not in own} for unit in UNITS]
    assert len(shared) == 4
    assert all(one == shared[0] for one in shared)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd on this machine")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_reads_its_units(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/postcall/bin/postcall", "/bin/true"))
    read = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    # What other units on this machine have wrong is not ours.
    assert [line for line in read.stderr.splitlines() if "postcall" in line] == []


@pytest.mark.parametrize("command", commands_on_the_page(), ids=" ".join)
def test_it_tells_to_type_commands_that_exist(command: list[str]) -> None:
    words = iter(command)
    known: Any = get_command(app)
    while hasattr(known, "commands"):
        known = known.commands[next(words)]
    options = {option for parameter in known.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", PAGE.read_text()))
def test_its_links_lead_somewhere(link: str) -> None:
    assert (PAGE.parent / link).exists()


def test_it_copies_into_the_image_what_is_there() -> None:
    sent = _sent_to_the_build()
    for word, rest in instructions():
        if word != "COPY" or rest.startswith("--from"):
            continue
        *sources, _ = rest.split()
        assert set(sources) <= sent
        for source in sources:
            assert (ROOT / source).exists()


def _sent_to_the_build() -> set[str]:
    """What .dockerignore lets through, and what lies in a folder that it lets through."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    inside = [
        str(path.relative_to(ROOT)) for name in kept if (ROOT / name).is_dir() for path in (ROOT / name).iterdir()
    ]
    return {*kept, *inside}


def test_the_image_is_made_of_what_its_stages_leave() -> None:
    build, final = stages()
    (copied,) = [rest.split() for word, rest in final if word == "COPY"]
    assert copied == ["--from=build", "/opt/postcall", "/opt/postcall"]
    assert any("python -m venv /opt/postcall" in rest for word, rest in build if word == "RUN")
    assert any(rest.startswith("python:3.11-slim") for word, rest in final if word == "FROM")
    told = dict(final)
    accounts = " ".join(rest for word, rest in final if word == "RUN")
    assert f" {told['USER']} " in f"{accounts} "
    assert told["WORKDIR"] in accounts
    assert f"POSTCALL_DATA_DIR={told['VOLUME']}" in told["ENV"]
    assert (told["ENTRYPOINT"], told["CMD"]) == ('["postcall"]', '["up"]')
    assert "/healthz" in told["HEALTHCHECK"]


def test_the_image_installs_what_is_pinned() -> None:
    pinned = [
        rest for word, rest in instructions() if word == "RUN" and "pip install" in rest and "wheels" not in rest
    ]
    assert len(pinned) == 2
    assert all("--require-hashes -r requirements/" in rest for rest in pinned)


def test_compose_runs_parts_that_exist() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    ours = {name: service for name, service in services.items() if service["image"] == "postcall"}
    assert {name: service["command"] for name, service in ours.items()} == {
        name: [name] for name in ("migrate", "web", "worker")
    }
    assert all(service["command"][0] in COMMANDS for service in ours.values())
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in ours.values())
    for name in ("web", "worker"):
        assert ours[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_compose_asks_for_no_more_than_the_page_sets() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text()))
    assert asked == set(re.findall(r"^([A-Z_]+)=", PAGE.read_text(), re.M))


def test_nginx_writes_no_address_into_a_log() -> None:
    """A webhook's address holds a token; lines below `emerg` name the address of their request."""
    servers = re.split(r"^server \{", (ROOT / "deploy/proxy/nginx.conf").read_text(), flags=re.M)[1:]
    assert len(servers) == 2
    for server in servers:
        assert re.findall(r"^\s*access_log (.+);", server, re.M) == ["off"]
        (errors,) = re.findall(r"^\s*error_log (.+);", server, re.M)
        assert errors.split()[1] == "emerg"


def test_caddy_writes_no_address_into_a_log() -> None:
    options, _, site = (ROOT / "deploy/proxy/Caddyfile").read_text().partition("postcall.example.org {")
    assert re.search(r"log \{\s+exclude http\.log\.error\s+\}", options)
    assert "log" not in re.findall(r"^\s*(\w+)", site, re.M)


def test_its_alerts_ask_for_metrics_that_exist() -> None:
    from inspect import getsource

    from postcall.api import operations

    rules = yaml.safe_load((ROOT / "deploy/monitoring/alerts.yml").read_text())["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"postcall_\w+", rule["expr"])}
    assert named
    assert all(f'"{name}"' in getsource(operations) for name in named)
    assert {rule["alert"] for rule in rules} == set(re.findall(r"^\| `(Postcall\w+)`", PAGE.read_text(), re.M))
