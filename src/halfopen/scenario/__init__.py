"""Scenarios: plain data and ordinary socket programs, run by either arm."""
