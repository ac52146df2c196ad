"""What a ramp does to the gradient of one spin: powers of the total time, the master curve, the order of limits.

    python benchmarks/one_spin_ramp.py

The textbook qubit H = -0.8 X - 1.5 Z, ramped from -X, with cost <X>: the study `qep budget --study ramp` on it, without
decoherence. Theory is first-order adiabatic perturbation theory with the excitations of the initial end, whose phase
Phi T turns with the nudge:

    error / |gradient| -> K lambda / T      smooth schedule of curvature lambda at its end, beta to 0
                       -> K gap_0           linear ramp
    K = sqrt(2) |<e|dH/ds|g>|_0 / gap_0^3 * |<e|A|g>| * |dPhi/dbeta| / |gradient|,     Phi = integral of the gap over x

    powers      of the infidelity with T, means over one period 2 pi / (mean gap)
    constants   error T / lambda in the limit of beta to 0, measured and K; and at beta = 0.02, over T in 20..160
    limits      component of the error along Z (the field Omega of the published table, which sees the spin through a
                Hadamard), T in rows, nudges in columns; nudges are beta times the error signal 0.074
"""

from __future__ import annotations

from typing import Any

import numpy as np
from shown import parser_of, show

from qep_qiskit.budget.ramp_study import ramp_points, ramp_row, ramp_setup
from qep_qiskit.config import build, check_config
from qep_qiskit.config.budget import RampStudyConfig
from qep_qiskit.preparation import END_CURVATURES, RAMPS

FIELDS = np.array([0.8, 1.5])  # along X and Z; the driver has 1 along X
ERROR_SIGNAL = 0.074
BETAS = (0.1, 0.01, 0.001, 1e-5)  # the last one stands for the derivative
CONFIG = {
    "name": "one spin",
    "task": {"kind": "none"},
    "network": {
        "graph": "chain",
        "num_spins": 1,
        "fields": {"distribution": "constant", "mean": 0.8},
        "biases": {"distribution": "constant", "mean": 1.5},
    },
    "cost": {"kind": "operator", "terms": [{"pauli": "X0"}]},
    "preparation": {"kind": "adiabatic"},
}


def rows_of(**keys: Any) -> list[dict[str, Any]]:
    """Rows of a ramp study of the spin."""
    experiment = build(check_config(CONFIG, "the spin"))
    setup = ramp_setup(experiment, experiment.network.layout.initial(experiment.seeds))
    return [dict(ramp_row(setup, point)) for point in ramp_points(RampStudyConfig(**keys))]


def path(ramp: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Schedule and fields along X and Z, in the middles of many equal parts of the ramp."""
    s = RAMPS[ramp]((np.arange(20_000) + 0.5) / 20_000)
    return s, 1.0 - s + FIELDS[0] * s, FIELDS[1] * s


def period(ramp: str) -> float:
    """Period in T of the interference of both ends: 2 pi over the mean gap."""
    return float(np.pi / np.mean(np.hypot(*path(ramp)[1:])))


def power(ramp: str, times: list[float], step: float, periods: int) -> float:
    """Power of the total time in the infidelity, from means over a number of periods."""
    keys = {"ramps": [ramp], "total_times": times, "time_steps": [step], "betas": [0.1]}
    rows = rows_of(**keys, window=periods * period(ramp), window_times=8 * periods)
    return float(np.polyfit(np.log(times), np.log([row["infidelity"] for row in rows]), 1)[0])


def constant_of_theory(ramp: str) -> float:
    """K of a schedule."""
    s, along_x, along_z = path(ramp)
    turned = 2.0 * np.mean(s * along_x / np.hypot(along_x, along_z))
    gradient = FIELDS[1] / np.hypot(*FIELDS) ** 2
    return float(np.sqrt(2.0) * FIELDS[1] / 2.0**3 * turned / gradient)


def constants() -> list[list[str]]:
    """Error times T over the curvature, measured at a small nudge and K; that at beta = 0.02 for T in 20..160."""
    found = []
    keys = {"time_steps": [0.05], "window_times": 8, "total_times": [160.0], "betas": [1e-4]}
    spread = {"time_steps": [0.05], "window_times": 1, "window": 0.0, "betas": [0.02]}
    for ramp in ("cosine", "smoothstep"):
        curvature = END_CURVATURES[ramp]
        assert curvature is not None
        (row,) = rows_of(ramps=[ramp], **keys, window=period(ramp))
        own = rows_of(ramps=[ramp], total_times=[float(time) for time in range(20, 161, 2)], **spread)
        scaled = [row["error"] * row["total_time"] / curvature for row in own]
        rms = float(np.sqrt(np.mean(np.square(scaled))))
        numbers = (row["ramp_error"] * 160.0 / curvature, constant_of_theory(ramp), rms)
        found.append([ramp, f"{curvature:.3g}", *(f"{value:.3f}" for value in numbers)])
    (row,) = rows_of(ramps=["linear"], **keys, window=period("linear"))
    found.append(["linear", "-", f"{row['ramp_error'] / 2.0:.3f}", f"{constant_of_theory('linear'):.3f}", "-"])
    return found


def limits() -> list[list[str]]:
    """RMS of the error along Z for a linear ramp, T in rows, nudges in columns."""
    keys = {"ramps": ["linear"], "time_steps": [0.05], "betas": [ERROR_SIGNAL * beta for beta in BETAS]}
    rows = rows_of(**keys, total_times=[100.0, 500.0, 2000.0], window=period("linear"), window_times=5)
    along_z = FIELDS[0] / np.hypot(*FIELDS)  # of the direction in which all excitations err
    found = {(row["total_time"], row["beta"]): row["ramp_error"] * row["gradient"] * along_z for row in rows}
    return [
        [f"{time:g}", *(f"{found[time, ERROR_SIGNAL * beta]:.4f}" for beta in BETAS)] for time in (100.0, 500.0, 2000.0)
    ]


def main() -> None:
    """Print powers, constants and the table of limits."""
    options = parser_of(__doc__).parse_args()
    powers = {
        "linear": power("linear", [40.0, 80.0, 160.0], 0.05, 4),
        "cosine": power("cosine", [40.0, 80.0], 0.005, 1),
    }
    named = [["schedule", "curvature", "beta to 0", "theory", "beta = 0.02"], *constants()]
    table = [["T", *(f"beta = {beta:g}" for beta in BETAS[:-1]), "derivative"], *limits()]
    show(table, {"powers": powers, "constants": named}, as_json=options.json)


if __name__ == "__main__":
    main()
