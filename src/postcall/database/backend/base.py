"""Named in DATABASES: Django looks for `base.DatabaseWrapper` in the package that ENGINE names."""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Asks the socket instead of the server whether an idle connection still stands.

    A server that went away has closed its end, so there is something to read: the end. Django's own check is a
    `SELECT 1` a request, an eighth of the statements of a call's way. What neither sees at once, a peer that
    vanished without a word, TCP keep-alives find (see the settings).
    """

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        # Something to read may also be a notice: then the server is asked after all.
        return not poll.poll(0) or super().is_usable()
