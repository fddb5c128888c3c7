"""Says who may do what: persons and their accounts, rules, approvers. Read from YAML, decided by pure functions."""
