"""The register of harms worth governing."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

SCALE = [MinValueValidator(1), MaxValueValidator(5)]


class Risk(models.Model):
    """A harm, scored 1 to 5 on harm and likelihood, and owned by a team."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=200)
    definition = models.TextField(blank=True)
    harm = models.PositiveSmallIntegerField(validators=SCALE)
    likelihood = models.PositiveSmallIntegerField(validators=SCALE)
    owner = models.CharField(_("owning team"), max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "risk"

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def public_id(self) -> str:
        return self.code

    @property
    def priority(self) -> int:
        """Harm × likelihood, 1 to 25."""
        return self.harm * self.likelihood
