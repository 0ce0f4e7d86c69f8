"""What is copied into a sandbox and runs there, flat: these files import one another by their bare names."""
