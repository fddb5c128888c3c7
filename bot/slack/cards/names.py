"""Holds the names of actions, fields and views that cards and listeners share."""

PROPOSE, RERUN, EVIDENCE, CLOSE = "diagnosis.propose", "diagnosis.rerun", "diagnosis.evidence", "diagnosis.close"
FEEDBACK, RIGHT, WRONG = "diagnosis.feedback", "diagnosis.right", "diagnosis.wrong"  # one element, two meanings
APPROVE, DENY, DETAILS, APPLY = "fix.approve", "fix.deny", "fix.details", "fix.apply"
WITHDRAW, REVERT, PERSIST, REPLAN = "fix.withdraw", "fix.revert", "fix.persist", "fix.replan"

PROPOSE_VIEW, DENY_VIEW, DIAGNOSE_VIEW, REVERT_VIEW, PERSIST_VIEW = "propose", "deny", "diagnose", "revert", "persist"
WRONG_VIEW = "wrong"
OFFER, REASON, PARAM = "offer", "reason", "param"  # PARAM.<offer>.<name>
HOST, RUNBOOK, SYMPTOM, UNIT, USER, PID = "host", "runbook", "symptom", "unit", "user", "pid"
