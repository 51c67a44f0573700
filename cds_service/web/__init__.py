"""Pages for people: what the service knows, readable without login in both modes."""
