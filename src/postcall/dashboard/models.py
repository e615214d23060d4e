"""Sign-ins that failed lately."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class SignInTry(models.Model):
    """One try to sign in that has not succeeded. `who` is a digest of the e-mail address as typed."""

    id = models.BigAutoField(primary_key=True)
    who = models.CharField(max_length=64)
    address = models.CharField(max_length=45)
    at = models.DateTimeField()

    class Meta:
        db_table = "sign_in_try"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["address", "who", "at"], name="sign_in_try_from"),
            models.Index(fields=["at"], name="sign_in_try_at"),
        ]
