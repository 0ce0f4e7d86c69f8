"""The instructor's side. It reads base_code, never the other way round."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "base_code"))  # its files import one another by their bare names, as scripts do
