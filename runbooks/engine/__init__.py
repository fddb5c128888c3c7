"""Evaluates runbooks: from facts and rules to findings, verdicts and plans, without reading anything itself."""
