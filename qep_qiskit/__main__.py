"""``python -m qep_qiskit`` is ``qep``."""

import sys

from qep_qiskit.cli import main

if __name__ == "__main__":
    sys.exit(main())
