"""Demo mode only: a FHIR server and ready requests over the synthetic patients of `fhir_fixtures`, dated to today."""
