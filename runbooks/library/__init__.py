"""Reading, checking and proving runbooks: catalog, schema, lint, cases, coverage."""
