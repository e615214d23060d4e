"""Which actions came over from Synthflow, so that they come over once."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from postcall.actions.models import Action
from postcall.workspaces.models import Workspace


class ImportedAction(models.Model):
    """An action under the id that Synthflow has for it. `digest` is of what Synthflow said of it then."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    action = models.ForeignKey(Action, models.CASCADE, related_name="+")
    external_id = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "imported_action"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["workspace", "external_id"], name="imported_action_once")
        ]
