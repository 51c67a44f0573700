"""A CDS Hooks service that says whether an intravenous iron order for restless legs syndrome is supported."""

__version__ = "1.1.0"  # the only place: the build, discovery and knowledge stamp read it here
