"""The sources the rules rest on (section 12 of the rule book), each once; rules name them by constant.

`says` is the statement we rely on, in our words. `checked` tells how the source was read: "read" (primary public
text, often the abstract only: see `section`), "secondary" (a reprint, summary or review), or "general knowledge".
`url` is empty where no stable public address is known.
"""

from cds_service.clinical.model import Citation

_DOI = "https://doi.org/"
_PUBMED = "https://pubmed.ncbi.nlm.nih.gov/"
_PMC = "https://pmc.ncbi.nlm.nih.gov/articles/"
_DAILYMED = "https://dailymed.nlm.nih.gov/dailymed/"

READ = "read"
SECONDARY = "secondary"
GENERAL_KNOWLEDGE = "general knowledge"

DESIGN = Citation(
    id="DESIGN",
    title="Decision of this project where sources are silent or disagree; awaits clinical signature",
    year=2026,
    url="",
    says="The rule book states the reason beside each such rule and lists them for signature.",
    checked=READ,
)

# ------------------------------------------------------------------------------- guidelines and reviews on RLS

A1 = Citation(
    id="A1",
    title="Winkelman JW et al. Treatment of restless legs syndrome and periodic limb movement disorder: AASM "
    "clinical practice guideline. J Clin Sleep Med 2025",
    year=2025,
    url=_DOI + "10.5664/jcsm.11390",
    says="Test ferritin and TSAT in every patient with clinically significant RLS; iron by mouth or vein if "
    "ferritin is 75 ng/mL or less or TSAT is below 20 %, by vein only if ferritin is 75 to 100. FCM: strong, "
    "moderate certainty.",
    checked=READ,
    section="abstract with good-practice statement; strengths of recommendation from secondary texts",
)
A2 = Citation(
    id="A2",
    title="Allen RP et al. Iron treatment of restless legs syndrome: IRLSSG task force guideline. Sleep Med 2018",
    year=2018,
    url=_PUBMED + "29425576/",
    says="FCM 1000 mg works in RLS with ferritin below 300 ng/mL; iron by vein is held back at TSAT 45 % or more.",
    checked=READ,
    section="abstract; TSAT limit, repeat interval and time of retesting are general knowledge",
)
A3 = Citation(
    id="A3",
    title="Silber MH et al. The management of restless legs syndrome: an updated algorithm. Mayo Clin Proc 2021",
    year=2021,
    url=_PUBMED + "34218864/",
    says="Iron status belongs into every work-up of RLS; the iron numbers of this paper are not used here.",
    checked=READ,
    section="abstract",
)
A4 = Citation(
    id="A4",
    title="Winkelman JW et al. Treatment of restless legs syndrome in adults: AAN guideline summary. Neurology "
    "2016;87:2585",
    year=2016,
    url=_DOI + "10.1212/WNL.0000000000003388",
    says="Ferrous sulfate with vitamin C at ferritin up to 75 ng/mL, and FCM by vein: both Level B.",
    checked=READ,
    section="abstract",
)
A5 = Citation(
    id="A5",
    title="Trotti LM, Becker LA. Iron for the treatment of restless legs syndrome. Cochrane Database Syst Rev 2019",
    year=2019,
    url=_DOI + "10.1002/14651858.CD007834.pub3",
    says="Iron lowers the IRLS score by 3.78 points more than placebo (95 % CI 1.31 to 6.25; 7 trials, 345 "
    "people; moderate certainty); trials excluded ferritin above 300.",
    checked=READ,
    section="summary of findings and tables of studies",
)
A6 = Citation(
    id="A6",
    title="IRLSSG diagnostic criteria of restless legs syndrome, as restated in public dossiers",
    year=None,
    url="",
    says="RLS is a clinical diagnosis with five essential criteria.",
    checked=SECONDARY,
)

# ------------------------------------------------------------------------------------------- trials and series

T1 = Citation(
    id="T1",
    title="Investigating the response to intravenous iron in restless legs syndrome: an observational study (FCM "
    "500 mg, n = 20). Sleep Med 2012;13:732-5",
    year=2012,
    url=_DOI + "10.1016/j.sleep.2012.02.011",
    says="12 of 20 improved, the earliest effect was seen on day 8; early benefit may let prescribers postpone "
    "changes of RLS drugs. Age, ferritin and comorbidity showed tendencies only.",
    checked=READ,
    section="abstract",
)
T2 = Citation(
    id="T2",
    title="Cho YW, Allen RP, Earley CJ. Efficacy of ferric carboxymaltose 500 mg dose for the treatment of "
    "restless legs syndrome. Sleep Med",
    year=None,
    url="https://pure.johnshopkins.edu/en/publications/efficacy-of-ferric-carboxymaltose-fcm-500-mg-dose-for-the-"
    "treatme",
    says="500 mg did not separate from placebo at week 6 (IRLS -8.3 against -4.8, p = 0.10).",
    checked=READ,
    section="abstract",
)
T3 = Citation(
    id="T3",
    title="Trenkwalder C et al. Ferric carboxymaltose in restless legs syndrome and nonanemic iron deficiency. Mov "
    "Disord 2017;32:1478-82",
    year=2017,
    url="https://portal.fis.tum.de/en/publications/ferric-carboxymaltose-in-patients-with-restless-legs-syndrome-and-2",
    says="Enrolled ferritin below 75, or 75 to 300 with TSAT below 20 %; 1000 mg missed significance at week 4 "
    "and reached it at week 12.",
    checked=READ,
    section="abstract",
)
T4 = Citation(
    id="T4",
    title="Earley CJ et al. Ferric carboxymaltose 750 mg twice in restless legs syndrome (n = 209). Sleep 2024",
    year=2024,
    url=_DOI + "10.1093/sleep/zsae095",
    says="IRLS end-point met (-8.0 against -4.8), global-impression end-point not (35.5 % against 28.7 %); the "
    "two doses were given five days apart.",
    checked=READ,
    section="abstract",
)
T5 = Citation(
    id="T5",
    title="Bae H et al. Randomized, placebo-controlled trial of ferric carboxymaltose in restless legs syndrome "
    "with iron deficiency anemia (1500 mg, n = 29). Sleep Med 2021",
    year=2021,
    url="https://kumel.medlib.dsmc.or.kr/handle/2015.oak/43828",
    says="1500 mg lowered the IRLS score at week 6 in RLS with anemia.",
    checked=READ,
    section="abstract",
)
T6 = Citation(
    id="T6",
    title="Mehmood T, Auerbach M, Earley CJ, Allen RP. Response to intravenous iron in patients with iron "
    "deficiency anemia and restless leg syndrome. Sleep Med 2014;15:1473-6",
    year=2014,
    url="https://pure.johnshopkins.edu/en/publications/response-to-intravenous-iron-in-patients-with-iron-"
    "deficiency-ane-4",
    says="Case series after 1000 mg dextran: 32 of 42 followed improved, 20 of 42 beyond six months; "
    "non-responders all had hemoglobin below 12.5 g/dL after treatment, so some may need more than 1000 mg.",
    checked=READ,
    section="abstract",
)
T7 = Citation(
    id="T7",
    title="Ondo WG. Intravenous high-molecular-weight iron dextran in restless legs syndrome (n = 25). Sleep Med "
    "2010;11:494-6",
    year=2010,
    url=_DOI + "10.1016/j.sleep.2009.12.002",
    says="Benefit lasted 15.8 weeks on average, range 1 to 60.",
    checked=READ,
    section="abstract",
)
T8 = Citation(
    id="T8",
    title="Earley CJ, Heckler D, Allen RP. Repeated IV doses of iron provides effective supplemental treatment of "
    "restless legs syndrome (n = 10). Sleep Med 2005",
    year=2005,
    url="https://jhu.pure.elsevier.com/en/publications/repeated-iv-doses-of-iron-provides-effective-supplemental-"
    "treatme-3",
    says="Symptoms returned about six months after 1000 mg; repeat doses were allowed only at ferritin below 300; "
    "ferritin fell 6.6 ug/L per week after the dose, less than 1 expected without treatment.",
    checked=READ,
    section="abstract",
)
T9 = Citation(
    id="T9",
    title="Earley CJ et al. The treatment of restless legs syndrome with intravenous iron dextran. Sleep Med "
    "2004;5:231-5",
    year=2004,
    url=_DOI + "10.1016/j.sleep.2004.03.002",
    says="1000 mg dextran, open label: ferritin fell in a line, faster than predicted.",
    checked=READ,
    section="abstract",
)
T10 = Citation(
    id="T10",
    title="Cho YW et al. Low-molecular-weight iron dextran in restless legs syndrome (n = 25). Sleep Med 2013;14:274-7",
    year=2013,
    url=_DOI + "10.1016/j.sleep.2012.11.001",
    says="Onset between weeks 1 and 6, duration 1 to 22 months; no baseline value predicted response.",
    checked=READ,
    section="abstract",
)
T11 = Citation(
    id="T11",
    title="Park HR et al. Patient characteristics predicting responses to intravenous ferric carboxymaltose "
    "treatment of restless legs syndrome (n = 164)",
    year=None,
    url="https://pure.johnshopkins.edu/en/publications/patient-characteristics-predicting-responses-to-"
    "intravenous-ferri",
    says="Responder defined as a fall of the IRLS score by 40 % or more.",
    checked=READ,
    section="abstract",
)
T11B = Citation(
    id="T11b",
    title="Clinical factors related to the response of IV ferric carboxymaltose treatment in restless legs "
    "syndrome (n = 99). J Sleep Med 2018;15:8-14",
    year=2018,
    url=_DOI + "10.13078/jsm.18005",
    says="Ferritin and TSAT were lower in responders; demographics and baseline severity did not differ.",
    checked=READ,
    section="abstract",
)
T12 = Citation(
    id="T12",
    title="Park HR, Choi SJ, Joo EY. Repeated dosing of intravenous ferric carboxymaltose in restless legs "
    "syndrome (n = 42). J Clin Med 2022;11:1673",
    year=2022,
    url=_DOI + "10.3390/jcm11061673",
    says="A repeat course worked again in about 81 % of earlier responders.",
    checked=READ,
    section="abstract",
)
T13 = Citation(
    id="T13",
    title="Short V et al. Ferumoxytol or oral iron in restless legs syndrome with iron deficiency anemia. Am J "
    "Hematol 2024",
    year=2024,
    url=_DOI + "10.1002/ajh.27290",
    says="Double-blind trial: both helped, without a significant difference at week 6.",
    checked=READ,
    section="abstract",
)
T14 = Citation(
    id="T14",
    title="Iron sucrose or placebo in hemodialysis patients with restless legs syndrome",
    year=None,
    url=_PMC + "PMC5360424/",
    says="1000 mg iron sucrose lowered the IRLS score more than placebo two weeks after the last injection.",
    checked=READ,
    section="abstract",
)

# ------------------------------------------------------------------------------------------------ product texts

F1 = Citation(
    id="F1",
    title="Ferric carboxymaltose: US label records of Sept 2026 with boxed warning; Injectafer record of Aug 2026",
    year=2026,
    url=_DAILYMED + "drugInfo.cfm?setid=8e8e95f4-8d3a-4658-9f6c-09edf2210341",
    says="Boxed warning: severe, prolonged hypophosphatemia; correct low phosphate before dosing, measure it "
    "before a repeat course in patients at risk or within three months. From 50 kg: 750 mg twice, seven days "
    "apart, or 15 mg/kg up to 1000 mg once; below 50 kg 15 mg/kg twice. Indicated for iron deficiency, not "
    "for RLS.",
    checked=READ,
    section="excerpts; dosing from public label reprints; box on the brand label not confirmed",
)
F2 = Citation(
    id="F2",
    title="Low-molecular-weight iron dextran (INFeD): US label",
    year=None,
    url=_DAILYMED + "search.cfm?query=INFeD",
    says="Boxed warning of fatal anaphylaxis; 25 mg test dose, one hour of observation, at most 100 mg a day.",
    checked=READ,
    section="boxed warning and test dose; volumes, hour and daily maximum from secondary texts",
)
F3 = Citation(
    id="F3",
    title="Ferumoxytol (Feraheme and generic): US label",
    year=None,
    url=_DAILYMED + "search.cfm?query=ferumoxytol",
    says="Boxed warning of fatal anaphylaxis; contraindicated after allergy to any intravenous iron and in iron "
    "overload; 510 mg, second dose 3 to 8 days later; alters MRI for up to three months.",
    checked=READ,
)
F4 = Citation(
    id="F4",
    title="Ferric derisomaltose (Monoferric): US label",
    year=None,
    url=_DAILYMED + "search.cfm?query=Monoferric",
    says="1000 mg once from 50 kg, 20 mg/kg once below; iron overload is a warning.",
    checked=READ,
)
F5 = Citation(
    id="F5",
    title="Iron sucrose (Venofer) and sodium ferric gluconate (Ferrlecit): US labels",
    year=None,
    url=_DAILYMED + "search.cfm?query=Venofer",
    says="For anemia of chronic kidney disease; sucrose 200 mg (hemodialysis 100 mg), gluconate 125 mg a dose; "
    "usual adult course 1000 mg.",
    checked=READ,
    section="indication and dose; usual course and peritoneal-dialysis doses from secondary texts",
)
F6 = Citation(
    id="F6",
    title="FDA class labeling change: parenteral iron in pregnancy, 11 Sept 2020",
    year=2020,
    url="https://sentinelinitiative.org/news-events/fda-safety-communications/fda-label-change-parenteral-iron-"
    "products-and-risk-severe",
    says="Severe reactions of the mother may cause fetal bradycardia: a warning, not a contraindication.",
    checked=READ,
)
E1 = Citation(
    id="E1",
    title="Ferric carboxymaltose (Ferinject): product texts of the UK, Malaysia, Singapore, Hong Kong and Pakistan",
    year=None,
    url="https://ferinject.co.uk/healthcare-professional/prescribing-information",
    says="Not in iron overload, disturbed iron use or anemia without iron deficiency, nor after a serious "
    "reaction to another parenteral iron; stop in bacteremia; use in pregnancy confined to the second and "
    "third trimester; allergy, immune and liver disease raise the risk; 20 mg/kg by infusion, 15 mg/kg by "
    "injection, 1000 mg a week.",
    checked=READ,
    section="excerpts; the EMA document was not opened",
)
E2 = Citation(
    id="E2",
    title="Ferric carboxymaltose: Swiss professional information, pregnancy section",
    year=None,
    url="https://www.swissmedicinfo.ch/",
    says="Contraindicated in the first trimester.",
    checked=READ,
)
E3 = Citation(
    id="E3",
    title="MHRA Drug Safety Update: ferric carboxymaltose and symptomatic hypophosphataemia",
    year=2020,
    url="https://www.gov.uk/drug-safety-update/ferric-carboxymaltose-ferinject-risk-of-symptomatic-"
    "hypophosphataemia-leading-to-osteomalacia-and-fractures",
    says="Monitor phosphate with repeated high doses, long treatment or risk factors for low phosphate.",
    checked=READ,
)

# --------------------------------------------------------------------------------------------------- laboratory

L1 = Citation(
    id="L1",
    title="Ferritin assays compared for restless legs syndrome (Beckman and Roche, 116 samples)",
    year=None,
    url="",
    says="Beckman 75, 100 and 300 correspond to Roche 121, 158 and 457; which assay the key RLS studies used is "
    "unknown.",
    checked=READ,
    section="abstract",
)
L2 = Citation(
    id="L2",
    title="Pilon VA et al. Day-to-day variation of ferritin and transferrin saturation. Clin Chem 1981;27:78-82",
    year=1981,
    url=_DOI + "10.1093/clinchem/27.1.78",
    says="Within-person day-to-day variation is about 14.5 % for ferritin and 28 % for TSAT.",
    checked=READ,
    section="abstract",
)
L3 = Citation(
    id="L3",
    title="Dale JC, Burritt MF, Zinsmeister AR. Diurnal variation of serum iron, iron-binding capacity, "
    "transferrin saturation, and ferritin levels. Am J Clin Pathol 2002;117:802-8",
    year=2002,
    url=_DOI + "10.1309/2YT4-CMP3-KYW7-9RK1",
    says="No consistent pattern over the day in 20 volunteers.",
    checked=READ,
    section="abstract",
)
L4 = Citation(
    id="L4",
    title="Influences of sleep and the circadian rhythm on iron-status indices",
    year=2010,
    url=_PUBMED + "20800590/",
    says="Iron and TSAT peak around midday; ferritin does not change over the day.",
    checked=READ,
    section="abstract",
)
L5 = Citation(
    id="L5",
    title="Influence of diurnal variation and fasting on serum iron concentrations. Clin Biochem 2017",
    year=2017,
    url=_DOI + "10.1016/j.clinbiochem.2017.09.018",
    says="276 307 results: stable in daytime, higher iron after a fast of 12 hours or more.",
    checked=READ,
    section="abstract",
)
L6 = Citation(
    id="L6",
    title="Conversion table for iron measures",
    year=None,
    url=_PMC + "PMC3934467/",
    says="Ferritin ng/mL x 2.247 = pmol/L; iron and TIBC ug/dL x 0.179 = umol/L; hemoglobin g/dL x 0.6206 = mmol/L.",
    checked=READ,
    section="table 1",
)
L7 = Citation(
    id="L7",
    title="Public calculators of total iron-binding capacity from transferrin",
    year=None,
    url="",
    says="TIBC (ug/dL) = transferrin (mg/dL) x 1.25; laboratories use up to 1.43.",
    checked=SECONDARY,
)

# ------------------------------------------------------------------------------------------- reviews, other fields

P1 = Citation(
    id="P1",
    title="Reviews on testing iron status after intravenous iron",
    year=None,
    url="",
    says="Do not test within four weeks; test at four to eight weeks, most reliably three months after 1000 mg or "
    "more.",
    checked=SECONDARY,
)
P2 = Citation(
    id="P2",
    title="Iron deficiency without anemia (review); American Society of Hematology 2020",
    year=2020,
    url=_PMC + "PMC8002799/",
    says="In inflammation ferritin up to 100 with TSAT below 20 % still means iron deficiency; WHO anemia: below "
    "13 g/dL in men, 12 in women, 11 in pregnancy; CRP above 5 mg/L marks inflammation.",
    checked=SECONDARY,
)
P3 = Citation(
    id="P3",
    title="EASL clinical practice guidelines on hemochromatosis. J Hepatol 2022",
    year=2022,
    url=_DOI + "10.1016/j.jhep.2022.03.033",
    says="Treatment lowers ferritin below 50, then keeps it below 100; TSAT above 45 % (women) or 50 % (men) with "
    "high ferritin points to overload.",
    checked=READ,
    section="abstract",
)
P4 = Citation(
    id="P4",
    title="AGA guideline on the gastrointestinal evaluation of iron deficiency anemia 2020; practice update 2024",
    year=2020,
    url="https://gastro.org/clinical-guidance/gastrointestinal-evaluation-of-iron-deficiency-anemia",
    says="With iron-deficiency anemia (ferritin below 45) bidirectional endoscopy is recommended in men and "
    "postmenopausal women and suggested in premenopausal women.",
    checked=READ,
    section="statements",
)
P5 = Citation(
    id="P5",
    title="Ferric derisomaltose monograph: molar factor of hemoglobin",
    year=None,
    url="",
    says="Hemoglobin mmol/L x 1.61145 = g/dL, per iron atom.",
    checked=READ,
)
P6 = Citation(
    id="P6",
    title="Wolf M et al. Hypophosphatemia after ferric derisomaltose or ferric carboxymaltose, two trials. JAMA "
    "2020;323:432-43; HOMe aFers study, doi 10.1186/s12916-020-01643-5",
    year=2020,
    url=_DOI + "10.1001/jama.2019.22450",
    says="Phosphate below 2.0 mg/dL by day 35 in about 74 to 75 % after FCM, about 8 % after derisomaltose.",
    checked=READ,
    section="abstracts",
)
P7 = Citation(
    id="P7",
    title="Iron repletion after phlebotomy in porphyria cutanea tarda, five patients. Acta Med Scand 1971",
    year=1971,
    url="",
    says="Refilling iron stores brought biochemical relapse in five of five.",
    checked=SECONDARY,
)

# ------------------------------------------------------------------------------ alert burden and interoperability

K1 = Citation(
    id="K1",
    title="Review of alert overrides. JMIR Med Inform 2020;8:e15653",
    year=2020,
    url=_DOI + "10.2196/15653",
    says="46.2 to 96.2 % of alerts are overridden; 29.4 to 100 % of the overrides judged were appropriate.",
    checked=READ,
    section="abstract",
)
K2 = Citation(
    id="K2",
    title="Paterno MD et al. Tiering drug-drug interaction alerts by severity. J Am Med Inform Assoc 2009;16:40-6",
    year=2009,
    url=_DOI + "10.1197/jamia.M2808",
    says="Tiered alerts were accepted in 29 % against 10 %, the most severe in 100 % against 34 %.",
    checked=READ,
    section="abstract",
)
K3 = Citation(
    id="K3",
    title="Drug-interaction override study",
    year=None,
    url=_PMC + "PMC3873469/",
    says="Of overrides justified by monitoring, 35.5 % were monitored.",
    checked=READ,
    section="abstract",
)
K4 = Citation(
    id="K4",
    title="Hussain MI, Reynolds TL, Zheng K. Medication safety alert fatigue. J Am Med Inform Assoc 2019;26:1141-9",
    year=2019,
    url=_DOI + "10.1093/jamia/ocz095",
    says="Tailoring to the role of the reader reduced alert fatigue most.",
    checked=SECONDARY,
)
H1 = Citation(
    id="H1",
    title="HL7 CDS Hooks Library: order-select and order-sign",
    year=2026,
    url="https://build.fhir.org/ig/HL7/cds-hooks-library/",
    says="order-select names the newly selected orders and may fire before dose, route or date is known; "
    "order-sign carries no selections.",
    checked=READ,
)
H2 = Citation(
    id="H2",
    title="HL7 CDS Hooks specification and override-reason vocabulary",
    year=2026,
    url="https://build.fhir.org/ig/HL7/cds-hooks/",
    says="A card summary has fewer than 140 characters; coded override reasons can be offered.",
    checked=READ,
)
H3 = Citation(
    id="H3",
    title="HL7 Da Vinci Coverage Requirements Discovery: card profiles",
    year=None,
    url="https://hl7.org/fhir/us/davinci-crd/",
    says="Companion orders are offered as create actions on request resources; Task is for form completion.",
    checked=READ,
)

CITATIONS: tuple[Citation, ...] = (
    *(A1, A2, A3, A4, A5, A6),
    *(T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T11B, T12, T13, T14),
    *(F1, F2, F3, F4, F5, F6, E1, E2, E3),
    *(L1, L2, L3, L4, L5, L6, L7),
    *(P1, P2, P3, P4, P5, P6, P7),
    *(K1, K2, K3, K4, H1, H2, H3),
    DESIGN,
)
BY_ID = {citation.id: citation for citation in CITATIONS}
