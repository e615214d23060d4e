"""Putting many calls to one judge: some at a time, with patience for a judge that is busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Final

from postcall.judge.verdicts import Case, Judge, JudgeFailed, Judgement
from postcall.pace import paced

# Seconds before a call is put to the judge again: rate limits count by the minute.
WAITS: Final = (2.0, 8.0, 30.0, 60.0)
# However long a vendor asks to wait: a person sits before it.
LONGEST_WAIT: Final = 300.0
# Calls in a row that got no answer: then it is the judge or its key, and no further call is worth its wait.
HOPELESS: Final = 10
# Seconds that an interrupted run waits for answers that are under way, and perhaps paid for.
LAST_WAIT: Final = 5.0


@dataclass(frozen=True)
class Asked:
    """`position` is the case's among those asked. Without a judgement `failure` says why; `seconds` is how long the
    request that was answered took."""

    position: int
    judgement: Judgement | None
    failure: str = ""
    seconds: float = 0.0


class Hopeless(Exception):
    """No call is answered any more. The text is what the judge said last."""


def ask_all(
    judge: Judge, cases: Sequence[Case], *, parallel: int = 1, told: Callable[[str], None]
) -> Iterator[Asked]:
    """Each case's answer as it comes, in no order; what may pass is asked again after WAITS, and `told` of it.

    Raises Hopeless after HOPELESS calls in a row without an answer. An interrupt ends it after LAST_WAIT at most,
    with what came until then.
    """
    failed = 0
    for asked in _in_threads(judge, cases, parallel, told) if parallel > 1 else _in_turn(judge, cases, told):
        yield asked
        failed = 0 if asked.judgement else failed + 1
        if failed == HOPELESS and failed < len(cases):
            raise Hopeless(asked.failure)


def _in_turn(judge: Judge, cases: Sequence[Case], told: Callable[[str], None]) -> Iterator[Asked]:
    stopping = Event()
    for position, case in enumerate(cases):
        yield _asked(judge, position, case, told, stopping)


def _in_threads(judge: Judge, cases: Sequence[Case], parallel: int, told: Callable[[str], None]) -> Iterator[Asked]:
    todo: SimpleQueue[tuple[int, Case]] = SimpleQueue()
    answers: SimpleQueue[Asked | BaseException] = SimpleQueue()
    stopping = Event()
    for numbered in enumerate(cases):
        todo.put(numbered)

    def work() -> None:
        try:
            while not stopping.is_set():
                position, case = todo.get_nowait()
                answers.put(_asked(judge, position, case, told, stopping))
        except Empty:
            return
        except BaseException as error:  # raised again by whoever reads the answers
            answers.put(error)

    # Daemons: an interrupt does not wait for a request that takes minutes.
    threads = [Thread(target=work, daemon=True) for _ in range(min(parallel, len(cases)))]
    for thread in threads:
        thread.start()
    try:
        for _ in cases:
            yield _raised(answers.get())
    except KeyboardInterrupt:
        stopping.set()
        yield from _under_way(threads, answers)
        raise
    finally:
        stopping.set()


def _under_way(threads: list[Thread], answers: SimpleQueue[Asked | BaseException]) -> Iterator[Asked]:
    end = time.monotonic() + LAST_WAIT
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    while not answers.empty():
        asked = _raised(answers.get())
        if asked.judgement:
            yield asked


def _raised(answer: Asked | BaseException) -> Asked:
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _asked(judge: Judge, position: int, case: Case, told: Callable[[str], None], stopping: Event) -> Asked:
    for wait in (*WAITS, None):
        begun = time.perf_counter()
        try:
            return Asked(position, judge.decide(case), seconds=time.perf_counter() - begun)
        except JudgeFailed as failure:
            if not failure.retry or wait is None:
                return Asked(position, None, str(failure))
            told(str(failure))
            if stopping.wait(paced(max(wait, min(failure.after_s or 0.0, LONGEST_WAIT)))):
                return Asked(position, None, str(failure))
    raise AssertionError("the last wait is None")
