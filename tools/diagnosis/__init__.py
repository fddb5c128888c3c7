"""One question, one answer: the service that every face asks, for one host and for many, and what is kept of an answer."""
