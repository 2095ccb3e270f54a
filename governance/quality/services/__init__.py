"""The writers of quality: samples from the draw to the last difference settled, and golden cases."""

from governance.quality.services.golden import golden_make, golden_mix, golden_retire
from governance.quality.services.periodic import follow_up, plan_set, samples_draw_due
from governance.quality.services.samples import sample_close, sample_draw, sample_hand_out
from governance.quality.services.settling import item_settle, item_tell

__all__ = [
    "follow_up",
    "golden_make",
    "golden_mix",
    "golden_retire",
    "item_settle",
    "item_tell",
    "plan_set",
    "sample_close",
    "sample_draw",
    "sample_hand_out",
    "samples_draw_due",
]
