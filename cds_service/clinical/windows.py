"""Spans of days that reading and scheduling share."""

SAME_TIME_DAYS = 7  # another result this near is shown beside the one used
# Older results are not read, whatever they are; `units.WINDOW_DAYS` says how far back each prefetch key matters.
# Of older ones only the newest are kept, so that "stale" has a date.
KEPT_DAYS = 700
SAME_COURSE_DAYS = 28  # R-50a: anchors this near belong to one course
