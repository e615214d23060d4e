from django.apps import AppConfig


class Calls(AppConfig):
    name = "postcall.calls"
