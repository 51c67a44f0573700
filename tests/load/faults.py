"""Faults, one after the other: what the caller and the operator see, and whether the service comes back by itself.

Run: python -m tests.load.faults [names] [--postgres-bin FOLDER]; without names all of them. Exits 1 if something is
not as it should be. PostgreSQL is a private server in a temporary folder. Linux only (limits on running processes).
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.load import fault_processes, fault_servers
from tests.load.fault_report import Report
from tests.load.kill_feedback import DEFAULT_BIN

FAULTS: Mapping[str, Callable[[Path], Report]] = {
    "database-away": fault_servers.database_away,
    "database-away-in-a-demo": fault_servers.database_away_in_a_demo,
    "database-restarted": fault_servers.database_restarted,
    "store-deleted": fault_processes.store_deleted,
    "disk-full": fault_processes.disk_full,
    "log-full": fault_processes.log_full,
    "fhir-server-down": fault_servers.fhir_server_down,
    "key-server-down": fault_servers.key_server_down,
    "clock-step": fault_servers.clock_step,
    "worker-killed": fault_processes.worker_killed,
    "sigterm": fault_processes.stopped,
    "sighup": fault_processes.reloaded,
    "memory-limit": fault_processes.memory_limited,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--postgres-bin", type=Path, default=Path(DEFAULT_BIN))
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in FAULTS]:
        parser.error(f"there is no fault {', '.join(unknown)}")
    reports = []
    for name in chosen.names or FAULTS:
        reports.append(FAULTS[name](chosen.postgres_bin))
        print(f"{reports[-1]}\n", flush=True)
    wrong = [one.fault for one in reports if not one.is_good]
    print(f"{len(reports)} faults, {len(wrong)} with something amiss{': ' if wrong else ''}{'; '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
