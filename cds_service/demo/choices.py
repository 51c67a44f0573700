"""What can be picked in the playground: synthetic patients with one line each, and iron products."""

from itertools import groupby
from typing import Any

from cds_service.clinical.codes import CodeIndex
from cds_service.clinical.doses import name_product
from cds_service.clinical.model import Ingredient
from cds_service.demo.fixtures import Situation, read_situations

Json = dict[str, Any]
# In the order of the list; the conclusion a situation leads to says where it belongs.
GROUPS = {
    "iron-candidate": "Chart opened, no iron yet",
    "too-early-to-judge": "Chart opened, after an infusion",
    "follow-up-due": "Chart opened, after an infusion",
    "response-review": "Chart opened, after an infusion",
    "recurrence-review": "Chart opened, after an infusion",
    "indicated-strong": "Iron ordered: supported, strong recommendation",
    "may-benefit": "Iron ordered: may benefit",
    "not-indicated": "Iron ordered: not indicated",
    "contraindicated": "Iron ordered: contraindicated",
    "insufficient-data": "Iron ordered: not enough data",
    "": "Nothing to say",
}
# A short tour: the first look, the stop, and one patient for each stage after an infusion.
TOUR = {
    "low-ferritin": "Low ferritin",
    "fcm-allergy": "Allergy",
    "no-iron-studies": "No results",
    "candidate": "Candidate",
    "after-day-3": "Day 3",
    "after-day-9": "Day 9",
    "after-week-3": "Week 3",
    "after-week-10": "Week 10",
    "after-month-6": "Month 6",
}


def list_choices(index: CodeIndex) -> Json:
    """`groups` of patients, the `tour` through them, and `products` with the coding that a draft order carries."""
    listed = sorted(read_situations().by_name.values(), key=_place)
    groups = [
        {"title": title, "patients": [_describe(one) for one in members]}
        for title, members in groupby(listed, key=lambda one: GROUPS[one.expect])
    ]
    tour = [{"name": name, "label": label} for name, label in TOUR.items()]
    return {"groups": groups, "tour": tour, "products": [_product(index, one) for one in Ingredient]}


def _place(one: Situation) -> int:
    titles = list(dict.fromkeys(GROUPS.values()))
    return titles.index(GROUPS[one.expect])


def _describe(one: Situation) -> Json:
    """`about` is the clinical line."""
    return {"name": one.name, "about": one.about, "hook": one.hook}


def _product(index: CodeIndex, ingredient: Ingredient) -> Json:
    coding = index.codings(ingredient.value)[0]  # each set names the ingredient by RxNorm first
    return {
        "id": ingredient.value,
        "name": name_product(ingredient),
        "coding": {"system": coding.system, "code": coding.code, "display": coding.display},
    }
