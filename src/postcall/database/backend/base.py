"""Named in DATABASES: Django looks for `base.DatabaseWrapper` in the package that ENGINE names."""

from __future__ import annotations

import select
from types import TracebackType
from typing import Final

import psycopg
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper, OperationalError
from django.utils.functional import cached_property

# The server ended the connection because a transaction stood idle (25P03), or lasted (25P04), for too long. The
# driver calls these internal errors, though they are no more than a connection that is gone.
_TIMED_OUT: Final = frozenset({"25P03", "25P04"})


class _Errors(DatabaseErrorWrapper):
    def __init__(self, wrapper: base.DatabaseWrapper) -> None:
        super().__init__(wrapper)
        self._wrapper = wrapper

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, psycopg.Error) and error.sqlstate in _TIMED_OUT:
            self._wrapper.errors_occurred = True
            raise OperationalError(*error.args).with_traceback(traceback) from error
        super().__exit__(kind, error, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """Asks the socket instead of the server whether an idle connection still stands.

    A server that went away has closed its end, so there is something to read: the end. Django's own check is a
    `SELECT 1` a request, an eighth of the statements of a call's way. What neither sees at once, a peer that
    vanished without a word, TCP keep-alives find (see the settings).

    That the server ended a connection raises OperationalError, for whatever reason it did.
    """

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _Errors(self)

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        # Something to read may also be a notice: then the server is asked after all.
        return not poll.poll(0) or super().is_usable()
