"""Damages the fixture requests at random places, hundreds of thousands of times, and names each forbidden answer.

A request carries one to three damages (tests/mutations.py). Every answer has a documented status, is JSON and fits its
schema, and is never a fault; and without usable ferritin or evidence of RLS it never supports iron.

    python -m tests.load.fuzz [--requests 200000] [--workers 2] [--seed 1]
"""

import argparse
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests import mutations
from tests.replies import ADDRESSES, SITUATIONS, open_service, read_request

MOST_SHOWN = 20


@dataclass
class Tally:
    """What a worker saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    destroyed: int = 0

    def add(self, other: "Tally") -> None:
        self.statuses += other.statuses
        self.faults += other.faults
        self.destroyed += other.destroyed


def fuzz(seed: int, requests: int) -> Tally:
    """One worker's share."""
    draw, client, tally = random.Random(seed), open_service(), Tally()
    names = sorted(SITUATIONS)
    for _ in range(requests):
        name = draw.choice(names)
        places = [
            (draw.choice(mutations.places(name)), draw.choice(mutations.KINDS))
            for _ in range(draw.choice((1, 1, 2, 3)))
        ]
        request = read_request(name)
        for path, kind in places:
            mutations.damage(request, path, kind)
        answer = mutations.send(client, ADDRESSES[SITUATIONS[name]["hook"]], mutations.encode(request))
        tally.statuses[answer[0]] += 1
        if fault := mutations.find_fault(*answer):
            tally.faults.append(f"{name} {places}: {fault}")
    return tally


def destroy(seed: int) -> Tally:
    """Every destruction of the only ferritin or the only evidence of RLS, each with one more damage beside it."""
    draw, client, tally = random.Random(seed), open_service(), Tally()
    for name in mutations.RESTS_ON_BOTH:
        for path, kind in mutations.destructions(name):
            request = read_request(name)
            beside = draw.choice([one for one in mutations.places(name) if one[:2] != path[:2]])
            mutations.damage(request, path, kind)
            mutations.damage(request, beside, draw.choice(mutations.KINDS))
            tally.destroyed += 1
            if mutations.is_supported(client, request, SITUATIONS[name]["hook"]):
                tally.faults.append(f"{name}: supported without {path} ({kind}), beside {beside}")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began, total = time.monotonic(), Tally()
    share = -(-chosen.requests // (chosen.workers * 20))
    with ProcessPoolExecutor(chosen.workers) as pool:
        shares = [pool.submit(fuzz, chosen.seed * 1000 + one, share) for one in range(chosen.workers * 20)]
        shares += [pool.submit(destroy, chosen.seed * 1000 + one) for one in range(chosen.workers * 2)]
        for done in shares:
            total.add(done.result())
    print(f"{total.statuses.total()} damaged requests in {time.monotonic() - began:.0f} s, seed {chosen.seed}")
    print("answers: " + ", ".join(f"{status}: {count}" for status, count in sorted(total.statuses.items())))
    print(f"{total.destroyed} with ferritin or the evidence of RLS destroyed")
    print(f"{len(total.faults)} faults")
    for fault in total.faults[:MOST_SHOWN]:
        print(f"  {fault}")
    return 1 if total.faults else 0


if __name__ == "__main__":
    sys.exit(main())
