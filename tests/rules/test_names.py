"""Names in words: drugs (R-01a, R-18), conditions with their hedging words (R-02a), reactions (R-18)."""

import pytest

from cds_service.clinical import names
from cds_service.clinical.names import (
    DRUG_CONCEPTS,
    NAMED_CONDITIONS,
    conditions_from_text,
    drug_from_text,
    is_injectable,
    is_oral,
    manifestation_from_text,
)
from cds_service.clinical.value_set_files import read_shipped

CLASS = "parenteral-iron-class"

DRUGS = [
    # injectable iron, brand and generic
    ("Injectafer", "fcm"),
    ("INJECTAFER 750 mg/15 mL", "fcm"),
    ("Ferinject® 50 mg/ml", "fcm"),
    ("ferric carboxymaltose", "fcm"),
    ("Ferric-carboxymaltose", "fcm"),
    ("ferric carboxy-maltose", "fcm"),
    ("iron carboxymaltose infusion", "fcm"),
    ("Eisencarboxymaltose", "fcm"),
    ("FCM 1000 mg IV", "fcm"),
    ("Venofer", "iron-sucrose"),
    ("iron sucrose", "iron-sucrose"),
    ("Iron-sucrose 20 MG/ML Injectable Solution", "iron-sucrose"),
    ("iron (III) hydroxide sucrose complex", "iron-sucrose"),
    ("iron saccharate", "iron-sucrose"),
    ("ferric oxide, saccharated", "iron-sucrose"),
    ("saccharated ferric oxide", "iron-sucrose"),
    ("Feraheme", "ferumoxytol"),
    ("Rienso", "ferumoxytol"),
    ("17 ML ferumoxytol 30 MG/ML Injection", "ferumoxytol"),
    ("INFeD", "iron-dextran"),
    ("CosmoFer", "iron-dextran"),
    ("iron dextran complex", "iron-dextran"),
    ("Iron-Dextran Complex", "iron-dextran"),
    ("iron(III)-hydroxide dextran complex", "iron-dextran"),
    ("low-molecular-weight iron dextran", "iron-dextran"),
    ("Dexferrum", "iron-dextran-hmw"),
    ("iron dextran, high molecular weight", "iron-dextran-hmw"),
    ("HMW iron dextran", "iron-dextran-hmw"),
    ("Monoferric", "ferric-derisomaltose"),
    ("Monofer 100 mg/ml", "ferric-derisomaltose"),
    ("Diafer", "ferric-derisomaltose"),
    ("ferric derisomaltose", "ferric-derisomaltose"),
    ("iron (III) isomaltoside 1000", "ferric-derisomaltose"),
    ("Ferrlecit", "ferric-gluconate"),
    ("ferric gluconate", "ferric-gluconate"),
    ("ferric sodium gluconate", "ferric-gluconate"),
    ("sodium ferric gluconate complex in sucrose", "ferric-gluconate"),
    (
        "Sodium Ferric Gluconate Complex in Sucrose 12.5 MG/ML Injection",
        "ferric-gluconate",
    ),
    # parenteral, product not named
    ("IV iron", CLASS),
    ("i.v. iron", CLASS),
    ("Iron infusion", CLASS),
    ("iron infusions", CLASS),
    ("infusion of iron", CLASS),
    ("Intravenous iron therapy", CLASS),
    ("parenteral iron", CLASS),
    ("Iron, parenteral preparations", CLASS),
    ("iron injection", CLASS),
    ("Iron (IV)", CLASS),
    ("intramuscular iron", CLASS),
    ("Iron 200 mg IV", CLASS),
    ("Iron 200 mg IV for iron deficiency", CLASS),
    ("Venofer or Injectafer", CLASS),
    # oral
    ("ferrous sulfate 325 MG (iron 65 MG) Oral Tablet", "oral-iron"),
    ("Ferrous sulphate", "oral-iron"),
    ("ferrous fumarate", "oral-iron"),
    ("ferrous gluconate", "oral-iron"),
    ("ferrous bisglycinate", "oral-iron"),
    ("iron bisglycinate", "oral-iron"),
    ("polysaccharide iron complex", "oral-iron"),
    ("Iron polysaccharide", "oral-iron"),
    ("carbonyl iron", "oral-iron"),
    ("ferric maltol", "oral-iron"),
    ("Accrufer", "oral-iron"),
    ("Slow Fe", "oral-iron"),
    ("Feosol", "oral-iron"),
    ("oral iron", "oral-iron"),
    ("Iron 65 mg tablet", "oral-iron"),
    ("iron 325 mg PO", "oral-iron"),
    ("iron polymaltose oral drops", "oral-iron"),
    # not told (R-01a)
    ("iron", "iron-ambiguous"),
    ("Iron (substance)", "iron-ambiguous"),
    ("elemental iron", "iron-ambiguous"),
    ("iron supplement", "iron-ambiguous"),
    ("iron gluconate", "iron-ambiguous"),
    ("iron polymaltose", "iron-ambiguous"),
    ("Maltofer", "iron-ambiguous"),
    ("iron polymaltose 50 mg/ml injection", "iron-ambiguous"),
    # imaging
    ("FeraBright", "iron-imaging"),
    ("FeraBright (ferumoxytol) 30 mg/mL", "iron-imaging"),
    ("ferumoxytol-enhanced MRI", "iron-imaging"),
    # RLS drugs
    ("pramipexole dihydrochloride 0.25 MG Oral Tablet", "rls-pramipexole"),
    ("Requip", "rls-ropinirole"),
    ("Neupro patch", "rls-rotigotine"),
    ("gabapentin 300 MG Oral Capsule", "rls-gabapentin"),
    ("gabapentin enacarbil 600 MG", "rls-gabapentin-enacarbil"),
    ("Horizant", "rls-gabapentin-enacarbil"),
    ("Lyrica 75 mg", "rls-pregabalin"),
]


@pytest.mark.parametrize(("text", "concept"), DRUGS, ids=[row[0] for row in DRUGS])
def test_r_01a_a_drug_is_recognised_by_its_name(text: str, concept: str) -> None:
    named = drug_from_text(text)
    assert named is not None
    assert named.concept == concept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Metformin 500 mg tablet",
        "ferric citrate",
        "Auryxia (ferric citrate) 210 mg iron tablet",
        "sucroferric oxyhydroxide",
        "Velphoro",
        "dextran 40",
        "sucrose",
        "environment",
        "ferritin",
        "transferrin",
        "Serum iron",
        "Iron level",
        "Iron and TIBC panel, serum",
        "iron binding capacity",
        "Iron deficiency anemia",
        "iron overload",
        "iron chelation",
        "low iron",
        "multivitamin with iron",
        "calcium gluconate",
        "Irons",
        "x" * 500 + " Injectafer",
    ],
)
def test_other_words_name_no_iron_to_give(text: str) -> None:
    assert drug_from_text(text) is None


@pytest.mark.parametrize(
    ("text", "injectable", "oral"),
    [
        ("ferric carboxymaltose 50 mg/mL injection", True, False),
        ("Injectable Solution", True, False),
        ("solution for infusion", True, False),
        ("100 mg IV weekly", True, False),
        ("i.v. push", True, False),
        ("intravenous", True, False),
        ("2 mL IM", True, False),
        ("intramuscular", True, False),
        ("Parenteral suspension", True, False),
        ("5 mL vial", True, False),
        ("10 mL oral vial", False, True),
        ("Oral Tablet", False, True),
        ("1 capsule daily", False, True),
        ("325 mg PO", False, True),
        ("p.o. twice daily", False, True),
        ("by mouth", False, True),
        ("syrup", False, True),
        ("Tablette im Mund", False, False),
        ("Injectafer", False, False),
        ("pivotal", False, False),
        ("temporal", False, False),
        ("", False, False),
    ],
)
def test_r_01a_form_and_route_in_words(text: str, injectable: bool, oral: bool) -> None:
    assert (is_injectable(text), is_oral(text)) == (injectable, oral)


def test_a_name_carries_what_its_words_say_about_the_form() -> None:
    named = drug_from_text("iron polymaltose 50 mg/ml injection")
    assert named is not None
    assert (named.is_injectable, named.is_oral) == (True, False)


CONDITIONS = [
    ("Restless legs syndrome", "rls"),
    ("restless leg syndrome, severe", "rls"),
    ("Restless-Legs-Syndrom", "rls"),
    ("Willis-Ekbom disease", "rls"),
    ("Willis\u2013Ekbom", "rls"),
    ("RLS", "rls"),
    ("PLMD and RLS", "rls"),
    ("Hemochromatosis", "iron-overload"),
    ("Hereditary haemochromatosis", "iron-overload"),
    ("hemosiderosis", "iron-overload"),
    ("Transfusional haemosiderosis", "iron-overload"),
    ("Transfusional iron overload", "iron-overload"),
    ("Porphyria cutanea tarda", "porphyria-cutanea-tarda"),
    ("Beta thalassaemia minor", "thalassemia"),
    ("alpha-thalassemia", "thalassemia"),
    ("Sideroblastic anaemia", "sideroblastic-anemia"),
    ("Autoimmune haemolytic anaemia", "hemolytic-anemia immune-disease"),
    ("hemolytic anemia", "hemolytic-anemia"),
    ("Sickle-cell disease", "hemolytic-anemia"),
    ("Sepsis", "systemic-infection"),
    ("Sepsis, not otherwise specified", "systemic-infection"),
    ("Urosepsis", "systemic-infection"),
    ("septic shock", "systemic-infection"),
    ("Septicaemia", "systemic-infection"),
    ("MRSA bacteremia", "systemic-infection"),
    ("Bloodstream infection", "systemic-infection active-infection"),
    ("Urinary tract infection", "active-infection"),
    ("Community-acquired pneumonia", "active-infection"),
    ("End-stage renal disease", "esrd"),
    ("End stage kidney failure", "esrd"),
    ("ESRD on haemodialysis", "esrd dialysis-dependence hemodialysis"),
    ("Dependence on renal dialysis", "dialysis-dependence"),
    ("Peritoneal dialysis", "dialysis-dependence peritoneal-dialysis"),
    ("Hypophosphataemia", "hypophosphatemia"),
    ("familial hypophosphatemia", "hypophosphatemia"),
    ("Cirrhosis of liver", "liver-disease"),
    ("Chronic hepatitis C", "liver-disease"),
    ("nonalcoholic steatohepatitis", "liver-disease"),
    ("hepatic impairment", "liver-disease"),
    ("Rheumatoid arthritis", "rheumatoid-arthritis"),
    ("SLE", "lupus"),
    ("Systemic lupus erythematosus", "lupus"),
    ("Crohn's disease", "inflammatory-bowel-disease"),
    ("Crohn\u2019s ileitis", "inflammatory-bowel-disease"),
    ("Ulcerative colitis", "inflammatory-bowel-disease"),
    ("Inflammatory bowel disease", "inflammatory-bowel-disease"),
    ("Autoimmune disorder", "immune-disease"),
    ("Breast cancer", "malignancy"),
    ("Adenocarcinoma of colon", "malignancy"),
    ("Acute myeloid leukaemia", "malignancy"),
    ("Malignant tumour of prostate", "malignancy"),
    ("Asthma", "asthma"),
    ("Eczema", "atopy"),
    ("Atopic dermatitis", "atopy"),
    ("Vitamin D deficiency", "vitamin-d-deficiency"),
    ("Vitamin D3 deficiency", "vitamin-d-deficiency"),
    ("Secondary hyperparathyroidism", "hyperparathyroidism"),
    ("Severe malnutrition", "malnutrition"),
    ("Osteoporosis", "osteoporosis"),
    ("Osteomalacia", "osteomalacia"),
    ("Coeliac disease", "malabsorption"),
    ("celiac disease", "malabsorption"),
    ("Pregnant", "pregnancy"),
    ("RLS in pregnancy", "rls pregnancy"),
    ("Pregnancy, second trimester", "pregnancy pregnancy-second-trimester"),
    ("Third trimester", "pregnancy pregnancy-third-trimester"),
    ("1st trimester pregnancy", "pregnancy pregnancy-first-trimester"),
    ("Adverse reaction to iron sucrose", "iron-adverse-reaction"),
    ("Allergy to iron", "iron-adverse-reaction"),
    ("Iron infusion reaction", "iron-adverse-reaction"),
    ("Anaphylaxis due to Feraheme", "iron-adverse-reaction"),
    ("Allergic reaction to ferrous sulfate", "iron-adverse-reaction"),
]


@pytest.mark.parametrize(("text", "concepts"), CONDITIONS, ids=[row[0] for row in CONDITIONS])
def test_r_02a_a_condition_is_recognised_by_its_name(text: str, concepts: str) -> None:
    assert conditions_from_text(text) == (frozenset(concepts.split()), False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Essential hypertension",
        "Periodic limb movement disorder",
        "PLMD",
        "leg cramps",
        "restlessness and agitation",
        "Ekbom delusional parasitosis",
        "girls",
        "Iron deficiency anemia",
        "Porphyria",
        "Porphyria, acute intermittent",
        "aseptic necrosis",
        "asepsis",
        "non-malignant tumour",
        "malignant hypertension",
        "non-dialysis CKD stage 5",
        "CKD stage 5, predialysis",
        "pre-dialysis education",
        "Hepatitis B vaccination",
        "lupus anticoagulant present",
        "osteopenia",
        "benign prostatic hyperplasia",
        "Pregnancy test",
        "Ectopic pregnancy",
        "Previous pregnancy",
        "non-pregnant",
        "non-inflammatory disease",
        "hyperphosphatemia",
        "intolerance of oral iron",
        "nausea on ferrous sulfate, adverse effect",
        "allergic reaction to penicillin",
        "adverse reaction to gabapentin",
        "x" * 500 + " sepsis",
    ],
)
def test_r_02a_other_words_name_no_condition(text: str) -> None:
    assert conditions_from_text(text) == (frozenset(), False)


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("No sepsis", "systemic-infection"),
        ("Not pregnant", "pregnancy"),
        ("Denies restless legs", "rls"),
        ("Iron deficiency without hemochromatosis", "iron-overload"),
        ("Family history of hemochromatosis", "iron-overload"),
        ("Mother has haemochromatosis", "iron-overload"),
        ("Father: thalassaemia", "thalassemia"),
        ("Hemochromatosis carrier", "iron-overload"),
        ("Screen for hemochromatosis", "iron-overload"),
        ("Screening for malignant neoplasm", "malignancy"),
        ("Rule out sepsis", "systemic-infection"),
        ("rule-out sepsis", "systemic-infection"),
        ("Restless legs syndrome, ruled out", "rls"),
        ("History of breast cancer", "malignancy"),
        ("CKD stage 5, not on dialysis", "dialysis-dependence"),
        ("No known allergy to iron", "iron-adverse-reaction"),
    ],
)
def test_r_02a_a_negation_kinship_or_screening_word_hedges_the_name(text: str, concept: str) -> None:
    found, is_hedged = conditions_from_text(text)
    assert concept in found
    assert is_hedged


@pytest.mark.parametrize(
    "text",
    [
        "Notable restless legs",
        "Familial hemochromatosis",
        "Sepsis, not elsewhere classified",
        "RLS since motherhood",
        "Nose RLS",
    ],
)
def test_r_02a_hedging_words_are_whole_words(text: str) -> None:
    found, is_hedged = conditions_from_text(text)
    assert found
    assert not is_hedged


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Nausea", "gastrointestinal"),
        ("Nausea (disorder)", "gastrointestinal"),
        ("severe vomiting", "gastrointestinal"),
        ("Constipation", "gastrointestinal"),
        ("Diarrhea", "gastrointestinal"),
        ("diarrhoea", "gastrointestinal"),
        ("Abdominal pain", "gastrointestinal"),
        ("stomach cramps", "gastrointestinal"),
        ("Dyspepsia", "gastrointestinal"),
        ("dark stools", "gastrointestinal"),
        ("black-coloured stool", "gastrointestinal"),
        ("GI upset", "gastrointestinal"),
        ("nausea, vomiting and diarrhoea", "gastrointestinal"),
        ("nausea and hives", "other"),
        ("nausea, hypotension", "other"),
        ("nausea with headache", "other"),
        ("vomiting hives", "other"),
        ("Rash", "other"),
        ("Urticaria", "other"),
        ("chest pain", "other"),
        ("", "other"),
        ("Anaphylaxis", "anaphylaxis"),
        ("Anaphylactic shock", "anaphylaxis"),
        ("anaphylactoid reaction", "anaphylaxis"),
        ("nausea then anaphylaxis", "anaphylaxis"),
        ("no anaphylaxis", "other"),
        ("rash without signs of anaphylaxis", "other"),
        ("nausea, no anaphylaxis", "other"),
    ],
)
def test_r_18_reactions_in_words(text: str, kind: str) -> None:
    assert manifestation_from_text(text) == kind


def test_every_name_leads_to_a_value_set_that_is_shipped() -> None:
    shipped = set(read_shipped())
    assert shipped.issuperset(DRUG_CONCEPTS)
    assert shipped.issuperset(NAMED_CONDITIONS)
    assert {concept for _, concept in DRUGS} <= DRUG_CONCEPTS
    assert {one for _, concepts in CONDITIONS for one in concepts.split()} == NAMED_CONDITIONS


def test_condition_sets_that_hold_no_code_are_recognised_by_name() -> None:
    for one in read_shipped().values():
        if one.kind == "condition" and not one.members:
            assert one.id in names.NAMED_CONDITIONS
