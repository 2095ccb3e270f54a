from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class PenaltyKind(TextChoices):
    WARNING = "warning", _("Warning")
    INTERVIEW = "interview", _("Interview and rectification")
    TRAINING = "training", _("Training")
    PUBLIC_NOTICE = "public_notice", _("Public notice")
    RECRUITMENT_FREEZE = "recruitment_freeze", _("Recruitment freeze")
    REWARD_FREEZE = "reward_freeze", _("Task and reward freeze")
    REWARD_FORFEITURE = "reward_forfeiture", _("Forfeiture of the related reward")
    SETTLEMENT_HOLD = "settlement_hold", _("Settlement hold")
    INCOME_DEDUCTION = "income_deduction", _("Income deduction")
    TRAFFIC_LIMIT = "traffic_limit", _("Traffic limit")
    BACKSTAGE_REMOVAL = "backstage_removal", _("Backstage permission removed")
    TIER_REMOVAL = "tier_removal", _("Tier removed")
    SUSPENSION = "suspension", _("Suspension")
    CLEAR_OUT = "clear_out", _("Clear-out (termination)")
    FREE_EXIT = "free_exit", _("Free exit for creators")


class PenaltyStatus(TextChoices):
    HELD = "held", _("Held for a second person")
    SCHEDULED = "scheduled", _("Scheduled")
    STAYED = "stayed", _("Stayed by an appeal")
    IN_FORCE = "in_force", _("In force")
    LIFTED = "lifted", _("Lifted")
    CANCELLED = "cancelled", _("Cancelled")
    REVERSED = "reversed", _("Reversed")
    FAILED = "failed", _("Failed")


class PointReason(TextChoices):
    VIOLATION = "violation", _("Violation")
    EXPIRY = "expiry", _("Expired")
    REVERSAL = "reversal", _("Reversed")
    REDUCTION = "reduction", _("Reduced on appeal")
    CREDIT = "credit", _("Credit for a lesson")


class CreditOutcome(TextChoices):
    """What became of a passed quiz: points taken off, or why none were."""

    GIVEN = "given", _("Points taken off")
    NOTHING_IN_FORCE = "nothing_in_force", _("No points in force that could be taken off")
    TOO_SOON = "too_soon", _("Too soon after the last credit")
    NONE_PROMISED = "none_promised", _("The lesson brings no credit")


class HoldReason(TextChoices):
    """Why a penalty needs a second person."""

    KIND = "kind", _("Nobody imposes this kind alone")
    SEVERITY = "severity", _("The worst severity")
    RULE = "rule", _("The rule asks for it")
    SIZE = "size", _("A large guild")
    SHIELD = "shield", _("The guild has just won an appeal")


class RectificationStatus(TextChoices):
    OPEN = "open", _("Open")
    SUBMITTED = "submitted", _("The guild says it is put right")
    MET = "met", _("Put right")
    FAILED = "failed", _("Not put right")
    DROPPED = "dropped", _("No longer asked for")


class CompensationStatus(TextChoices):
    OPEN = "open", _("To be settled")
    SETTLED = "settled", _("Settled")
    DECLINED = "declined", _("Nothing is owed")


class Effect(TextChoices):
    """What an enforcing system confirms."""

    APPLIED = "applied", _("In effect there")
    ENDED = "ended", _("No longer in effect there")


class DifferenceKind(TextChoices):
    MISSING = "missing", _("Ours is in force, theirs is not")
    EXTRA = "extra", _("Theirs is in force, ours is not")
    OTHER_END = "other_end", _("Both in force, with another end")
