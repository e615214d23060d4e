"""An alert as a mail and as a webhook says it. Neither holds a customer's number or words."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from django.urls import reverse

from postcall.alerts.matters import counted
from postcall.alerts.models import AlertDelivery
from postcall.config import config
from postcall.workspaces.models import Workspace

RAISED: Final = "attention.raised"
SETTLED: Final = "attention.settled"
TEST: Final = "attention.test"

Item = dict[str, Any]


def overview_of(workspace: Workspace) -> str:
    return config().base_url + reverse("overview", args=[workspace.pk])


def subject(delivery: AlertDelivery, workspace: Workspace) -> str:
    raised, settled = _items(delivery)
    if delivery.test:
        return f"{workspace.name}: a test alert of Postcall"
    if len(raised) == 1 and not settled:
        return f"{workspace.name}: {raised[0]['title']}"
    if raised:
        return (
            f"{workspace.name}: {counted(len(raised), 'thing')} {'needs' if len(raised) == 1 else 'need'} attention"
        )
    if len(settled) == 1:
        return f"{workspace.name}: over – {settled[0]['title']}"
    return f"{workspace.name}: {len(settled)} things are over"


def mail(delivery: AlertDelivery, workspace: Workspace) -> str:
    raised, settled = _items(delivery)
    parts = [f"Postcall, workspace {workspace.name}"]
    if delivery.test:
        parts.append("This is a test: alerts of this workspace arrive here.")
    if raised:
        parts.append("Needs attention\n\n" + "\n\n".join(f"- {each['title']}\n  {each['mend']}" for each in raised))
    if settled:
        parts.append("Over\n\n" + "\n".join(f"- {each['title']} (since {_when(each)})" for each in settled))
    parts.append(f"How it stands now: {overview_of(workspace)}")
    parts.append("An owner of the workspace chose to have this sent here, under Settings, Alerts.")
    return "\n\n".join(parts) + "\n"


def webhook(delivery: AlertDelivery, workspace: Workspace) -> bytes:
    """The body of a Standard Webhook: {"type", "timestamp", "data"}."""
    raised, settled = _items(delivery)
    kind = TEST if delivery.test else RAISED if raised else SETTLED
    return json.dumps(
        {
            "type": kind,
            "timestamp": delivery.made_at.isoformat().replace("+00:00", "Z"),
            "data": {
                "workspace": {"id": str(workspace.pk), "name": workspace.name},
                "url": overview_of(workspace),
                "items": raised or settled,
            },
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def _items(delivery: AlertDelivery) -> tuple[list[Item], list[Item]]:
    return delivery.content.get("raised", []), delivery.content.get("settled", [])


def _when(item: Item) -> str:
    return f"{datetime.fromisoformat(item['since']):%Y-%m-%d %H:%M} UTC"
