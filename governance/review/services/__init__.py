"""The writers of review: verdicts and everything around the cases they are given on."""

from governance.review.services.verdicts import violation_confirm, violation_dismiss

__all__ = ["violation_confirm", "violation_dismiss"]
