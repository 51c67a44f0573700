"""FHIR R4: what arrives (prefetch, server) is read into facts, what we offer is written as resources."""
