"""Follow-ups a day as stacked bars: x in per cent, y in pixels, so that type keeps its size at any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.formats import date_format

from postcall.dashboard.figures import Day

BASE: Final = 274.0
TOP: Final = 12.0
FIRST_X: Final = 9.31
STEP_X: Final = 6.572
WIDTH: Final = 3.94
GAP: Final = 2.0
# What happened is seen, however little it is beside the rest.
LEAST: Final = 3.0
_TICKS: Final = 4


@dataclass(frozen=True)
class Part:
    css: str
    y: str
    height: str


@dataclass(frozen=True)
class Bar:
    title: str
    x: str
    middle: str
    label: str
    parts: list[Part]
    hidden_on_phones: bool


@dataclass(frozen=True)
class Tick:
    value: int
    y: str
    text_y: str


@dataclass(frozen=True)
class Chart:
    title: str
    ticks: list[Tick]
    bars: list[Bar]
    width: str


def chart(days: Sequence[Day]) -> Chart:
    """Of days of which the last is today."""
    step = _step(max(day.bars for day in days))
    top = step * _TICKS
    return Chart(
        _title(days),
        [_tick(step * number, top) for number in range(_TICKS + 1)],
        [_bar(number, day, top, is_today=number == len(days) - 1) for number, day in enumerate(days)],
        f"{WIDTH}%",
    )


def name_of(day: Day, *, is_today: bool) -> str:
    return "Today so far" if is_today else date_format(day.date, "D j M")


def _step(most: int) -> int:
    """The smallest 1, 2, 2.5 or 5 times a power of ten of which _TICKS reach the highest bar."""
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size // 2 if size > 1 else 0, 5 * size):
            if step and step * _TICKS >= most:
                return step
        size *= 10


def _title(days: Sequence[Day]) -> str:
    delivered = [day.delivered for day in days]
    first, last = date_format(days[0].date, "j F"), date_format(days[-1].date, "j F")
    return (
        f"Follow-ups a day, {first} to {last}: between {min(delivered):,} and {max(delivered):,} delivered, "
        f"at most {max(day.failed for day in days):,} failed. The table below has every figure."
    )


def _tick(value: int, top: int) -> Tick:
    y = BASE - (BASE - TOP) * value / top
    return Tick(value, f"{y:.1f}", f"{y + 4:.1f}")


def _bar(number: int, day: Day, top: int, *, is_today: bool) -> Bar:
    x = FIRST_X + number * STEP_X
    words = f"{day.delivered:,} delivered, {day.failed:,} failed, {day.skipped:,} skipped"
    return Bar(
        f"{name_of(day, is_today=is_today)}: {words}" + (f", {day.other:,} under way" if day.other else ""),
        f"{x:.2f}%",
        f"{x + WIDTH / 2:.2f}%",
        str(day.date.day),
        _parts(day, top),
        number % 2 == 0,
    )


def _parts(day: Day, top: int) -> list[Part]:
    parts: list[Part] = []
    y = BASE
    for css, value in (("delivered", day.delivered), ("skipped", day.skipped), ("failed", day.failed)):
        if not value:
            continue
        space = GAP if parts else 0.0
        height = max(LEAST, (BASE - TOP) * value / top - space)
        y -= height + space
        parts.append(Part(css, f"{y:.1f}", f"{height:.1f}"))
    return parts
