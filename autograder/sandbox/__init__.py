"""Strangers' Python code, from outside and, in inside/, from inside. It knows no subject."""
