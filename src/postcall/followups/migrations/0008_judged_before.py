"""Moves what earlier verdicts say of their judge, and of what it took, from their JSON to the columns, some at a time;
then builds, beside the work that goes on, the index that counts and sums of it are read from.

Begun again where it was cut short: what is moved stays so, and an unfinished index is built anew.
"""

import json
import re
from decimal import Decimal
from typing import Any

from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

BATCH = 1000
_PROMPT = re.compile(r"\(prompt ([^)]+)\)$")

_FIND = """
WITH batch AS (SELECT id, verdict FROM follow_up WHERE id > %s ORDER BY id LIMIT %s)
SELECT id, verdict->>'judge', verdict->>'usage' FROM batch
WHERE jsonb_typeof(verdict) = 'object' AND (verdict ? 'judge' OR verdict ? 'usage')
"""
_NEXT = "SELECT max(id::text) FROM (SELECT id FROM follow_up WHERE id > %s ORDER BY id LIMIT %s) batch"
_MOVE = """
UPDATE follow_up f
SET judge = left(moved.judge, 200), prompt = left(moved.prompt, 40), judge_requests = moved.requests,
    judge_input_tokens = moved.put_in, judge_output_tokens = moved.got_out, judge_cost_usd = moved.cost,
    verdict = nullif(f.verdict - 'judge' - 'usage', '{}'::jsonb)
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::numeric[])
     AS moved (id, judge, prompt, requests, put_in, got_out, cost)
WHERE f.id = moved.id
"""


def move(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    connection = schema_editor.connection
    last: Any = "00000000-0000-0000-0000-000000000000"
    while last is not None:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(_FIND, [last, BATCH])
            if rows := [_moved(*row) for row in cursor.fetchall()]:
                cursor.execute(_MOVE, [list(column) for column in zip(*rows, strict=True)])
            cursor.execute(_NEXT, [last, BATCH])
            last = cursor.fetchone()[0]


def _moved(key: Any, judge: str | None, usage: str | None) -> tuple[Any, ...]:
    judge, used = judge or "", json.loads(usage or "{}")
    requests, put_in, got_out = (_number(used.get(name)) for name in ("requests", "input_tokens", "output_tokens"))
    prompt = _PROMPT.search(judge)
    cost = _cost(judge.partition(" (")[0], put_in, got_out) if requests else Decimal(0)
    return key, judge, prompt[1] if prompt else "", requests, put_in, got_out, cost


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


_prices: dict[str, tuple[Decimal, Decimal] | None] = {}


def _cost(model: str, put_in: int, got_out: int) -> Decimal | None:
    """In USD by list prices, as it was reckoned of these verdicts until now."""
    if model not in _prices:
        _prices[model] = _price_of(model)
    price = _prices[model]
    return None if price is None else (price[0] * put_in + price[1] * got_out) / 1000


def _price_of(model: str) -> tuple[Decimal, Decimal] | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    provider, _, name = model.partition(":")
    try:
        return (
            calc_price(Usage(input_tokens=1000), name, provider_id=provider).total_price,
            calc_price(Usage(output_tokens=1000), name, provider_id=provider).total_price,
        )
    except LookupError:
        return None


def back(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Into the JSON again, where the version before reads it."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE follow_up SET verdict = coalesce(verdict, '{}') || jsonb_build_object('judge', judge, 'usage',
                jsonb_build_object('requests', judge_requests, 'input_tokens', judge_input_tokens,
                                   'output_tokens', judge_output_tokens))
            WHERE judge <> ''
            """
        )


INDEX = (
    "CREATE INDEX CONCURRENTLY follow_up_judged ON follow_up (workspace_id, id) INCLUDE (created_at, action_id,"
    " attachment_id, call_id, judge, result, judge_requests, judge_input_tokens, judge_output_tokens, judge_cost_usd,"
    " judge_s) WHERE judge <> ''"
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("followups", "0007_judged")]

    operations = [
        migrations.RunPython(move, back),
        migrations.RunSQL(
            ["DROP INDEX CONCURRENTLY IF EXISTS follow_up_judged", INDEX], "DROP INDEX IF EXISTS follow_up_judged"
        ),
    ]
