"""Shares with intervals, as insights show them; the arithmetic is the engine's, for backtests stand below and need it too."""

from governance.engine.intervals import FEWEST, Z_95, Share, wilson

__all__ = ["FEWEST", "Z_95", "Share", "wilson"]
