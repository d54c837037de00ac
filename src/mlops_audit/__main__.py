"""`python -m mlops_audit`, with nothing imported from the folder that it is started in."""

import os
import sys

# `python -m` puts the current folder first on the path: a repository with a click.py would be imported and run.
_here = os.path.realpath(os.getcwd())
sys.path[:] = [place for place in sys.path if place and os.path.realpath(place) != _here]

from mlops_audit.start import main  # noqa: E402

sys.exit(main())
