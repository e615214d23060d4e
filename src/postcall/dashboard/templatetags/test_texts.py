"""The card "Send a test to my phone", wherever an action's words are written."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from postcall.dashboard.views.test_texts import choices

register = template.Library()


@register.inclusion_tag("dashboard/actions/test_text_card.html", takes_context=True)
def test_text_card(context: Context) -> dict[str, Any]:
    """For a page with the form `action`, whose fields `message` and `action` are sent along."""
    visit = context["visit"]
    return {"visit": visit, "request": visit.request, **choices(visit)}
