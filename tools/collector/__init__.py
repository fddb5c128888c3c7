"""Reads facts from a host with one awk program that forks nothing."""
