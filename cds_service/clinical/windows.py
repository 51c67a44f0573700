"""How far back each prefetch key can matter, in days before the hook date: beyond it no page of results is needed."""

# R-08 windows, widened by what may be read beyond them: pre-course results, a set-aside TSAT (R-26e), CRP near an
# earlier ferritin, evidence of pregnancy (R-20d).
WINDOW_DAYS = {
    "ferritin": 365,
    "tsat": 365,
    "hemoglobin": 90,
    "iron_panel": 365,
    "weight": 180,
    "crp": 395,
    "phosphate": 90,
    "pregnancy": 300,
}
SAME_TIME_DAYS = 7  # another result this near is shown beside the one used
# Older results decide nothing: a pregnancy began at most 300 days ago (R-20d), its weight may be 365 days older (R-08b).
# Of older ones only the newest is kept, so that "stale" has a date.
KEPT_DAYS = 700
SAME_COURSE_DAYS = 28  # R-50a: anchors this near belong to one course
