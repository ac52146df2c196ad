"""Configuration files: the schema, the loader, and the construction of the objects they describe."""

from qep_qiskit.config.experiment import Experiment, build, from_file
from qep_qiskit.config.load import check_config, load_config
from qep_qiskit.config.schema import Config

__all__ = [
    "Config",
    "Experiment",
    "build",
    "check_config",
    "from_file",
    "load_config",
]
