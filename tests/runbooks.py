"""The product's runbooks, one catalog for all tests of a process: checking a runbook takes half a second, the first time only."""

from triagebook.runbooks.library.catalog import catalog

CATALOG = catalog()
