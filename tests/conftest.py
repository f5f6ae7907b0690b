"""Lets processes that tests spawn find the packages, however they are installed."""

from __future__ import annotations

import sys
from pathlib import Path

# An editable install is found by a hook that is asked after all folders; the folder of these
# tests has a "voice" in it that would be taken for the package. Last, so that what is installed
# is what is tested.
sys.path.append(str(Path(__file__).resolve().parents[1]))
