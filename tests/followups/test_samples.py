"""The sample calls through the whole decision, with a judge that answers as their authors read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from postcall.actions.message import inputs_of
from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent, ExternalId
from postcall.calls.models import Call
from postcall.calls.receive import receive
from postcall.followups.models import FollowUp
from postcall.followups.process import process
from postcall.samples import Expected, SampleCall, load_calls, load_workspace
from postcall.work.leases import take
from postcall.workspaces.models import Workspace

from .clinic import KnowingJudge, WritingMessaging

NOW = datetime.now(UTC)
CALLS = {sample.name: sample for sample in load_calls(NOW) if sample.expected}


@pytest.fixture
def workspace(db: None) -> Workspace:
    workspace = Workspace.objects.create(name="Sample")
    written = load_workspace()
    agents, actions = {}, {}
    for agent in written.agents:
        body: dict[str, Any] = dict(agent.body)
        ids, sender = body.pop("external_ids"), body.pop("sender") or {}
        agents[agent.key] = Agent.objects.create(workspace=workspace, **body, **sender)
        for external in ids:
            ExternalId.objects.create(
                workspace=workspace,
                agent=agents[agent.key],
                source_kind=external["source"],
                external_id=external["id"],
            )
    for action in written.actions:
        body = dict(action.body)
        row = actions[action.key] = Action.objects.create(
            workspace=workspace, type=body.pop("type"), name=action.key
        )
        del body["name"]
        row.revision = Revision.objects.create(action=row, number=1, inputs=inputs_of(str(body["message"])), **body)
        row.save()
    for attachment in written.attachments:
        body = dict(attachment.body)
        body["recipient_override"] = body["recipient_override"] or ""
        Attachment.objects.create(
            workspace=workspace, agent=agents[attachment.agent], action=actions[attachment.action], **body
        )
    return workspace


def ideal_judge(sample: SampleCall) -> KnowingJudge:
    conditions = {action.key: str(action.body.get("condition", "")) for action in load_workspace().actions}
    assert sample.call.started_at
    return KnowingJudge(
        {conditions[key]: expected.verdict or "not_met" for key, expected in sample.expected.items()},
        {
            "the day on which the car is to be brought in": (sample.call.started_at + timedelta(days=1))
            .date()
            .isoformat()
        },
    )


def outcome(expected: Expected) -> tuple[str, str, str]:
    return expected.outcome, expected.reason or "", expected.verdict or ""


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_does_with_a_sample_call_what_its_author_expects(workspace: Workspace, sample: SampleCall) -> None:
    messaging = WritingMessaging()
    receive(workspace, None, "api", sample.call, b"{}")
    (call,) = take(Call, 1, timedelta(seconds=60))
    process(call, ideal_judge(sample), messaging)
    rows = {row.action.name: row for row in FollowUp.objects.filter(call=call).select_related("action")}
    assert {key: (row.outcome, row.reason, row.result) for key, row in rows.items()} == {
        key: outcome(expected) for key, expected in sample.expected.items()
    }
    for key, expected in sample.expected.items():
        assert all(part in rows[key].body for part in expected.says), rows[key].body
    assert {str(row.pk) for row, _ in messaging.drafts} == {
        str(row.pk) for row in rows.values() if row.outcome == "message"
    }
    assert Call.objects.get().status == "done"
    assert timezone.now() >= Call.objects.get().processed_at  # type: ignore[operator]  # a call that is done has it
