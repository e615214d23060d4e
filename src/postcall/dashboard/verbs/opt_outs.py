"""Having a number never texted, and texted again."""

from __future__ import annotations

from django.db import transaction

from postcall.dashboard.access import Visit
from postcall.followups.models import OptOut
from postcall.followups.optouts import active_opt_out, opt_in, opt_out
from postcall.workspaces.audit import Thing


@transaction.atomic
def block(visit: Visit, number: str, quote: str = "") -> bool:
    """Opts `number` (E.164) out, whether or not anybody was ever called by it; `quote` is how it was said. Returns
    whether it was not opted out yet."""
    row, new = opt_out(visit.workspace.pk, number, OptOut.Origin.OPERATOR.value, quote=quote)
    if new:
        visit.record("create", Thing("opt_out", row.pk, number))
    return new


@transaction.atomic
def take_back(visit: Visit, number: str) -> bool:
    """Ends the opt-out of `number` (E.164), also where its owner was erased; False: there was none."""
    row = active_opt_out(visit.workspace.pk, number)
    if row is None or not opt_in(visit.workspace.pk, number, OptOut.Origin.OPERATOR.value):
        return False
    visit.record("delete", Thing("opt_out", row.pk, number))
    return True
