from __future__ import annotations

from datetime import timedelta

import pytest
from dashboard.factories import a_workspace

from postcall.work import clock
from postcall.work.models import Worker
from postcall.workspaces.models import Workspace


@pytest.fixture
def workspace(db: None) -> Workspace:
    """A clinic whose worker runs."""
    soon = clock.now() + timedelta(hours=1)
    Worker.objects.create(host="here", pid=1, started_at=soon, seen_at=soon)
    return a_workspace()
