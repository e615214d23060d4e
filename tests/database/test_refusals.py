"""Each thing that can stand in the way is one clear error, and leaves nothing running."""

import os
from pathlib import Path

import pytest

from postcall.database.embedded import EmbeddedDatabase, EmbeddedDatabaseError, prepare_data_dir, running

from .servers import server_processes


def refusal(data_dir: Path) -> str:
    with pytest.raises(EmbeddedDatabaseError) as refused, running(data_dir):
        pass
    return str(refused.value)


def test_it_refuses_another_major_version_and_says_how_to_move(data_dir: Path) -> None:
    (EmbeddedDatabase(data_dir).cluster / "PG_VERSION").write_text("17\n")
    said = refusal(data_dir)
    assert "made by PostgreSQL 17; this Postcall runs 18" in said
    assert "pg_dump" in said
    assert "load the dump" in said


def test_it_refuses_a_folder_without_a_database_in_it(data_dir: Path) -> None:
    (EmbeddedDatabase(data_dir).cluster / "PG_VERSION").unlink()
    assert "holds no PostgreSQL database" in refusal(data_dir)


def test_it_says_that_the_files_are_damaged(data_dir: Path) -> None:
    control = EmbeddedDatabase(data_dir).cluster / "global" / "pg_control"
    control.write_bytes(b"\0" * control.stat().st_size)
    said = refusal(data_dir)
    assert "files are damaged" in said
    assert "put a copy of it back" in said
    assert "incompatible with server" in said
    assert server_processes(data_dir) == []


def test_it_quotes_the_log_when_a_setting_is_wrong(data_dir: Path) -> None:
    with (EmbeddedDatabase(data_dir).cluster / "postgresql.conf").open("a") as configuration:
        configuration.write("shared_buffers = lots\n")
    said = refusal(data_dir)
    assert "Correct postgresql.conf" in said
    assert 'invalid value for parameter "shared_buffers": "lots"' in said


def test_it_refuses_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "data folder cannot be used" in refusal(tmp_path / "file")


def test_it_refuses_a_folder_that_others_write_to(tmp_path: Path) -> None:
    (tmp_path / "theirs").touch()
    tmp_path.chmod(0o777)
    assert "Others may write to the data folder" in refusal(tmp_path)


def test_it_makes_the_data_folder_for_its_owner_alone(tmp_path: Path) -> None:
    assert prepare_data_dir(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_it_closes_an_empty_folder_to_others(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o755)
    assert prepare_data_dir(tmp_path / "empty").stat().st_mode & 0o777 == 0o700


def test_it_leaves_the_mode_of_a_folder_with_other_things_alone(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "theirs").touch()
    folder.chmod(0o755)
    assert prepare_data_dir(folder).stat().st_mode & 0o777 == 0o755


def test_it_writes_the_password_for_its_owner_alone(data_dir: Path) -> None:
    with running(data_dir):
        info = os.stat(data_dir / "database-password")
    assert info.st_mode & 0o777 == 0o600
    assert info.st_uid == os.getuid()
