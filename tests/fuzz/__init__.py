"""Fuzzing of everything that reads bytes from outside: `python -m tests.fuzz`.

harness/ holds one module per parser or machine, corpus/ its seeds, found/ what ever failed.
"""
