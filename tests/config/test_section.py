"""What is built from sections knows arguments; its errors name the keys."""

import pytest

from qep_qiskit.config import check_config
from qep_qiskit.config.section import keys
from qep_qiskit.core.errors import ConfigError, NetworkError

CONFIG = check_config({"task": {"kind": "xor"}, "network": {"num_spins": 2}, "measurement": {"adaptive": {}}}, "f")


def raised(said, *names):
    with pytest.raises(ConfigError) as caught, keys(CONFIG, *names):
        raise ConfigError(said)
    return str(caught.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("outputs: expected one", "network.outputs: expected one"),
        ("fields.mean: 0 is too low", "network.fields.mean: 0 is too low"),
        ("shots: expected one", "measurement.shots: expected one"),
        ("grouping: expected another", "measurement.grouping: expected another"),  # the first that has the key
        ("measurement.shots: expected one", "measurement.shots: expected one"),
        ("shots of all phases: expected one", "shots of all phases: expected one"),
        ("weights: expected 2", "weights: expected 2"),
        ("the springs do not hold", "the springs do not hold"),
    ],
)
def test_an_argument_becomes_the_key_of_a_section(said, expected):
    assert raised(said, "measurement", "network") == expected


def test_sections_nest_and_errors_keep_their_class():
    outer, inner = keys(CONFIG, "network"), keys(CONFIG.network, "biases")
    with pytest.raises(NetworkError, match=r"^network\.biases\.low: no$"), outer, inner:
        raise NetworkError("low: no")
