"""A limit of an argument stands in its annotation; classes, sections and the page of all keys read it there."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args, get_origin

import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt

from qep_qiskit.config.annealer import AnnealerConfig
from qep_qiskit.config.measurement import AdaptiveConfig, MeasurementConfig, PilotConfig
from qep_qiskit.config.mitigation import MitigationConfig
from qep_qiskit.config.preparation import AdiabaticConfig, AnnealingConfig, EquilibriumConfig, ExactConfig
from qep_qiskit.config.schema import TrainingConfig
from qep_qiskit.config.update import UpdateConfig
from qep_qiskit.config.variational import HardwareEfficientAnsatz, VariationalConfig
from qep_qiskit.continuous.equilibrium import EquilibriumPreparation
from qep_qiskit.continuous.split_operator import SplitOperatorPreparation
from qep_qiskit.core import limits
from qep_qiskit.core.errors import ConfigError, NetworkError
from qep_qiskit.core.limits import check_limits, check_value, default_and_limits
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.learning import Adam, AdaptiveShots, PilotSettings, Replication, Schedule, TrainingSettings
from qep_qiskit.measurement import Extrapolation
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    AnnealerPreparation,
    AnnealingPreparation,
    CouplerLimits,
    ExactPreparation,
    HardwareEfficient,
    VariationalPreparation,
)


@dataclass
class Settings:
    count: Annotated[int, Ge(2), Le(4)] = 3
    width: Annotated[float, Gt(0), Lt(1)] | None = None
    shape: Literal["flat", "round"] = "flat"
    order: Literal[1, 2] = 2
    names: tuple[str, ...] = ()

    def __post_init__(self):
        check_limits(self)


@pytest.mark.parametrize(
    "good", [{}, {"count": np.int64(4)}, {"width": 0.5}, {"width": np.float32(0.25)}, {"shape": "round"}, {"order": 1}]
)
def test_values_within_limits(good):
    Settings(**good)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"count": 1}, "count: expected at least 2, got 1"),
        ({"count": 5}, "count: expected at most 4, got 5"),
        ({"count": 2.5}, "count: expected a whole number of at least 2, got 2.5"),
        ({"count": True}, "count: expected a whole number of at least 2, got True"),
        ({"count": None}, "count: expected a whole number of at least 2, got None"),
        ({"width": 0.0}, "width: expected more than 0, got 0.0"),
        ({"width": 1}, "width: expected less than 1, got 1"),
        ({"width": float("nan")}, "width: expected a finite number, got nan"),
        ({"width": "wide"}, "width: expected a finite number, got 'wide'"),
        ({"shape": "odd"}, "shape: expected 'flat' or 'round', got 'odd'"),
        ({"order": 3}, "order: expected 1 or 2, got 3"),
    ],
)
def test_values_beyond_limits_are_one_line(bad, words):
    with pytest.raises(ConfigError) as caught:
        Settings(**bad)
    assert str(caught.value) == words


def test_the_class_of_the_error_can_be_given():
    with pytest.raises(NetworkError, match="hbar: expected more than 0, got -1"):
        check_value("hbar", -1.0, limits.Positive, error=NetworkError)


def test_defaults_and_limits_of_classes_and_functions():
    def make(width: Annotated[float, Gt(0)], count: Annotated[int, Ge(1)] | None = None):
        """Nothing."""

    assert default_and_limits(Settings, "count") == {"default": 3, "ge": 2, "le": 4}
    assert default_and_limits(make, "width") == {"gt": 0}
    assert default_and_limits(make, "count") == {"default": None, "ge": 1}


def plain(annotation):
    """The annotation without limits."""
    if get_origin(annotation) is Annotated:
        return plain(get_args(annotation)[0])
    parts = get_args(annotation)
    return annotation if not parts or get_origin(annotation) is Literal else {plain(part) for part in parts}


@pytest.mark.parametrize(
    ("section", "made"),
    [
        (AdiabaticConfig, AdiabaticPreparation),
        (AdiabaticConfig, SplitOperatorPreparation),
        (AnnealerConfig, AnnealerPreparation),
        (AnnealerConfig, CouplerLimits),
        (AnnealingConfig, AnnealingPreparation),
        (ExactConfig, ExactPreparation),
        (EquilibriumConfig, EquilibriumPreparation),
        (VariationalConfig, VariationalPreparation),
        (HardwareEfficientAnsatz, HardwareEfficient),
        (UpdateConfig, Schedule),
        (UpdateConfig, Adam),
        (AdaptiveConfig, AdaptiveShots),
        (PilotConfig, PilotSettings),
        (MeasurementConfig, Replication),
        (MitigationConfig, Extrapolation),
        (MitigationConfig, SamplerOptions),
        (TrainingConfig, TrainingSettings),
    ],
)
def test_keys_accept_and_default_to_what_their_argument_does(section, made):
    hints = limits._hints(made)
    # of a key that accepts more than its argument, or has no default of its own, the section says what it means
    others = {"ansatz", "options", "shots", "randomizations", "noise_factors", "evaluate_final", "kind"}
    others |= {"nudged_options", "h_range", "j_range"}
    names = (section.model_fields.keys() & hints.keys()) - others
    assert names
    for name in names:
        field = section.model_fields[name]
        assert plain(field.annotation) == plain(hints[name]), name
        known = default_and_limits(made, name)
        assert field.default == known["default"], name
        assert {k: v for item in field.metadata for k, v in [(type(item).__name__.lower(), None)]}.keys() == (
            known.keys() - {"default"}
        ), name
