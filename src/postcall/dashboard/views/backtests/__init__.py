"""Backtests: an action's words, as they are or as they might be, tried on many calls at once."""

from postcall.dashboard.views.backtests.beginning import backtests, begin, estimate, words
from postcall.dashboard.views.backtests.changing import cancel, case, delete, go_on
from postcall.dashboard.views.backtests.showing import backtest, export, item, live

__all__ = [
    "backtest",
    "backtests",
    "begin",
    "cancel",
    "case",
    "delete",
    "estimate",
    "export",
    "go_on",
    "item",
    "live",
    "words",
]
