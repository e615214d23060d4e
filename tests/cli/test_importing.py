"""`postcall import synthflow`, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from synthflow.stand_in import KEY, StandIn, agent, entry, extractor, sms, use

from postcall.actions.models import Attachment
from postcall.workspaces.models import AuditEntry

from .conftest import Run


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("SYNTHFLOW_API_KEY", KEY)
    used = use("m-1", entry("customer_name", "prompt_variables"))
    with StandIn([agent("m-1", "Front [/bold] desk")], [sms("a-1", uses=[used]), extractor("a-2")]) as stand_in:
        yield stand_in


def test_it_shows_what_it_would_make_and_makes_nothing(on_database: Run, there: StandIn) -> None:
    on_database("migrate")
    ended = on_database("import", "synthflow", "--base-url", there.url, "--dry-run")
    assert ended.code == 0, ended.err
    assert "Front [/bold] desk" in ended.out
    assert "3 make" in ended.out
    assert "1 INFORMATION_EXTRACTOR" in ended.err
    assert not Attachment.objects.exists()


def test_it_asks_for_yes_where_nobody_can_be_asked(on_database: Run, there: StandIn) -> None:
    ended = on_database("import", "synthflow", "--base-url", there.url)
    assert ended.code == 0
    assert "--yes" in ended.err
    assert not Attachment.objects.exists()


def test_it_imports_into_shadow_and_tells_of_it(on_database: Run, there: StandIn) -> None:
    ended = on_database("import", "synthflow", "--base-url", there.url, "--yes")
    assert ended.code == 0, ended.err
    assert "Made 1 agent, 1 action, 1 attachment." in ended.out
    assert "detach the action at Synthflow" in ended.err
    assert Attachment.objects.get().mode == "shadow"
    entries = AuditEntry.objects.filter(actor_kind="cli").order_by("pk").values_list("object_kind", flat=True)
    assert list(entries) == ["agent", "action", "attachment"]
    again = on_database("import", "synthflow", "--base-url", there.url, "--yes")
    assert (again.code, "3 here already" in again.out, "Nothing is left" in again.err) == (0, True, True)


def test_it_says_that_the_built_in_judge_reads_no_values(on_database: Run, there: StandIn) -> None:
    on_database("migrate")
    there.actions[:] = [sms("a-1", uses=[use("m-1", entry("customer_name", "llm"))])]
    ended = on_database("import", "synthflow", "--base-url", there.url, "--dry-run")
    assert ended.code == 0
    assert "Of 1 input the value is read from the transcript" in ended.err


def test_it_tells_a_program(on_database: Run, there: StandIn) -> None:
    told = json.loads(on_database("import", "synthflow", "--base-url", there.url, "--json").out)
    assert told["made"] is None
    assert [step["does"] for step in told["steps"]] == ["make"] * 3
    told = json.loads(
        on_database("import", "synthflow", "--base-url", there.url, "--json", "--yes", "--mode", "live").out
    )
    assert (told["made"], told["failed"], told["mode"]) == (3, [], "live")
    assert told["other_types"] == {"INFORMATION_EXTRACTOR": 1}


@pytest.mark.parametrize("way", ["option", "file"])
def test_it_takes_the_key_from_elsewhere(
    on_database: Run,
    there: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    way: str,
) -> None:
    monkeypatch.delenv("SYNTHFLOW_API_KEY")
    options = ["--key", KEY]
    if way == "file":
        file = tmp_path_factory.mktemp("key") / "key"
        file.write_text(f"{KEY}\n")
        monkeypatch.setenv("SYNTHFLOW_API_KEY_FILE", str(file))
        options = []
    ended = on_database("import", "synthflow", "--base-url", there.url, *options)
    assert ended.code == 0, ended.err
    assert KEY not in ended.out + ended.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--key", "sf-another-regions-key"], "--base-url https://api.eu.synthflow.ai/v2"),
        (["--base-url", "http://api.synthflow.ai/v2"], "unencrypted"),
        (["--workspace", "Nobody's"], "there is no workspace"),
    ],
)
def test_it_fails_with_one_line_that_holds_no_key(
    on_database: Run, there: StandIn, options: list[str], said: str
) -> None:
    ended = on_database("import", "synthflow", "--base-url", there.url, *options)
    assert ended.code == 1
    assert said in ended.err
    assert "Traceback" not in ended.err
    for key in (KEY, "sf-another-regions-key"):
        assert key not in ended.out + ended.err


def test_it_asks_for_a_key(run: Run) -> None:
    ended = run("import", "synthflow")
    assert ended.code == 1
    assert "SYNTHFLOW_API_KEY" in ended.err


def test_it_refuses_to_confirm_what_changes_nothing(run: Run) -> None:
    assert run("import", "synthflow", "--dry-run", "--yes").code == 2
