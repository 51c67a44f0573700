"""Random ids: of the right form, never given twice, not even by a process and its child."""

import os
import re

from cds_service.ids import new_request_id, new_uuid

MANY = 5_000


def test_uuids_are_version_4_and_differ() -> None:
    made = {new_uuid() for _ in range(MANY)}
    assert len(made) == MANY
    form = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(form.fullmatch(one) for one in made)
    assert {one[19] for one in made} == set("89ab")


def test_request_ids_differ() -> None:
    made = {new_request_id() for _ in range(MANY)}
    assert len(made) == MANY and all(re.fullmatch("[0-9a-f]{16}", one) for one in made)


def test_a_forked_worker_draws_ids_of_its_own() -> None:
    new_uuid()  # some are drawn and wait
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, " ".join(new_uuid() for _ in range(300)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = set(pipe.read().split())
    os.waitpid(child, 0)
    assert len(theirs) == 300
    assert theirs.isdisjoint({new_uuid() for _ in range(300)})
