"""The SMART on FHIR app "Iron story": launch, redirect target, the queries it makes, and the story made of the answers.

Anyone may call these addresses: nothing about patients is kept or given out here. The chart comes from the EHR to the
browser with the token of its user, and from there to `/smart/story`, which answers and forgets it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import cache, partial
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, render_template, request

from cds_service.assembly import DEMO_FHIR_PATH, Client, Engine
from cds_service.clients import Registry, SmartApp
from cds_service.demo.fixtures import Situation, read_situations
from cds_service.discovery import prefetch_templates
from cds_service.errors import OtherRefusal
from cds_service.fhir.addresses import AllowedBase, demo_base, find_allowed
from cds_service.fhir.wire import ReadContext
from cds_service.hooks import encode
from cds_service.routes import read_body
from cds_service.settings import Settings
from cds_service.story import KEYS, parse_posted, tell_story

CLIENT_ID = "iv-iron-rls"  # in demo mode, where no registry says another
LONGEST_SHOWN = 200  # characters of an address that is refused
_NOT_LISTED = (
    "The FHIR server of this launch is not registered with this service for the Iron story app, so nothing was opened "
    "and no data were read."
)
_NO_ISS = "This address is opened by an EHR, which says which FHIR server to read from (iss). None was named."


@dataclass(frozen=True, slots=True)
class Place:
    """A CDS Client whose patients the app may show, and how the app is known there."""

    client: Client
    app: SmartApp


FindPlaces = Callable[[], Sequence[Place]]


def demo_places(engine: Engine) -> FindPlaces:
    """Demo mode: the bundled server and those that CDS_FHIR_BASES lists; only our own pages may frame the app."""
    client = engine.demo_client
    places = (Place(client, SmartApp(CLIENT_ID, ("'self'",))),)
    return lambda: places


def registered_places(registry: Callable[[], Registry]) -> FindPlaces:
    """Protected mode: entries with a [client.smart], in the registry in force."""
    return lambda: tuple(Place(one.client, one.smart) for one in registry().clients if one.smart)


def find_place(places: Iterable[Place], iss: str) -> Place | None:
    """The first that lists this FHIR server."""
    return next((one for one in places if find_allowed(iss, one.client.fhir_bases)), None)


def scopes_of(place: Place, *, version: int) -> str:
    """What the story reads and no more, in the spelling of SMART 1 (`.read`) or 2 (`.rs`)."""
    may = {1: "read", 2: "rs"}[version]
    return " ".join(["launch", *(f"patient/{kind}.{may}" for kind in _kinds(place.client.profile.follow_up))])


def _kinds(follow_up: str) -> tuple[str, ...]:
    return (
        *("Patient", "Condition", "Observation", "MedicationAdministration", "MedicationRequest"),
        *("MedicationStatement", "Medication", "Procedure", follow_up),
    )


# ------------------------------------------------------------------------------------------- Content-Security-Policy


def policy(places: Iterable[Place]) -> str:
    """No inline code, nothing from elsewhere; the EHRs may frame the page, and it may ask their servers."""
    places = tuple(places)
    frames = _distinct(origin for one in places for origin in one.app.frame_origins)
    asked = _distinct(origin for one in places for origin in _asked(one))
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": " ".join(["'self'", *asked]),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": " ".join(frames) or "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _asked(place: Place) -> list[str]:
    """The origins that the browser may ask: FHIR servers and token endpoint."""
    return _distinct([*(_origin(base.url) for base in place.client.fhir_bases), *place.app.token_origins])


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


# -------------------------------------------------------------------------------------------------------------- routes


def build_smart(
    engine: Engine, settings: Settings, find_places: FindPlaces, today: Callable[[tzinfo | None], date]
) -> Blueprint:
    """All under `/smart`. `today` is the calendar day of a zone (R-08a)."""
    smart = Blueprint("smart", __name__, url_prefix="/smart", template_folder="templates")
    bundled = demo_base(settings.public_url + DEMO_FHIR_PATH)
    smart.add_url_rule("/launch", view_func=partial(_launch, find_places, settings, bundled), endpoint="launch")
    smart.add_url_rule("/app", view_func=partial(_open_app, find_places, settings, bundled), endpoint="app")

    @cache
    def queries(follow_up: str) -> bytes:
        templates = prefetch_templates(engine.index, follow_up)
        return encode({"queries": {key: templates[key] for key in KEYS}})

    @smart.get("/queries")
    def list_queries() -> Response:
        place = _require_place(find_places(), request.args.get("iss", ""))
        return _json(queries(place.client.profile.follow_up))

    @smart.post("/story")
    def tell() -> Response:
        posted = parse_posted(read_body(request.environ, settings.max_body_bytes))
        client = _require_place(find_places(), posted.fhirServer).client
        context = ReadContext(
            engine.index, client.zone, posted.patientId, today(client.zone), engine.identifier_systems
        )
        stamp = engine.shop.stamp
        told = tell_story(context, posted.prefetch, client.label)
        return _json(encode({**told, "knowledge": {"text": stamp.text, "url": engine.shop.knowledge_url}}))

    return smart


def _launch(find_places: FindPlaces, settings: Settings, bundled: AllowedBase) -> Response:
    """EHR launch: a FHIR server that is not listed is refused in words, and nothing is sent anywhere."""
    iss = request.args.get("iss", "")
    if not iss and settings.is_demo:
        return _redirect("app")  # to the list of patients
    if not iss:
        return _refuse(_NO_ISS, "", 400, find_places())
    place = find_place(find_places(), iss)
    if place is None:
        return _refuse(_NOT_LISTED, iss, 403, find_places())
    if settings.is_demo and find_allowed(iss, (bundled,)):
        # The demo server is open and plays no authorisation server: its launch is the patient's id.
        return _redirect("app?" + urlencode({"patient": request.args.get("launch", "")}))
    scopes = {version: scopes_of(place, version=version) for version in (1, 2)}
    return _page("smart_launch.html", (place,), iss=iss, app=place.app, scopes=scopes, origins=_asked(place))


def _open_app(find_places: FindPlaces, settings: Settings, bundled: AllowedBase) -> Response:
    """Redirect target. It cannot know yet from which EHR it was launched, so all registered ones may be asked."""
    if not settings.is_demo:
        return _page("smart_app.html", find_places(), server="", patients=())
    iss = request.args.get("iss", bundled.url)
    if find_place(find_places(), iss) is None:
        return _refuse(_NOT_LISTED, iss, 403, find_places())
    chosen = request.args.get("patient") or request.args.get("code") or request.args.get("error")
    return _page("smart_app.html", find_places(), server=iss, patients=() if chosen else _patients())


@cache
def _patients() -> tuple[Situation, ...]:
    """Those with something to follow first."""
    listed = read_situations().by_name.values()
    return tuple(sorted(listed, key=lambda one: one.hook != "patient-view"))


def _require_place(places: Iterable[Place], iss: str) -> Place:
    if not iss:
        raise OtherRefusal(400, "iss: say which FHIR server is read")
    place = find_place(places, iss)
    if place is None:
        raise OtherRefusal(403, "this FHIR server is not listed for the Iron story app")
    return place


def _refuse(words: str, iss: str, status: int, places: Sequence[Place]) -> Response:
    """In a frame of a registered EHR, too: who launched it should see why nothing comes."""
    shown = iss if len(iss) <= LONGEST_SHOWN else iss[:LONGEST_SHOWN] + "\u2026"
    response = _page("smart_refused.html", places, words=words, iss=shown)
    response.status_code = status
    return response


def _redirect(address: str) -> Response:
    """Relative, so that a path prefix of a proxy stays."""
    return Response(status=302, headers={"Location": address})


def _page(template: str, places: Sequence[Place], **values: object) -> Response:
    return _dress(Response(render_template(template, **values), content_type="text/html; charset=utf-8"), places)


def _dress(response: Response, places: Sequence[Place]) -> Response:
    response.headers["Content-Security-Policy"] = policy(places)
    return response


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json")
