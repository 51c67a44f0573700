"""Synthetic FHIR patients, CDS Hooks requests and expected replies: for the demo, the playground and the tests."""
