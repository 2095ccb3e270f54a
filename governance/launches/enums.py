from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class LaunchStatus(TextChoices):
    PLANNING = "planning", _("Planning")
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    ROLLED_BACK = "rolled_back", _("Rolled back")
    CANCELLED = "cancelled", _("Cancelled")


class Team(TextChoices):
    POLICY = "policy", _("Policy")
    PRODUCT = "product", _("Product")
    REVIEW = "review", _("Review")
    OPERATIONS = "operations", _("Operations")


class GateKind(TextChoices):
    """What must be true before a wave goes live. Some are signed by people, the others are read from facts."""

    APPROVAL = "approval", _("Approved by another person, and unchanged since")
    POLICY_TEXT = "policy_text", _("Policy text in every language of the markets")
    NOTICE = "notice", _("Notice period run out")
    LESSON = "lesson", _("Lesson published and completed")
    REVIEWER_GUIDE = "reviewer_guide", _("Reviewer guide")
    STAFFING = "staffing", _("Review staffing")
    APPEAL_STAFFING = "appeal_staffing", _("Appeal staffing")
    PRODUCT = "product", _("Product ready")


class GateStatus(TextChoices):
    OPEN = "open", _("Open")
    PASSED = "passed", _("Passed")


class WaveStatus(TextChoices):
    PLANNED = "planned", _("Planned")
    GO = "go", _("Go")
    NO_GO = "no_go", _("No go")
    LIVE = "live", _("Live")
    ROLLED_BACK = "rolled_back", _("Rolled back")
    CANCELLED = "cancelled", _("Cancelled")


class AnnouncementKind(TextChoices):
    COMING = "coming", _("A rule is going to change")
    TAKEN_BACK = "taken_back", _("The change was taken back")


#: Read from facts whenever they are asked for; nobody can sign them.
AUTOMATIC = frozenset({GateKind.APPROVAL, GateKind.POLICY_TEXT, GateKind.NOTICE, GateKind.LESSON})

#: Who answers for a gate, and how many days after the launch was planned it is due.
RESPONSIBLE: dict[str, tuple[Team, int]] = {
    GateKind.APPROVAL: (Team.POLICY, 3),
    GateKind.POLICY_TEXT: (Team.POLICY, 5),
    GateKind.REVIEWER_GUIDE: (Team.REVIEW, 7),
    GateKind.STAFFING: (Team.REVIEW, 7),
    GateKind.APPEAL_STAFFING: (Team.OPERATIONS, 7),
    GateKind.PRODUCT: (Team.PRODUCT, 7),
    GateKind.LESSON: (Team.POLICY, 14),
    GateKind.NOTICE: (Team.OPERATIONS, 21),
}
