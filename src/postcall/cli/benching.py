"""`postcall bench judge`: how good a judge is on calls that somebody labelled; nothing stored, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from postcall.cli.judging import MOST_SHOWN, Model, Parallel, closed_after, put_to, read_rows, the_judge
from postcall.cli.output import err, fail, note, out, print_json
from postcall.config import config

if TYPE_CHECKING:
    from postcall.judge.measuring import Figures, Scored
    from postcall.judge.rows import Row
    from postcall.judge.verdicts import Judge

bench = typer.Typer(help="Measure what Postcall goes by.", no_args_is_help=True)
_BY = "kind,slice,source"
_NONE = "–"


@bench.callback()
def _bench() -> None:
    """A group, so that `judge` keeps its name although it is the only one."""


@bench.command("judge")
def judge(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help='One {"condition","label":0|1,"transcript":[…],"id"?} a line, also as .gz; - is stdin.',
        ),
    ],
    answers: Annotated[
        Path | None,
        typer.Option(help="Score these and ask nobody: {'id','answer'} a line, or what judge --batch wrote."),
    ] = None,
    model: Model = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many pairs.")] = None,
    by: Annotated[str, typer.Option(help="Fields of the rows to count apart by.")] = _BY,
    calibration: Annotated[
        bool, typer.Option("--calibration", help="How often it was met where the judge said how probable.")
    ] = False,
    parallel: Parallel = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say how often a judge is right. --model also takes `always` and `keywords`, which understand nothing."""
    if answers is not None and (model or parallel):
        raise typer.BadParameter("--answers asks no judge: give it without --model and --parallel")
    rows = _labelled(file, limit)
    names = _names(rows, by)
    failed: list[tuple[Row, str]] = []
    scored = _answered(rows, answers, whole=limit is None) if answers else _asked(rows, model, parallel, failed)
    judges = _judges(scored)
    if as_json:
        print_json(_report(file, judges, scored, names))
    else:
        _print(file, judges, scored, names, calibration)
    for row, failure in failed[:MOST_SHOWN]:
        err.print(Text.assemble(("no answer", "red"), f" id {row.id}: {failure}"))
    if failed:
        raise fail(f"{len(failed)} of {len(rows)} got no answer and count as unclear")


def _labelled(file: Path, limit: int | None) -> list[Row]:
    rows = read_rows(file)
    if not rows:
        raise fail(f"{file} holds no rows")
    for row in rows:
        if row.label is None:
            raise fail(f"{row.where}: `label` is needed: 1 where the condition was met, 0 where it was not")
    return rows[:limit]


def _names(rows: list[Row], by: str) -> list[str]:
    """The fields to count apart by: of the usual ones those that tell rows apart, of others all."""
    names = [name.strip() for name in by.split(",") if name.strip()]
    known = {name for row in rows for name in row.groups}
    if by == _BY:
        return [name for name in names if len({row.groups.get(name) for row in rows}) > 1]
    for name in names:
        if name not in known:
            has = ", ".join(sorted(known)) or "none"
            raise typer.BadParameter(f"no row has a field “{name}”; there are: {has}", param_hint="--by")
    return names


def _answered(rows: list[Row], path: Path, *, whole: bool) -> list[Scored]:
    from postcall.judge.rows import BadRow
    from postcall.judge.scoring import Answers

    try:
        answers = Answers.of(path)
    except BadRow as error:
        raise fail(str(error)) from None
    if whole and (strangers := answers.strangers(rows)):
        note(f"{strangers} of {len(answers.lines)} answers have an `id` that no row has; they count nowhere.")
    if cut := answers.cut_short(rows, config().judge_context):
        note(f"{cut} answers are about calls of several requests; what they say of the first part is what counts.")
    return [answers.scored(row) for row in rows]


def _asked(rows: list[Row], model: str | None, parallel: int | None, failed: list[tuple[Row, str]]) -> list[Scored]:
    from postcall.judge.scoring import scored, unanswered

    judge = _judge(model)
    found: dict[int, Scored] = {}
    with closed_after(judge):
        for asked in put_to(judge, [row.case for row in rows], parallel):
            row = rows[asked.position]
            if asked.judgement is None:
                failed.append((row, asked.failure))
                found[asked.position] = unanswered(row, "failed")
            else:
                found[asked.position] = scored(row, asked.judgement, model=judge.name, seconds=asked.seconds)
    return [found[position] for position in range(len(rows))]


def _judge(model: str | None) -> Judge:
    from postcall.judge.baselines import BASELINES

    return BASELINES.get(model or "") or the_judge(model)


def _judges(scored: Sequence[Scored]) -> str:
    """Who gave the verdicts, the busiest first, with the prompt's version."""
    counted = Counter((one.verdict.judge, one.verdict.prompt) for one in scored if one.verdict.judge)
    return ", ".join(
        f"{judge} (prompt {prompt})" if prompt else judge for (judge, prompt), _ in counted.most_common()
    )


def _report(file: Path, judges: str, scored: Sequence[Scored], names: list[str]) -> dict[str, Any]:
    from postcall.judge.measuring import figures, reliability, slices

    return {
        "file": str(file),
        "judge": judges,
        "figures": asdict(figures(scored)),
        "slices": {
            name: {value: asdict(figures(ones)) for value, ones in slices(scored, name).items()} for name in names
        },
        "reliability": [asdict(each) for each in reliability(scored)],
    }


def _print(file: Path, judges: str, scored: Sequence[Scored], names: list[str], calibration: bool) -> None:
    from postcall.judge.measuring import figures, slices

    whole = figures(scored)
    out.print(Text.assemble((judges or "answers of an unnamed judge", "bold"), f" on {file.name}"))
    out.print(_summary(whole))
    groups = [(f"{name} {value}", figures(ones)) for name in names for value, ones in slices(scored, name).items()]
    if groups:
        out.print(_by_slice([("all", whole), *groups]))
    if calibration:
        out.print(_calibration(scored))


def _summary(f: Figures) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    for name, value in (
        ("pairs", f"{f.pairs:,}, of which {f.met:,} were met"),
        ("where it had to say", f"accuracy {_three(f.accuracy)}   AUROC {_three(f.auroc)}"),
        ("", f"precision {_three(f.precision)}   recall {_three(f.recall)}   F1 {_three(f.f1)}"),
        ("", f"calibration error {_three(f.calibration_error)}"),
        ("as it decides", f"decided {_percent(f.decided)}   unclear {_percent(f.unclear)}"),
        (
            "",
            f"sent {f.sent:,}, right {_three(f.right_of_sent)}, at least {_three(f.right_of_sent_at_least)}",
        ),
        ("", f"not sent {f.not_sent:,}, right {_three(f.right_of_not_sent)}"),
        ("", f"of what was met {_percent(f.sent_of_met)} sent   F1 {_three(f.decided_f1)}"),
        (
            "answers",
            f"missing {f.missing}   unreadable {f.unreadable}   failed {f.failed}   misquoted {f.misquoted}",
        ),
        ("time a decision", _times(f)),
        ("cost", _cost(f)),
    ):
        table.add_row(name, value)
    return table


def _by_slice(groups: list[tuple[str, Figures]]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True, min_width=14)
    for name in ("pairs", "accur.", "prec.", "recall", "F1", "AUROC", "unclear", "sent", "right"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, f in groups:
        shown = (f.accuracy, f.precision, f.recall, f.f1, f.auroc, f.unclear)
        table.add_row(Text(name), f"{f.pairs:,}", *map(_two, shown), f"{f.sent:,}", _two(f.right_of_sent))
    return table


def _calibration(scored: Sequence[Scored]) -> Table:
    from postcall.judge.measuring import reliability

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("said", "pairs", "said on average", "were met"):
        table.add_column(name, justify="right")
    for each in reliability(scored):
        table.add_row(f"{each.above:.1f} to {each.up_to:.1f}", f"{each.pairs:,}", _two(each.said), _two(each.met))
    return table


def _times(f: Figures) -> str:
    if f.ms_p50 is None or f.ms_p95 is None:
        return _NONE
    return f"half within {f.ms_p50:,.0f} ms, 95 % within {f.ms_p95:,.0f} ms"


def _cost(f: Figures) -> str:
    if not f.requests and not f.input_tokens:
        return _NONE if f.cost_usd is None else "nothing"
    usd = "price unknown" if f.cost_usd is None else f"{f.cost_usd.quantize(Decimal('0.0001'))} USD"
    return f"{f.requests:,} requests, {f.input_tokens:,} tokens in, {f.output_tokens:,} out, {usd}"


def _two(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"


def _three(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1%}"
