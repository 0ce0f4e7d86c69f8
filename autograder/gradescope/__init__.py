"""Gradescope: building the zip, and what runs there."""
