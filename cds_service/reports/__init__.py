"""Tables and charts for people who decide: the replay before go-live, and the burden of alerts after it."""
