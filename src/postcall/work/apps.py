from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def make_partitions(**_: Any) -> None:
    from django.utils import timezone

    from postcall.work.partitions import ensure_partitions

    ensure_partitions(timezone.now().date())


class Work(AppConfig):
    name = "postcall.work"

    def ready(self) -> None:
        # Sent once an app; the partitioned tables stand in calls and messages, the last to be migrated of all.
        post_migrate.connect(make_partitions, sender=self)
