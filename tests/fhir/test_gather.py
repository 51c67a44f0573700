"""What is fetched, when, with which token, and from whom: sections F and G of the wire contract, on a real socket."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.fhir.gather import expand, relative_reference
from cds_service.fhir.scopes import parse_scopes
from tests.fhir.ehr import (
    TEMPLATES,
    TOKEN,
    Ehr,
    Exchange,
    Json,
    diagnostics,
    grant,
    make_call,
    masked,
    open_ehr,
    open_service,
    post,
    trace_of,
)

REQUIRED = ("patient", "conditions", "ferritin", "tsat")
PATIENT = "low-ferritin"
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
EMPTY = {"resourceType": "Bundle", "type": "searchset", "total": 0}


@pytest.fixture
def service(ehr: Ehr) -> FlaskClient:
    return open_service(ehr, fhir_seconds=15)


def answered(service: FlaskClient, call: Json, **headers: str) -> Json:
    response = post(service, call, **headers)
    assert response.status_code == 200, response.text
    reply: Json = response.get_json()
    return reply


def without(document: Json, *keys: str) -> Json:
    return {key: value for key, value in document.items() if key not in keys}


# ------------------------------------------------------------------------------------------ F: what is asked at all


def test_ch_087_null_means_there_is_nothing_and_is_not_asked_again(ehr: Ehr, service: FlaskClient) -> None:
    full = {key: None if key not in REQUIRED else value for key, value in ehr.prefetch(PATIENT).items()}
    reply = answered(service, make_call(ehr, prefetch=full))
    assert not ehr.seen and trace_of(reply)["prefetch"]["weight"] == "empty"


def test_ch_088_null_and_an_empty_searchset_give_the_same_cards(ehr: Ehr, service: FlaskClient) -> None:
    full = ehr.prefetch(PATIENT)
    empty = {key: value if key in REQUIRED else EMPTY for key, value in full.items()}
    null = {key: value if key in REQUIRED else None for key, value in full.items()}
    assert masked(answered(service, make_call(ehr, prefetch=empty))) == masked(
        answered(service, make_call(ehr, prefetch=null))
    )


@pytest.mark.parametrize("key", ["conditions", "ferritin", "tsat"])
@pytest.mark.parametrize("value", [None, EMPTY], ids=["null", "empty Bundle"])
def test_ch_092_an_empty_answer_is_never_412(ehr: Ehr, service: FlaskClient, key: str, value: Json | None) -> None:
    full = {**ehr.prefetch(PATIENT), key: value}
    assert post(service, make_call(ehr, prefetch=full)).status_code == 200
    assert not ehr.seen


@pytest.mark.parametrize("key", REQUIRED)
def test_ch_089_a_failed_required_key_is_fetched(ehr: Ehr, service: FlaskClient, key: str) -> None:
    full = ehr.prefetch(PATIENT)
    expected = masked(answered(service, make_call(ehr, prefetch=full)))
    assert masked(answered(service, make_call(ehr, prefetch={**full, key: OUTCOME}))) == expected
    assert ehr.keys() == [key]


def test_ch_089_a_failed_key_that_is_not_required_is_not_repeated(ehr: Ehr, service: FlaskClient) -> None:
    reply = answered(service, make_call(ehr, prefetch={**ehr.prefetch(PATIENT), "allergies": OUTCOME}))
    assert not ehr.seen and trace_of(reply)["prefetch"]["allergies"] == "failed"
    assert reply["cards"][0]["indicator"] == "warning"


def test_ch_089_what_came_beside_an_outcome_is_kept_when_the_server_fails_too(ehr: Ehr, service: FlaskClient) -> None:
    full = ehr.prefetch(PATIENT)
    full["tsat"]["entry"].append({"resource": OUTCOME})
    ehr.faults["tsat"] = lambda exchange: exchange.reply(OUTCOME, 500)
    reply = answered(service, make_call(ehr, prefetch=full))
    assert ehr.keys() == ["tsat"] and trace_of(reply)["prefetch"]["tsat"] == "incomplete"
    assert "TSAT 17 %" in reply["cards"][0]["summary"]


@pytest.mark.parametrize("key", REQUIRED)
def test_ch_091_without_access_a_missing_required_key_is_412(ehr: Ehr, service: FlaskClient, key: str) -> None:
    call = make_call(ehr, prefetch=without(ehr.prefetch(PATIENT), key), fhirServer=..., fhirAuthorization=...)
    response = post(service, call)
    assert response.status_code == 412
    assert f"({key}: not supplied)" in diagnostics(response) and "names no fhirServer" in diagnostics(response)


def test_ch_095_a_key_we_did_not_announce_is_not_read(ehr: Ehr, service: FlaskClient) -> None:
    extra = {**ehr.prefetch(PATIENT), "notes": {"resourceType": "Bundle", "link": [{"relation": "next", "url": "x"}]}}
    reply = answered(service, make_call(ehr, prefetch=extra))
    assert not ehr.seen and "notes" not in json.dumps(reply)


# ----------------------------------------------------------------------------------------------------- F: paging


def next_link(url: str) -> Json:
    return {"relation": "next", "url": url}


def with_history(ehr: Ehr, kind: str, days: range) -> None:
    """Older results of the same kind on the server."""
    from datetime import timedelta

    from tests.fhir.ehr import REFERENCE

    code = {"ferritin": "2276-4", "weight": "29463-7"}[kind]
    pattern = next(
        one for one in ehr.resources["Observation"].values() if code in json.dumps(one["code"]) and _own(one)
    )
    for day in days:
        made = copy.deepcopy(pattern)
        made["id"] = f"{PATIENT}-{kind}-{day}"
        made["effectiveDateTime"] = f"{REFERENCE - timedelta(day)}T08:00:00-05:00"
        ehr.resources["Observation"][made["id"]] = made


def _own(resource: Json) -> bool:
    return bool(resource["subject"]["reference"] == f"Patient/{PATIENT}")


def test_ch_090_every_page_of_an_unsorted_key_is_read(ehr: Ehr, service: FlaskClient) -> None:
    full = ehr.prefetch(PATIENT)
    expected = masked(answered(service, make_call(ehr, prefetch=full)))
    first = {**EMPTY, "link": [next_link(f"{ehr.base}/Condition?patient={PATIENT}&_offset=0")]}
    reply = answered(service, make_call(ehr, prefetch={**full, "conditions": first}))
    assert masked(reply) == expected and ehr.keys() == ["conditions"]


def test_ch_090_a_relative_next_link_is_followed(ehr: Ehr, service: FlaskClient) -> None:
    first = {**EMPTY, "link": [next_link(f"Condition?patient={PATIENT}")]}
    reply = answered(service, make_call(ehr, prefetch={**ehr.prefetch(PATIENT), "conditions": first}))
    assert reply["cards"] and len(ehr.seen) == 1


def test_ch_090_without_access_a_cut_answer_is_incomplete_not_absent(ehr: Ehr, service: FlaskClient) -> None:
    full = ehr.prefetch(PATIENT)
    full["allergies"]["link"] = [next_link(f"{ehr.base}/AllergyIntolerance?patient={PATIENT}&page=2")]
    reply = answered(service, make_call(ehr, prefetch=full, fhirServer=..., fhirAuthorization=...))
    assert trace_of(reply)["prefetch"]["allergies"] == "incomplete"
    assert "(incomplete)" in reply["cards"][0]["detail"] and reply["cards"][0]["indicator"] == "warning"


def test_a_next_link_behind_a_page_that_suffices_is_not_followed(ehr: Ehr, service: FlaskClient) -> None:
    """A usable ferritin and everything within 7 days of it is on the first page (design section 2)."""
    with_history(ehr, "ferritin", range(40, 60))
    full = ehr.prefetch(PATIENT)
    assert any(link["relation"] == "next" for link in full["ferritin"]["link"])
    reply = answered(service, make_call(ehr, prefetch=full))
    assert not ehr.seen and trace_of(reply)["prefetch"]["ferritin"] == "supplied"
    alone = answered(service, make_call(ehr, prefetch=full, fhirServer=..., fhirAuthorization=...))
    assert trace_of(alone)["prefetch"]["ferritin"] == "supplied" and masked(alone) == masked(reply)
    assert masked(answered(service, make_call(ehr))) == masked(reply)
    assert ehr.keys().count("ferritin") == 1


def test_a_page_without_a_usable_result_is_followed(ehr: Ehr, service: FlaskClient) -> None:
    with_history(ehr, "ferritin", range(20))
    for name, one in ehr.resources["Observation"].items():
        if name.startswith(f"{PATIENT}-ferritin-"):
            one["status"] = "preliminary"
    reply = answered(service, make_call(ehr))
    assert ehr.keys().count("ferritin") == 2
    assert "ferritin 48 ng/mL" in reply["cards"][0]["summary"]


def test_unsorted_pages_are_read_to_the_end(ehr: Ehr, service: FlaskClient) -> None:
    """A server that ignores `_sort` may hold the newest result back to the last page."""
    with_history(ehr, "ferritin", range(100, 140))

    def unsorted(exchange: Exchange) -> None:
        bundle = exchange.normal()
        entries = sorted(bundle["entry"], key=lambda one: str(one["resource"]["effectiveDateTime"]))
        exchange.reply({**bundle, "entry": entries})

    ehr.faults["ferritin"] = unsorted
    answered(service, make_call(ehr))
    assert ehr.keys().count("ferritin") == 3


def test_a_next_link_to_another_server_gets_no_token(ehr: Ehr, service: FlaskClient) -> None:
    with open_ehr() as other:
        full = ehr.prefetch(PATIENT)
        full["conditions"]["link"] = [next_link(f"{other.base}/Condition?patient={PATIENT}")]
        reply = answered(service, make_call(ehr, prefetch=full))
        assert not other.seen and not ehr.seen
    assert trace_of(reply)["notObtained"]["conditions"] == "the next page is on another server"


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/fhir?page=2", "http://user@127.0.0.1/x", "//127.0.0.2/x", "ftp://127.0.0.1/x", "http://["],
)
def test_a_next_link_of_another_origin_is_not_followed(ehr: Ehr, service: FlaskClient, url: str) -> None:
    full = ehr.prefetch(PATIENT)
    full["conditions"]["link"] = [next_link(url)]
    reply = answered(service, make_call(ehr, prefetch=full))
    assert trace_of(reply)["prefetch"]["conditions"] == "incomplete" and not ehr.seen


def test_endless_pages_are_cut_and_count_as_incomplete(ehr: Ehr, service: FlaskClient) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.reply({**EMPTY, "link": [next_link(f"{ehr.base}/Condition?patient={PATIENT}&n={exchange.number}")]})

    ehr.faults["conditions"] = endless
    response = post(service, make_call(ehr))
    assert response.status_code == 200 and ehr.keys().count("conditions") == 20


def test_a_page_that_names_itself_as_next_is_read_once(ehr: Ehr, service: FlaskClient) -> None:
    def circular(exchange: Exchange) -> None:
        exchange.reply({**exchange.normal(), "link": [next_link(f"{ehr.base}/AllergyIntolerance?patient={PATIENT}")]})

    ehr.faults["allergies"] = circular
    reply = answered(service, make_call(ehr))
    assert ehr.keys().count("allergies") == 2 and trace_of(reply)["prefetch"]["allergies"] == "incomplete"


def test_a_further_page_that_fails_leaves_the_first_ones_incomplete(ehr: Ehr, service: FlaskClient) -> None:
    full = ehr.prefetch(PATIENT)
    full["conditions"]["link"] = [next_link(f"{ehr.base}/Condition?patient={PATIENT}")]
    ehr.faults["conditions"] = lambda exchange: exchange.reply(OUTCOME, 500)
    reply = answered(service, make_call(ehr, prefetch=full))
    assert reply["cards"] and trace_of(reply)["prefetch"]["conditions"] == "incomplete"
    assert "could not be read: the server answered 500" in trace_of(reply)["notObtained"]["conditions"]


def test_a_further_page_that_does_not_come_in_time_leaves_the_first_ones_incomplete(ehr: Ehr) -> None:
    full = ehr.prefetch(PATIENT)
    full["conditions"]["link"] = [next_link(f"{ehr.base}/Condition?patient={PATIENT}")]
    ehr.faults["conditions"] = _hang
    reply = answered(open_service(ehr, fhir_seconds=0.3), make_call(ehr, prefetch=full))
    assert reply["cards"] and trace_of(reply)["prefetch"]["conditions"] == "incomplete"


def _hang(exchange: Exchange) -> None:
    exchange.handler.close_connection = True
    exchange.wait(30)


# -------------------------------------------------------------------------------------------- G: token and server


def test_ch_098_without_a_token_there_is_no_call(ehr: Ehr, service: FlaskClient) -> None:
    response = post(service, make_call(ehr, fhirAuthorization=...))
    assert response.status_code == 412 and "no access token" in diagnostics(response)
    assert not ehr.seen


def test_ch_098_every_call_carries_the_token_and_nothing_of_ours_beside(ehr: Ehr, service: FlaskClient) -> None:
    answered(service, make_call(ehr))
    assert {one.headers["Authorization"] for one in ehr.seen} == {f"Bearer {TOKEN}"}
    assert not {name for one in ehr.seen for name in one.headers} & {"Cookie", "Referer", "traceparent"}


def test_ch_085_each_key_is_asked_once_as_announced(ehr: Ehr, service: FlaskClient) -> None:
    answered(service, make_call(ehr))
    assert ehr.keys() == sorted(TEMPLATES)


def test_the_trace_context_of_the_call_is_passed_on(ehr: Ehr, service: FlaskClient) -> None:
    context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answered(service, make_call(ehr), traceparent=context)
    assert {one.headers.get("traceparent") for one in ehr.seen} == {context}


def test_what_is_no_trace_context_is_not_passed_on(ehr: Ehr, service: FlaskClient) -> None:
    answered(service, make_call(ehr), traceparent="low-ferritin")
    assert {one.headers.get("traceparent") for one in ehr.seen} == {None}


def test_ch_108_a_server_that_is_not_listed_is_never_contacted(ehr: Ehr) -> None:
    """The public sandbox sends one with every call: prefetch is answered as usual."""
    with open_ehr() as other:
        service = open_service(other)
        full = ehr.prefetch(PATIENT)
        assert answered(service, make_call(ehr, prefetch=full))["cards"]
        response = post(service, make_call(ehr, prefetch=without(full, "tsat")))
        assert response.status_code == 412 and "CDS_FHIR_BASES" in diagnostics(response)
        assert "tsat: not supplied" in diagnostics(response) and not ehr.seen and not other.seen


@pytest.mark.parametrize("below", ["/other", "/../..", "?x=1", "#x"])
def test_ch_108_a_path_below_a_listed_base_is_another_server(ehr: Ehr, service: FlaskClient, below: str) -> None:
    response = post(service, make_call(ehr, fhirServer=ehr.base + below))
    assert response.status_code == 412 and "CDS_FHIR_BASES" in diagnostics(response) and not ehr.seen


@pytest.mark.parametrize("spelled", [str.upper, lambda base: base + "/"], ids=["upper case", "trailing slash"])
def test_a_base_is_compared_after_normalising(ehr: Ehr, service: FlaskClient, spelled: Callable[[str], str]) -> None:
    scheme_and_host, path = ehr.base.rpartition("/base")[0], "/base/r4"
    server = spelled(scheme_and_host) + path if spelled is str.upper else spelled(ehr.base)
    assert answered(service, make_call(ehr, fhirServer=server))["cards"]


@pytest.mark.parametrize("token", ["a b", "a\r\nX: y", "naïve", "\u2713"])
def test_a_token_that_fits_no_header_is_not_sent(ehr: Ehr, service: FlaskClient, token: str) -> None:
    response = post(service, make_call(ehr, fhirAuthorization=grant(access_token=token)))
    assert response.status_code == 412 and not ehr.seen


def test_ch_106_a_token_for_another_patient_is_refused(ehr: Ehr, service: FlaskClient) -> None:
    response = post(service, make_call(ehr, fhirAuthorization=grant(patient="somebody-else")))
    assert response.status_code == 400 and not ehr.seen


SCOPES = {
    "SMART 1, all": ("patient/*.read", True, True),
    "SMART 1, one type": ("patient/Observation.read", True, True),
    "SMART 1, everything": ("user/Observation.*", True, True),
    "SMART 1, writing only": ("patient/Observation.write", False, False),
    "SMART 2, read and search": ("patient/Observation.rs", True, True),
    "SMART 2, all rights": ("system/*.cruds", True, True),
    "SMART 2, search only": ("user/Observation.s", False, True),
    "SMART 2, read only": ("user/Observation.r", True, False),
    "SMART 2, a part of a type": ("patient/Observation.rs?category=laboratory", True, True),
    "another type": ("patient/Condition.read", False, False),
    "several": ("launch openid patient/Condition.read patient/Observation.rs", True, True),
    "nothing about types: the server decides": ("launch openid fhirUser", True, True),
    "no scope that we know": ("observation.reader", True, True),
}


@pytest.mark.parametrize("name", SCOPES)
def test_ch_105_both_spellings_of_scopes_are_read(name: str) -> None:
    scope, may_read, may_search = SCOPES[name]
    scopes = parse_scopes(scope)
    assert (scopes.allow("Observation/1"), scopes.allow("Observation?code=x")) == (may_read, may_search)


def test_ch_105_queries_that_must_fail_are_not_made(ehr: Ehr, service: FlaskClient) -> None:
    scope = "patient/Patient.read patient/Condition.read patient/Observation.rs"
    reply = answered(service, make_call(ehr, fhirAuthorization=grant(scope=scope)))
    assert {one.target.removeprefix("/base/r4/").partition("?")[0] for one in ehr.seen} == {
        "Patient/low-ferritin",
        "Condition",
        "Observation",
    }
    assert "scope" in trace_of(reply)["notObtained"]["allergies"]


def test_ch_105_a_scope_without_a_required_type_is_412(ehr: Ehr, service: FlaskClient) -> None:
    response = post(service, make_call(ehr, fhirAuthorization=grant(scope="patient/Patient.read")))
    assert response.status_code == 412 and "scope" in diagnostics(response)


# ----------------------------------------------------------------------------------------------------- whose data


def test_another_patients_results_are_never_used_and_are_named(ehr: Ehr, service: FlaskClient) -> None:
    def foreign(exchange: Exchange) -> None:
        text = json.dumps(exchange.normal()).replace(f"Patient/{PATIENT}", "Patient/somebody-else")
        exchange.reply(text.encode())

    ehr.faults["ferritin"] = foreign
    reply = answered(service, make_call(ehr))
    assert reply["cards"][0]["source"]["topic"]["code"] == "insufficient-data"
    gaps = trace_of(reply)["orders"][0]["gaps"]
    assert [gap["why"] for gap in gaps] == ["about another patient: not used"]
    assert gaps[0]["reference"].startswith("Observation/")


def test_another_patient_in_place_of_the_one_asked_for_is_not_used(ehr: Ehr, service: FlaskClient) -> None:
    ehr.faults["patient"] = lambda exchange: exchange.reply({**exchange.normal(), "id": "somebody-else"})
    reply = answered(service, make_call(ehr))
    assert reply["cards"][0]["source"]["topic"]["code"] == "insufficient-data"
    assert trace_of(reply)["orders"][0]["gaps"][0]["reference"] == "Patient with another id"


# ----------------------------------------------------------------------------------------------------- references

FCM = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1433693"}]}


def drug(ehr: Ehr, identifier: str = "fcm", **changes: Any) -> Json:
    made = {"resourceType": "Medication", "id": identifier, "code": FCM, **changes}
    ehr.resources["Medication"][identifier] = made
    return made


def by_reference(call: Json, reference: Any) -> Json:
    """The call with its drug as a reference in place of a code."""
    changed = copy.deepcopy(call)
    order = changed["context"]["draftOrders"]["entry"][0]["resource"]
    del order["medicationCodeableConcept"]
    order["medicationReference"] = reference
    return changed


def test_the_drug_of_a_selected_order_is_looked_up_on_the_server(ehr: Ehr, service: FlaskClient) -> None:
    drug(ehr)
    full = ehr.prefetch(PATIENT)
    expected = answered(service, make_call(ehr, prefetch=full))
    for reference in ("Medication/fcm", f"{ehr.base}/Medication/fcm", "Medication/fcm/_history/3"):
        ehr.seen.clear()
        reply = answered(service, by_reference(make_call(ehr, prefetch=full), {"reference": reference}))
        assert [one.target for one in ehr.seen] == ["/base/r4/Medication/fcm"]
        assert reply["cards"][0]["source"] == expected["cards"][0]["source"]


def test_a_looked_up_drug_that_is_another_one_is_silence_without_a_query(ehr: Ehr, service: FlaskClient) -> None:
    drug(ehr, "other", code={"text": "pramipexole 0.25 mg tablet"})
    reply = answered(service, by_reference(make_call(ehr), {"reference": "Medication/other"}))
    assert reply["cards"] == [] and ehr.keys() == ["Medication"]


def test_a_reference_with_words_beside_it_is_not_looked_up(ehr: Ehr, service: FlaskClient) -> None:
    reference = {"reference": "Medication/unknown", "display": "ferric carboxymaltose"}
    ehr.resources["MedicationAdministration"]["lately"] = {
        "resourceType": "MedicationAdministration",
        "id": "lately",
        "status": "completed",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "medicationReference": reference,
        "effectiveDateTime": "2026-02-20",
    }
    reply = answered(service, by_reference(make_call(ehr, prefetch=ehr.prefetch(PATIENT)), reference))
    assert "2026-02-20" in json.dumps(reply["cards"]) and not ehr.seen


@pytest.mark.parametrize("reference", ["Medication/gone", "https://elsewhere.example/fhir/Medication/1", "urn:uuid:1"])
def test_a_drug_that_nothing_resolves_is_412_naming_the_reference(
    ehr: Ehr, service: FlaskClient, reference: str
) -> None:
    response = post(service, by_reference(make_call(ehr), {"reference": reference}))
    assert response.status_code == 412 and f"nothing resolves {reference}" in diagnostics(response)
    assert ehr.keys() == (["Medication"] if reference == "Medication/gone" else [])


def test_drugs_of_the_chart_are_looked_up_where_only_a_reference_tells_them(ehr: Ehr, service: FlaskClient) -> None:
    drug(ehr)
    kinds = ehr.resources["MedicationAdministration"]
    kinds["lately"] = {
        "resourceType": "MedicationAdministration",
        "id": "lately",
        "status": "completed",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "medicationReference": {"reference": "Medication/fcm"},
        "effectiveDateTime": "2026-02-20",
        "dosage": {"dose": {"value": 1000, "unit": "mg"}},
    }
    by_code = copy.deepcopy(ehr.prefetch(PATIENT))
    record = by_code["iron_administrations"]["entry"][0]["resource"]
    del record["medicationReference"]
    record["medicationCodeableConcept"] = FCM
    expected = masked(answered(service, make_call(ehr, prefetch=by_code)))
    assert masked(answered(service, make_call(ehr, prefetch=ehr.prefetch(PATIENT)))) == expected
    assert ehr.keys() == ["Medication"]
    ehr.faults["Medication"] = lambda exchange: exchange.reply(OUTCOME, 500)
    reply = answered(service, make_call(ehr))
    assert [gap["reference"] for gap in trace_of(reply)["orders"][0]["gaps"]] == ["MedicationAdministration/lately"]


def test_a_drug_bundled_with_the_prefetch_is_not_looked_up(ehr: Ehr, service: FlaskClient) -> None:
    full = ehr.prefetch(PATIENT)
    record = {
        "resourceType": "MedicationAdministration",
        "id": "lately",
        "status": "completed",
        "medicationReference": {"reference": "Medication/fcm"},
        "effectiveDateTime": "2026-02-20",
    }
    entries = [{"resource": record}, {"resource": drug(ehr), "search": {"mode": "include"}}]
    full["iron_administrations"] = {**EMPTY, "entry": entries}
    reply = answered(service, make_call(ehr, prefetch=full))
    assert not ehr.seen and "gaps" not in trace_of(reply)["orders"][0]
    assert "2026-02-20" in json.dumps(reply["cards"])


def test_r_02_a_reason_that_the_problem_list_lacks_is_looked_up(ehr: Ehr, service: FlaskClient) -> None:
    full = ehr.prefetch(PATIENT)
    rls = full["conditions"]["entry"][0]["resource"]
    full["conditions"] = EMPTY
    call = make_call(ehr, prefetch=full)
    assert answered(service, call)["cards"] == [] and not ehr.seen
    order = call["context"]["draftOrders"]["entry"][0]["resource"]
    order["reasonReference"] = [{"reference": f"Condition/{rls['id']}"}]
    reply = answered(service, call)
    assert [one.target for one in ehr.seen] == [f"/base/r4/Condition/{rls['id']}"]
    assert reply["cards"][0]["source"]["topic"]["code"] == "indicated-strong"
    ehr.resources["Condition"][rls["id"]]["verificationStatus"] = {"coding": [{"code": "refuted"}]}
    assert answered(service, call)["cards"] == []


# ------------------------------------------------------------------------------------------------------- our queries


def test_a_patient_id_cannot_change_the_query() -> None:
    assert expand(TEMPLATES["conditions"], "1&_count=1,2|x") == "Condition?patient=1%26_count%3D1%2C2%7Cx"
    assert expand(TEMPLATES["patient"], "a?b#c") == "Patient/a%3Fb%23c"


def test_codes_are_encoded_and_the_separators_of_search_are_kept() -> None:
    query = expand("Observation?patient={{context.patientId}}&code=http://loinc.org|1,http://loinc.org|2", "p")
    assert query == "Observation?patient=p&code=http%3A%2F%2Floinc.org%7C1,http%3A%2F%2Floinc.org%7C2"


REFERENCES = {
    "Medication/1": "Medication/1",
    "Medication/a-b.c/_history/2": "Medication/a-b.c",
    "Medication/1/2": None,
    "Medication/": None,
    "../Medication/1": None,
    "Medication/1?x=y": None,
    "#m1": None,
    "urn:uuid:0": None,
    "http://elsewhere.example/Medication/1": None,
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_only_a_plain_reference_becomes_a_query(reference: str) -> None:
    assert relative_reference(reference) == REFERENCES[reference]
