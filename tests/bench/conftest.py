"""The bench is a folder of scripts: its modules are found once its folder is on the path, last of all."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
