"""What development needs around the service, and what the service's image does not have."""

import sys
from pathlib import Path

# Nothing is installed but the dependencies: the service runs from its folder.
SOURCE = str(Path(__file__).parents[1] / "src")
if SOURCE not in sys.path:
    sys.path.insert(0, SOURCE)
