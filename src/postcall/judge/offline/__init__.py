"""The built-in judge: a small encoder that runs on the machine, without a key and without a network."""

from postcall.judge.offline.judge import OfflineJudge

__all__ = ["OfflineJudge"]
