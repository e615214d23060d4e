"""A Twilio that refuses, fails, cuts, hangs, and does not know what it has."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from .ledger import Verdict
from .scenario import Run, Scenario

REFUSES = {"refuse_429": 0.10}
FAILS = {"error_500_before": 0.05, "error_500_after": 0.05}
CUTS = {"cut_before": 0.05, "cut_after": 0.05}
HANGS = {"hang_before": 0.01, "hang_after": 0.01}
EVERYTHING = REFUSES | FAILS | CUTS | HANGS
LOSES_CALLBACKS = {"drop_callback": 1.0}
MIXES_CALLBACKS = {
    "drop_callback": 0.2,
    "double_callback": 0.3,
    "delay_callback": 0.2,
    "reorder_callbacks": 0.3,
    "slow": 0.3,
}
# Seconds, as the service counts them.
_LIST_LAG_S = 20.0
_HANG_S = 60.0


def _with(
    faults: Mapping[str, float], *, list_fails_s: float = 0.0, list_lag_s: float = 0.0
) -> Callable[[Run], Verdict]:
    """All calls under `faults`; for `list_fails_s` beyond the last of them the list cannot be read either."""

    def strike(run: Run) -> Verdict:
        deployment = run.deployment
        quantities = {
            "hang_s": deployment.paced(_HANG_S),
            "list_lag_s": deployment.paced(list_lag_s),
            "slow_ms": 50.0,
            "delay_callback_s": 0.5,
            "retry_after_s": 0.0,
        }
        now = {**faults, **quantities}
        deployment.sandbox.faults = now | ({"list_error": 1.0} if list_fails_s else {})
        with run.burst().running() as burst:
            pass
        if list_fails_s:
            deployment.sleep(list_fails_s)
            deployment.sandbox.faults = now
        since = max(burst.ended_at, time.monotonic() if list_fails_s else 0.0)
        verdict = run.verdict(since)
        run.struck = sum(deployment.sandbox.fired.values())
        return verdict

    return strike


ALL = (
    Scenario("twilio-refuses", "Twilio: 10 % refused with 429", _with(REFUSES)),
    Scenario("twilio-fails", "Twilio: 10 % answered 500, half of them accepted", _with(FAILS)),
    Scenario("twilio-cuts", "Twilio: 5 % cut before and 5 % after accepting", _with(CUTS)),
    Scenario("twilio-hangs", "Twilio: 2 % never answered", _with(HANGS)),
    Scenario("twilio-list-lags", "Twilio: 10 % cut, its list 20 s behind", _with(CUTS, list_lag_s=_LIST_LAG_S)),
    Scenario("twilio-list-fails", "Twilio: 10 % cut, its list failing for 60 s", _with(CUTS, list_fails_s=60.0)),
    Scenario(
        "twilio-everything",
        "Twilio: all of these together",
        _with(EVERYTHING, list_lag_s=_LIST_LAG_S, list_fails_s=60.0),
    ),
    Scenario(
        "twilio-no-callbacks",
        "Twilio: all of these, and every callback lost",
        _with(EVERYTHING | LOSES_CALLBACKS, list_lag_s=_LIST_LAG_S, list_fails_s=60.0),
    ),
    Scenario(
        "callbacks-mixed", "callbacks lost, doubled, late, reordered, before the response", _with(MIXES_CALLBACKS)
    ),
)
