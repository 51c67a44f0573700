"""Medplum's CDS client (npm package @medplum/core, 5.2.13 tried) against our service, prefetch from the demo's FHIR
server.

CDS_TEST_MEDPLUM names the folder `node_modules/@medplum/core` of an installation.
"""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from cds_service.app import create_app
from cds_service.settings import load_settings
from tests.load.serving import free_port
from tests.replies import REFERENCE, answers, read_request
from tests.spec.protected import NOW

SCRIPT = Path(__file__).with_name("medplum_client.mjs")
CORE = os.environ.get("CDS_TEST_MEDPLUM", "")
NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="there is no Node.js"),
    pytest.mark.skipif(not CORE, reason="CDS_TEST_MEDPLUM names no folder with npm's @medplum/core"),
]


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    """The demo on a port that it knows, so that links of its FHIR server lead back to it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    moment = NOW.replace(year=REFERENCE.year, month=REFERENCE.month, day=REFERENCE.day)
    settings = load_settings(public_url=url, database_url=f"sqlite:///{tmp_path}/none.sqlite3", log_level="error")
    server = make_server("127.0.0.1", port, create_app(settings, clock=lambda: moment).wsgi_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield url
    server.shutdown()
    server.server_close()
    thread.join()


SITUATIONS = (("low-ferritin", "iv-iron-rls"), ("candidate", "iv-iron-rls-follow-up"))


@pytest.mark.parametrize(("name", "service"), SITUATIONS, ids=[name for name, _ in SITUATIONS])
def test_an_application_built_on_medplum_gets_the_cards(base: str, name: str, service: str) -> None:
    request = read_request(name)
    arguments = [CORE, base, f"{base}/demo/", "fhir", service, request["hook"], json.dumps(request["context"])]
    done = subprocess.run(
        [NODE or "", str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout)
    assert {"patient", "conditions", "ferritin", "tsat"} <= set(said["keys"])
    topics = [card["source"]["topic"]["code"] for card in said["answer"]["cards"]]
    assert topics == [card["source"]["topic"]["code"] for card in answers()[name]["cards"]] != []
