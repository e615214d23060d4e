from django.apps import AppConfig


class Followups(AppConfig):
    name = "postcall.followups"
