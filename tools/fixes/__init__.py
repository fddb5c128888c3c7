"""The life of a fix: propose, vote, apply, revert, persist. It alone authorises, audits and moves fixes. Faces call it."""
