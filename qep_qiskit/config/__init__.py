"""Configuration files: schema, loading, and the objects they describe."""

from qep_qiskit.config.build import Experiment, build, from_file
from qep_qiskit.config.build_executor import has_known_states
from qep_qiskit.config.build_preparation import exact_counterpart, has_certain_outcomes, level_of, temperature_of
from qep_qiskit.config.load import check_config, load_config
from qep_qiskit.config.schema import Config

__all__ = [
    "Config",
    "Experiment",
    "build",
    "check_config",
    "exact_counterpart",
    "from_file",
    "has_certain_outcomes",
    "has_known_states",
    "level_of",
    "load_config",
    "temperature_of",
]
