"""After the infusion, and before the first one: what may be said when a chart is opened (R-43...R-50d)."""
