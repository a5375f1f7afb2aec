"""Projects, ontology, guideline, policy, members, labelers, and the one permission module."""
