"""Logs tell what happened, and neither a full number nor a text."""

import json
import subprocess
import sys

import pytest

from postcall.logs import scrubbed


def logged(code: str, form: str = "json") -> str:
    """What a process that logs prints; a process of its own, since logging is set up once."""
    script = (
        f"from postcall.logs import configure_logs\nconfigure_logs({form!r})\nimport structlog, logging\n{code}"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60).stderr


def test_it_writes_one_json_object_a_line() -> None:
    (line,) = logged("structlog.get_logger('postcall.x').info('sent', to='+14155550132', segments=2)").splitlines()
    event = json.loads(line)
    assert (event["event"], event["to"], event["segments"], event["level"]) == ("sent", "…0132", 2, "info")


@pytest.mark.parametrize("form", ["json", "console"])
def test_it_masks_numbers_wherever_they_stand(form: str) -> None:
    code = (
        "log = structlog.get_logger('postcall.x')\n"
        "log.warning('no answer from +14155550132', why='14155550132 is gone')\n"
        "try:\n    raise ValueError('row (+14155550132)')\nexcept ValueError:\n    log.exception('failed')\n"
        "logging.getLogger('library').warning('calling +14155550132')"
    )
    written = logged(code, form)
    assert "4155550132" not in written
    assert written.count("0132") >= 4


def test_it_names_no_address_of_refused_requests() -> None:
    written = logged("logging.getLogger('django.request').warning('Not Found: /in/generic/a-token')")
    assert "a-token" not in written


@pytest.mark.parametrize(
    "address",
    ["/invitations/a-token", "/reset/MDFh/a-token", "/set-up/a-token", "/sign-in?next=%2Finvitations%2Fa-token"],
)
def test_it_names_no_link_that_opens_a_door(address: str) -> None:
    written = scrubbed(f"GET {address} took long")
    assert "a-token" not in written
    assert written.endswith(" took long")
