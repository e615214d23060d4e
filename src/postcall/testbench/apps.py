from django.apps import AppConfig


class TestBench(AppConfig):
    name = "postcall.testbench"
