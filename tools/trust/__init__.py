"""The service that decides about fixes: it alone authorises, audits and moves them. Faces call it."""
