"""Helpers that only the sim has: YAML files, faults, and small file and environment helpers.

Keep this package light. Every idle rank imports parts of it, and a demo starts dozens of them.
"""
