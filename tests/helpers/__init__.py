"""What the tests share beside conftest.py's fixtures."""
