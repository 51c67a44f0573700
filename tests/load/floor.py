"""The bare-Flask floor of the benchmark: parses the body with orjson and returns a constant card."""

import orjson
from flask import Flask, Response, request

CARD = orjson.dumps(
    {"cards": [{"summary": "constant", "indicator": "info", "source": {"label": "floor"}}]},
)


def create_floor() -> Flask:
    app = Flask("floor")

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:  # noqa: ARG001
        orjson.loads(request.get_data())
        return Response(CARD, content_type="application/json")

    return app
