"""Run the storm: seed, kill, wait for quiet, compare. Exit 1 on any difference.

python -m tests.chaos --minutes 5 --penalties 10000 [--seed N] [--every SECONDS] [--keep]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.model import WORK_SECONDS

if TYPE_CHECKING:
    from tests.chaos.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
#: After the storm everything that is due must be settled within this.
QUIET_SECONDS = 180


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--penalties", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--every", type=float, default=8, help="seconds between two kills, on average")
    parser.add_argument(
        "--work",
        type=float,
        default=WORK_SECONDS,
        help="seconds a sweep may need on this machine before what it does counts as late",
    )
    parser.add_argument("--keep", action="store_true", help="leave the data directory behind")
    options = parser.parse_args()
    # Asked to end, it leaves no server and no worker behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    data_dir = Path(tempfile.mkdtemp(prefix="guildhall-chaos-"))
    for name in [name for name in os.environ if name.startswith("GUILDHALL_")]:
        del os.environ[name]
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ.update(
        GUILDHALL_ENV="test", GUILDHALL_DATA_DIR=str(data_dir), DJANGO_SETTINGS_MODULE="config.settings"
    )
    try:
        return storm(options, data_dir)
    finally:
        if options.keep:
            say(f"Left behind: {data_dir}")
        else:
            shutil.rmtree(data_dir, ignore_errors=True)


def storm(options: argparse.Namespace, data_dir: Path) -> int:
    import django

    from config import embedded

    embedded.ensure_running(data_dir)
    django.setup()

    from django.core.management import call_command
    from django.db import connection

    from tests.chaos import compare, model, servers, world

    seconds = 60 * options.minutes
    chance = random.Random(options.seed)
    say(
        f"Seed {options.seed}: {options.penalties} penalties, {seconds:.0f} s, a kill every {options.every:g} s."
    )
    call_command("migrate", verbosity=0, interactive=False)
    postgres, valkey = servers.Postgres("PostgreSQL", data_dir), servers.Valkey("Valkey", data_dir)
    backend = servers.Backend("one session", data_dir)
    programs: list[servers.Process] = [
        *(servers.Worker(f"worker {number}", data_dir) for number in (1, 2)),
        *(servers.Beat(f"beat {number}", data_dir) for number in (1, 2)),
    ]
    victims: list[servers.Server] = [postgres, backend, valkey, *programs]
    halt = threading.Event()
    watches = [threading.Thread(target=program.watch, args=(halt,), daemon=True) for program in programs]
    try:
        for program, watch in zip(programs, watches, strict=True):
            program.bring_up()
            watch.start()
        planned = world.build(options.penalties, seconds=seconds, chance=chance)
        connection.close()
        time.sleep(max(0.0, min(penalty.starts for penalty in planned) - time.time()))
        say("Scheduled. Killing …")
        kill_for(seconds, victims, every=options.every, chance=chance)
        say("Everything is up again; waiting for quiet.")
        until = time.monotonic() + QUIET_SECONDS
        while left := compare.unfinished(data_dir):
            if time.monotonic() > until:
                say(f"{left} penalties are still due after {QUIET_SECONDS} s.")
                break
            time.sleep(0.5)
        time.sleep(model.SWEEP_SECONDS + 2)  # one more round of sweeps: nothing may happen twice
        found = compare.found_in(data_dir)
        outages = model.merged(span for server in victims for span in server.outages)
        lines, sorts = compare.compared(planned, found, outages, work=options.work)
        changed = compare.guilds_changed(data_dir)
        say(compare.table(planned, found, victims, outages, sorts, len(changed)))
        lines += changed
        for line in lines[: compare.SHOWN]:
            say(f"  {line}")
        ledger = subprocess.run(
            [sys.executable, "manage.py", "verify_ledger"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        say(f"\n{(ledger.stdout + ledger.stderr).strip()}")
        lines += [f"{server.name}: {server.trouble}" for server in victims if server.trouble]
        spared = [server.name for server in victims if not server.kills]
        if spared:
            say(f"Never killed, so nothing is shown about: {', '.join(spared)}.")
        good = not lines and ledger.returncode == 0
        say("\nNo difference." if good else f"\n{len(lines)} differences. Seed {options.seed}.")
        return 0 if good else 1
    finally:
        halt.set()
        for watch in watches:
            if watch.is_alive():
                watch.join()
        for program in programs:
            program.stop()
        embedded.stop(data_dir)


def kill_for(seconds: float, victims: Sequence[Server], *, every: float, chance: random.Random) -> None:
    """Kill one after the other in an order drawn anew each round, whoever is up; return when all are up again."""
    until = time.monotonic() + seconds
    threads: list[threading.Thread] = []
    round_: list[Server] = []
    while True:
        pause = chance.expovariate(1 / every)
        if time.monotonic() + pause > until:
            break
        time.sleep(pause)
        round_ = round_ or chance.sample(victims, len(victims))
        victim = round_.pop()
        if victim.lock.locked():
            continue
        thread = threading.Thread(target=victim.kill_and_bring_up, args=(random.Random(chance.random()),))
        thread.start()
        threads.append(thread)
    time.sleep(max(0.0, until - time.monotonic()))
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
