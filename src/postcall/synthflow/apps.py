from django.apps import AppConfig


class Synthflow(AppConfig):
    name = "postcall.synthflow"
