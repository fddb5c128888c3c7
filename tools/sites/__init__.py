"""Reaches hosts by the workers of other networks, which connect outward to a NATS server. Nothing of it runs without a site."""
