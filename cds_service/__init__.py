"""A CDS Hooks service that says whether an intravenous iron order for restless legs syndrome is supported."""
