"""The published form of `clinical`: FHIR resources under `/fhir` and a JSON export, made from rules and value sets."""
