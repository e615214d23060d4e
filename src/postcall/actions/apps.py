from django.apps import AppConfig


class Actions(AppConfig):
    name = "postcall.actions"
