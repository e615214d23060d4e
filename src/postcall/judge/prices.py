"""What a language model's tokens cost by its vendor's list prices."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Final

from postcall.config import CASCADE

# To a billionth of a dollar, as the columns that keep it: a short question to a cheap model costs some millionths.
_PLACES: Final = Decimal("1e-9")


@cache
def _price_of(model: str) -> tuple[Decimal, Decimal] | None:
    """USD of a thousand tokens, put in and got out; None: no price is known."""
    # Comes with the language-model judge, takes a moment to load, and its prices are a file of its own: nothing is
    # asked of the network.
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    provider, _, name = model.partition(":")
    thousand = 1_000  # few enough for the price of a short request, which ours are
    try:
        put_in = calc_price(Usage(input_tokens=thousand), name, provider_id=provider).total_price
        got_out = calc_price(Usage(output_tokens=thousand), name, provider_id=provider).total_price
    except LookupError:
        return None
    return put_in, got_out


def cost(judge: str, input_tokens: int, output_tokens: int) -> Decimal | None:
    """In USD. `judge` is a judge's name, such as `openai:gpt-4.1 (prompt 3)` or `cascade:openai:gpt-4.1`; None: no
    price is known for that model, or it has none."""
    if not input_tokens and not output_tokens:
        return Decimal(0)
    price = _price_of(judge.removeprefix(CASCADE).partition(" (")[0])
    if price is None:
        return None
    return ((price[0] * input_tokens + price[1] * output_tokens) / 1_000).quantize(_PLACES)
