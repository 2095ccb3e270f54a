"""The writers of launches: one module per part of the story, from the plan to the rollback."""

from governance.launches.services.demo_door import versions_activate_without_launch

__all__ = ["versions_activate_without_launch"]
