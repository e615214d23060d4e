from __future__ import annotations

import pytest
from followups.clinic import Clinic


@pytest.fixture
def clinic(db: None) -> Clinic:
    return Clinic()
