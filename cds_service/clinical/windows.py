"""Spans of days that reading and scheduling share."""

SAME_TIME_DAYS = 7  # another result this near is shown beside the one used
# Older results decide nothing: a pregnancy began at most 300 days ago (R-20d), its weight 365 before (R-08b).
# Of older ones only the newest is kept, so that "stale" has a date.
KEPT_DAYS = 700
SAME_COURSE_DAYS = 28  # R-50a: anchors this near belong to one course
