"""A workspace with its keys, and a client that speaks to it as a script written for Synthflow does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from postcall.actions.models import Action, Attachment
from postcall.config import config
from postcall.workspaces.models import ApiKey, Workspace


@dataclass
class Script:
    """One key's way into /v2."""

    workspace: Workspace
    key: str
    client: Client = field(default_factory=Client)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        response = self.client.generic(method, f"/v2{path}", data, content_type="application/json", headers=given)
        return response.status_code, json.loads(response.content) if response.content else None

    def get(self, path: str) -> Any:
        status, said = self.call("GET", path)
        assert status == 200, said
        return said["response"]

    def post(self, path: str, body: Any) -> Any:
        status, said = self.call("POST", path, body)
        assert status == 200, said
        return said

    def action(self, content: str = "Hi <customer_name>!", instructions: str = "After a booking") -> str:
        made = self.post("/actions", {"SEND_SMS": {"content": content, "instructions": instructions}})
        return str(made["response"]["action_id"])

    def attached(self, model_id: str = "m-1", **of_action: str) -> Attachment:
        action_id = self.action(**of_action)
        self.post("/actions/attach", {"model_id": model_id, "actions": [action_id]})
        return Attachment.objects.get(action=action_id)


def script_for(name: str, scope: str = "admin") -> Script:
    workspace, _ = Workspace.objects.get_or_create(name=name)
    _, key = ApiKey.issue(workspace, "script", scope)
    return Script(workspace, key)


@pytest.fixture
def a_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The judge is a language model, which reads values."""
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:of-the-tests")
    config.cache_clear()
    yield
    monkeypatch.undo()
    config.cache_clear()


@pytest.fixture
def script(db: None, a_model: None) -> Script:
    return script_for("Northgate Clinic")


def message_of(action_id: str) -> str:
    revision = Action.objects.select_related("revision").get(pk=action_id).revision
    assert revision is not None
    return revision.message
