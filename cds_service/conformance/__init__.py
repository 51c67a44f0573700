"""The self-test of any CDS Service against the rows of CDS Hooks that can be seen from outside."""
