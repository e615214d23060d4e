"""What cannot be done is one line that names the setting or the option, and the right exit code."""

import socket

import pytest

from .conftest import Run


@pytest.mark.parametrize(
    "arguments",
    [("sandbox", "--fault", "foo=1"), ("ingest", "--no-such-option", "call.json"), ("up", "--port", "0")],
)
def test_it_tells_a_wrong_use_by_its_exit_code(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert (ended.code, "Traceback" in ended.err) == (2, False)


@pytest.mark.parametrize("command", ["web", "up"])
def test_it_names_a_port_that_is_taken(run: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("POSTCALL_PORT", str(taken.getsockname()[1]))
        ended = run(command)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith("postcall: POSTCALL_PORT: cannot listen")


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
@pytest.mark.parametrize("command", ["web", "up"])
def test_it_names_a_host_that_is_not_ours(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, host: str
) -> None:
    monkeypatch.setenv("POSTCALL_HOST", host)
    ended = run(command)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith("postcall: POSTCALL_HOST: ")


def test_it_prints_an_error_with_brackets_as_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTCALL_DATA_DIR", "/dev/null/[/red]")
    monkeypatch.delenv("DATABASE_URL")
    ended = run("key", "list")
    assert ended.code == 1
    assert "/dev/null" in ended.err
