"""The writers of launches: one module per part of the story, from the plan to the rollback."""

from governance.launches.services.announcing import announcements_send, latecomers_tell, wave_announce
from governance.launches.services.demo_door import versions_activate_without_launch
from governance.launches.services.gates import gate_assign, gate_reopen, gate_sign
from governance.launches.services.plans import launch_cancel, launch_change, launch_create
from governance.launches.services.rollback import launch_rollback, wave_rollback
from governance.launches.services.starting import holdout_end, wave_start, wave_widen, waves_start_due
from governance.launches.services.waves import wave_add, wave_change, wave_decide, wave_remove

__all__ = [
    "announcements_send",
    "gate_assign",
    "gate_reopen",
    "gate_sign",
    "holdout_end",
    "latecomers_tell",
    "launch_cancel",
    "launch_change",
    "launch_create",
    "launch_rollback",
    "versions_activate_without_launch",
    "wave_add",
    "wave_announce",
    "wave_change",
    "wave_decide",
    "wave_remove",
    "wave_rollback",
    "wave_start",
    "wave_widen",
    "waves_start_due",
]
