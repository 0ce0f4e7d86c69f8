"""Strangers' Python code, from outside (sandbox.py) and inside (zygote.py, worker.py). It knows no subject."""
