"""A chart over time: every result judged on its own day, the zones it falls into, and each course with its contacts."""
