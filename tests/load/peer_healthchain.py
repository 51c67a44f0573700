"""The peer of the benchmark: HealthChain's own gateway with an `order-select` service that returns a constant card.

It parses the request with HealthChain's models and decides nothing, so it does less than ours. It takes the very bytes
that ours takes: `CDSRequest` of 0.16.1 checks `userId` and `patientId` of the context, draftOrders and prefetch stay
plain dictionaries. With PEER_READS=true its handler also makes FHIR resources of the prefetch, by HealthChain's own
function; ours reads it always. Events are on, as they are by default. uvicorn takes httptools and uvloop where that
Python has them; HealthChain brings neither. Run by `bench.py`, or:

    uvicorn --app-dir tests/load peer_healthchain:app --workers 2 --no-access-log
"""

import os

from healthchain.fhir import convert_prefetch_to_fhir_objects
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models import CDSRequest, CDSResponse

CARDS = [{"summary": "constant", "indicator": "info", "source": {"label": "peer"}}]
READS = os.environ.get("PEER_READS") == "true"


def answer(request: CDSRequest) -> CDSResponse:
    if READS:
        convert_prefetch_to_fhir_objects(request.prefetch or {})
    return CDSResponse(cards=CARDS)


service = CDSHooksService()
service.hook("order-select", id="iv-iron-rls")(answer)
app = HealthChainAPI()
app.register_service(service)
