"""The console pages of review. That of a violation is registered in config, which adds what stands above it."""

from governance.review.admin.verdicts import JudgedViolationAdmin

__all__ = ["JudgedViolationAdmin"]
