import os
from pathlib import Path

from postcall.database.embedded import generated_secret


def test_it_makes_a_secret_once(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert generated_secret(data_dir, "secret-key", lambda: "first") == "first"
    assert generated_secret(data_dir, "secret-key", lambda: "second") == "first"


def test_it_keeps_a_secret_for_its_owner_alone(tmp_path: Path) -> None:
    generated_secret(tmp_path / "data", "secret-key", lambda: "value")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "secret-key").stat().st_mode & 0o777 == 0o600


def test_it_gives_many_processes_the_same_secret(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    children = []
    for _ in range(8):
        child = os.fork()
        if child == 0:
            secret = generated_secret(tmp_path / "data", "secret-key", lambda: str(os.getpid()))
            os.write(writer, f"{secret}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(writer)
    for child in children:
        os.waitpid(child, 0)
    with open(reader) as pipe:
        assert len(set(pipe.read().split())) == 1
