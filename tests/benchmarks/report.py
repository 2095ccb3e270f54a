"""How a benchmark prints what it found: rates, and ratios against a floor measured in the same run."""

from __future__ import annotations

import sys


class Report:
    """Rows on the terminal; nothing is asserted, for these machines are noisy. Read the ratio, not the rate."""

    def title(self, text: str) -> None:
        self._line(f"\n{text}")

    def row(
        self, name: str, rate: float, unit: str, *, against: float | None = None, bar: float | None = None
    ) -> None:
        line = f"  {name:<58}{rate:>12,.0f} {unit}"
        if against:
            line += f"   {rate / against:.2f} × floor"
            if bar is not None:
                line += f" (bar {bar:g}: {'met' if rate / against >= bar else 'MISSED'})"
        elif bar is not None:
            line += f"   (bar {bar:,.0f}: {'met' if rate >= bar else 'MISSED'})"
        self._line(line)

    def _line(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
