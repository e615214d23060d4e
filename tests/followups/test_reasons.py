import pytest

from postcall.followups.models import Reason
from postcall.followups.reasons import explain


@pytest.mark.parametrize("reason", Reason.values)
def test_it_says_what_every_reason_means_and_what_to_do(reason: str) -> None:
    text = explain(reason)
    assert text.count(".") >= 2
    assert "_" not in text
