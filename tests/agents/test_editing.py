"""Two who give the same id to two agents at the same instant: one of them is told."""

import threading

import pytest
from django.db import connections

from postcall.agents.editing import AgentContent, ExternalIdTaken, create_agent
from postcall.agents.models import Agent
from postcall.workspaces.models import Workspace


@pytest.mark.django_db(transaction=True)
def test_it_gives_an_id_to_one_agent_only() -> None:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    content = AgentContent.model_validate({"name": "Desk", "external_ids": [{"source": "vapi", "id": "asst-1"}]})
    results: list[str] = []
    together = threading.Barrier(4)

    def one() -> None:
        together.wait()
        try:
            create_agent(workspace, content)
            results.append("made")
        except ExternalIdTaken as taken:
            results.append(taken.agent.name)
        connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["Desk", "Desk", "Desk", "made"]
    assert Agent.objects.count() == 1
