"""The kinds of penalty: for each, what it does to a guild and how that is undone, side by side.

A kind works on batches, because thousands start at the same minute. Callers hold the guild rows locked, keep `penalty.effect`
and move the status; a kind changes nothing else about a penalty. `reverse` must leave no trace of `apply`: a test walks every
kind and compares the guild before and after.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.models import Penalty, Restriction
from governance.penalties.training import lessons_ask, lessons_take_back, until_trained
from guilds.models import Guild
from guilds.registry.enums import TIER_ORDER, GuildStatus


class Kind:
    """One kind of penalty. `second_person`: nobody applies it alone, whatever the rule says. `ends`: it may have an end."""

    kind: ClassVar[PenaltyKind]
    second_person: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    appealable: ClassVar[bool] = True

    def apply(self, penalties: Sequence[Penalty], *, now: dt.datetime) -> None:
        """Put the penalties into effect; may fill `penalty.effect`."""

    def reverse(self, penalties: Sequence[Penalty], *, now: dt.datetime) -> None:
        """Take back everything `apply` did."""

    def describe(self, params: Mapping[str, Any]) -> str:
        """What it means for the guild, in the active language."""
        days = params.get("days")
        label = str(self.kind.label)
        if until_trained(params) and days:
            return ngettext(
                "%(label)s until the lesson is done, for %(days)d day at most",
                "%(label)s until the lesson is done, for %(days)d days at most",
                days,
            ) % {"label": label, "days": days}
        if until_trained(params):
            return _("%(label)s until the lesson is done") % {"label": label}
        if not days:
            return label
        return ngettext("%(label)s for %(days)d day", "%(label)s for %(days)d days", days) % {
            "label": label,
            "days": days,
        }


class Warn(Kind):
    """On record, restricting nothing."""

    kind = PenaltyKind.WARNING


class Restrict(Kind):
    """A restriction that enforcing systems read, or an obligation they follow up.

    With `until_trained` in its params it also asks for the rule's lesson and ends when that is done.
    """

    def apply(self, penalties: Sequence[Penalty], *, now: dt.datetime) -> None:
        Restriction.objects.bulk_create(
            [
                Restriction(
                    guild_id=penalty.guild_id,
                    penalty=penalty,
                    kind=self.kind,
                    params={key: value for key, value in penalty.params.items() if key != "kind"},
                    starts_at=penalty.starts_at,
                    ends_at=penalty.ends_at,
                )
                for penalty in penalties
            ],
            batch_size=500,
        )
        lessons_ask(penalties, now=now)

    def reverse(self, penalties: Sequence[Penalty], *, now: dt.datetime) -> None:
        Restriction.objects.filter(penalty__in=penalties, lifted_at__isnull=True).update(lifted_at=now)
        lessons_take_back(penalties)


class Interview(Restrict):
    kind = PenaltyKind.INTERVIEW


class Training(Restrict):
    """The rule's lesson, to be done anew; over as soon as it is."""

    kind = PenaltyKind.TRAINING


class PublicNotice(Restrict):
    kind = PenaltyKind.PUBLIC_NOTICE


class RecruitmentFreeze(Restrict):
    kind = PenaltyKind.RECRUITMENT_FREEZE


class RewardFreeze(Restrict):
    kind = PenaltyKind.REWARD_FREEZE


class RewardForfeiture(Restrict):
    kind = PenaltyKind.REWARD_FORFEITURE
    ends = False


class SettlementHold(Restrict):
    kind = PenaltyKind.SETTLEMENT_HOLD


class IncomeDeduction(Restrict):
    kind = PenaltyKind.INCOME_DEDUCTION
    ends = False

    def describe(self, params: Mapping[str, Any]) -> str:
        share = params.get("share")
        if share is None:
            return super().describe(params)
        return _("Income deduction of %(percent)d %%") % {"percent": round(share * 100)}


class TrafficLimit(Restrict):
    kind = PenaltyKind.TRAFFIC_LIMIT


class BackstageRemoval(Restrict):
    kind = PenaltyKind.BACKSTAGE_REMOVAL


class FreeExit(Restrict):
    kind = PenaltyKind.FREE_EXIT


class Stacked(Restrict):
    """A restriction that also changes a column of the guild, on which several penalties may lie over one another.

    Each remembers in `effect` the value it found and its height in the pile. Taking one out lays those that stay anew on what
    the lowest had found, so the column is always what the pile makes of it, whatever the order of undoing.
    """

    column: ClassVar[str]
    members: ClassVar[tuple[PenaltyKind, ...]]

    def value(self, current: str) -> str:
        raise TypeError(f"{type(self).__name__} does not say which value it sets")

    def apply(self, penalties: Sequence[Penalty], *, now: dt.datetime) -> None:
        super().apply(penalties, now=now)
        guilds = Guild.objects.in_bulk({penalty.guild_id for penalty in penalties})
        heights = {guild_id: len(pile) for guild_id, pile in self._piles(guilds).items()}
        for penalty in penalties:
            guild = guilds[penalty.guild_id]
            heights[guild.pk] = heights.get(guild.pk, 0) + 1
            found = getattr(guild, self.column)
            penalty.effect = {"previous": found, "height": heights[guild.pk]}
            setattr(guild, self.column, self.value(found))
        Guild.objects.bulk_update(guilds.values(), [self.column], batch_size=500)

    def reverse(self, penalties: Sequence[Penalty], *, now: dt.datetime) -> None:
        super().reverse(penalties, now=now)
        guilds = Guild.objects.in_bulk({penalty.guild_id for penalty in penalties})
        gone = {penalty.pk for penalty in penalties}
        left: list[Penalty] = []
        for guild_id, pile in self._piles(guilds).items():
            found = pile[0].effect["previous"]
            staying = [penalty for penalty in pile if penalty.pk not in gone]
            for height, penalty in enumerate(staying, start=1):
                penalty.effect = {"previous": found, "height": height}
                found = cast("Stacked", KINDS[penalty.kind]).value(found)
            setattr(guilds[guild_id], self.column, found)
            left += staying
        Penalty.objects.bulk_update(left, ["effect"], batch_size=500)
        Guild.objects.bulk_update(guilds.values(), [self.column], batch_size=500)

    def _piles(self, guild_ids: Iterable[int]) -> dict[int, list[Penalty]]:
        """The penalties lying on each guild's column, lowest first."""
        piles: dict[int, list[Penalty]] = {}
        for penalty in Penalty.objects.filter(
            guild_id__in=list(guild_ids), kind__in=self.members, status=PenaltyStatus.IN_FORCE
        ):
            piles.setdefault(penalty.guild_id, []).append(penalty)
        for pile in piles.values():
            pile.sort(key=lambda penalty: penalty.effect["height"])
        return piles


class TierRemoval(Stacked):
    """One tier down; nothing below the lowest."""

    kind = PenaltyKind.TIER_REMOVAL
    column = "tier"
    members = (PenaltyKind.TIER_REMOVAL,)

    def value(self, current: str) -> str:
        place = [tier.value for tier in TIER_ORDER].index(current)
        return TIER_ORDER[min(place + 1, len(TIER_ORDER) - 1)].value


class Suspension(Stacked):
    kind = PenaltyKind.SUSPENSION
    column = "status"
    members = (PenaltyKind.SUSPENSION, PenaltyKind.CLEAR_OUT)

    def value(self, current: str) -> str:
        return current if current == GuildStatus.TERMINATED else GuildStatus.SUSPENDED.value


class ClearOut(Stacked):
    """Termination. Never by one person, and with the notice the market's regime asks for."""

    kind = PenaltyKind.CLEAR_OUT
    column = "status"
    members = (PenaltyKind.SUSPENSION, PenaltyKind.CLEAR_OUT)
    second_person = True
    ends = False

    def value(self, current: str) -> str:
        return GuildStatus.TERMINATED.value


KINDS: dict[str, Kind] = {
    kind.kind.value: kind()
    for kind in (
        Warn,
        Interview,
        Training,
        PublicNotice,
        RecruitmentFreeze,
        RewardFreeze,
        RewardForfeiture,
        SettlementHold,
        IncomeDeduction,
        TrafficLimit,
        BackstageRemoval,
        TierRemoval,
        Suspension,
        ClearOut,
        FreeExit,
    )
}
