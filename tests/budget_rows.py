"""Rows of a shot-budget study as the theory of contrastive gradients makes them, with the scatter of repeats."""

from itertools import product

import numpy as np

BETAS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
SHOTS = (1, 10, 100, 1000, 10_000, 100_000)
CONTRASTS = ("one_sided", "one_sided_minus", "symmetric", "four_point")
NORM, VARIANCE, NUM_WEIGHTS, REPEATS = 0.77, 2.4, 5, 50
# fmt: off
GRADIENT_KEYS = (
    "method", "contrast", "beta", "grouping", "allocation", "signals", "shots", "repeats", "total_shots",
    "circuits", "states", "jobs", "qpu_seconds", "rmse", "rmse_low", "rmse_high", "relative_rmse", "bias",
    "bias_low", "bias_high", "std", "cosine", "cosine_low", "cosine_high", "chi2_per_dof", "chi2_without_signals",
    "model_rmse", "model_bias", "model_std", "model_pull",
)
# fmt: on
_BIAS = {"one_sided": (1, 1.3), "symmetric": (2, 1.1), "four_point": (4, 1.6)}  # power of beta, prefactor
_VARIANCE = {"one_sided": 2.0, "symmetric": 0.5, "four_point": 0.9}
_SAVING = {"shared": 1.0, "qubit_wise": 1.6, "per_weight": 2.5}


def gradient_row(contrast, beta, shots, *, rng, grouping="shared", allocation="equal", bias_floor=0.0, noise=1.0):
    """One grid point: bias and variance of the theory, blurred as by REPEATS repeats."""
    kind = contrast.removesuffix("_minus")
    power, prefactor = _BIAS[kind]
    bias = float(np.hypot(prefactor * beta**power, bias_floor))
    factor = _SAVING[grouping] * (0.7 if allocation == "optimal" else 1.0) * noise
    std = float(np.sqrt(factor * _VARIANCE[kind] * VARIANCE / (shots * beta**2)))
    blur = np.exp(rng.normal(size=3) / np.sqrt(2 * REPEATS * NUM_WEIGHTS))
    own_noise = std / np.sqrt(REPEATS)
    seen_bias = float(np.sqrt(max(0.0, bias**2 + 0.8 * own_noise**2 * rng.normal())))
    rmse = float(np.hypot(bias, std) * blur[0])
    phases = {"one_sided": 2, "symmetric": 2, "four_point": 4}[kind]
    cosine = NORM / np.hypot(NORM, rmse)
    total = shots * phases * 2 * 4
    row = dict.fromkeys(GRADIENT_KEYS)
    row |= {
        "method": "qep",
        "contrast": kind,
        "beta": -beta if contrast.endswith("_minus") else beta,
        "grouping": grouping,
        "allocation": allocation,
        "signals": "measured",
        "shots": shots,
        "repeats": REPEATS,
        "total_shots": total,
        "circuits": 4 * phases * (NUM_WEIGHTS if grouping == "per_weight" else 1),
        "states": total,
        "jobs": 2,
        "qpu_seconds": 4 + total * 2.65e-4,
        "rmse": rmse,
        "rmse_low": rmse * 0.9,
        "rmse_high": rmse * 1.12,
        "relative_rmse": rmse / NORM,
        "bias": seen_bias,
        "bias_low": max(0.0, seen_bias - 2 * own_noise),
        "bias_high": seen_bias + 2 * own_noise,
        "std": std * blur[1],
        "cosine": cosine,
        "cosine_low": cosine - 0.12 * (1 - cosine),
        "cosine_high": cosine + 0.1 * (1 - cosine),
        "chi2_per_dof": float(rng.chisquare(200) / 200),
        "chi2_without_signals": float(rng.chisquare(200) / 200 * (1 + 2.5 / (1 + shots**-0.5))),
        "model_rmse": float(np.hypot(1.1 * bias, 0.95 * std)),
        "model_bias": 1.1 * bias,
        "model_std": 0.95 * std,
        "model_pull": float(rng.normal()),
    }
    return row


def gradient_rows(contrasts=CONTRASTS, betas=BETAS, shots=SHOTS, *, groupings=("shared",), allocations=("equal",)):
    rng = np.random.default_rng(1)
    return [
        gradient_row(contrast, beta, m, rng=rng, grouping=grouping, allocation=allocation)
        for grouping, allocation, contrast, beta, m in product(groupings, allocations, contrasts, betas, shots)
    ]


def noise_rows(executions=("ideal", "fake_manila", "fake_manila, mitigated"), contrasts=("one_sided", "symmetric")):
    rng = np.random.default_rng(2)
    floor = {"ideal": 0.0, "fake_manila": 0.16, "fake_manila, mitigated": 0.05}
    cost = {"ideal": 1.0, "fake_manila": 1.1, "fake_manila, mitigated": 1.9}
    return [
        gradient_row(contrast, beta, m, rng=rng, bias_floor=floor[name], noise=cost[name]) | {"execution": name}
        for name, contrast, beta, m in product(executions, contrasts, BETAS, SHOTS[1:])
    ]


def comparison_rows():
    """Baselines at equal shots and at equal circuits, some of them much alike."""
    entries = [
        ("QEP symmetric, shared batches", "qep", "beta 0.4", 8000, 4, 0.12),
        ("QEP one-sided, shared batches", "qep", "beta 0.4", 8000, 4, 0.55),
        ("QEP symmetric, each weight alone", "per_weight", "beta 0.4", 8000, 20, 0.19),
        ("finite differences", "finite_differences", "step 0.1", 8000, 20, 0.21),
        ("SPSA, 1 perturbation", "spsa", "1 perturbation, c = 0.1", 8000, 4, 1.9),
        ("SPSA, 16 perturbations", "spsa", "16 perturbations, c = 0.1", 8000, 64, 0.6),
        ("SPSA, 4000 perturbations", "spsa", "4000 perturbations, c = 0.1", 8000, 16_000, 0.13),
        ("parameter shift (angles)", "parameter_shift", "shift pi/2", 8000, 48, 0.125),
    ]
    rows = []
    for at in ("equal shots", "equal circuits"):
        for label, method, setting, shots, circuits, relative in entries:
            ratio = 1.0 if at == "equal shots" else max(1.0, circuits / 4)
            error = relative * (1.0 if at == "equal shots" else np.sqrt(ratio))
            rows.append(
                {
                    "label": label,
                    "method": method,
                    "at": at,
                    "setting": setting,
                    "total_shots": shots / ratio,
                    "circuits": circuits / ratio,
                    "states": shots / ratio,
                    "qpu_seconds": 2 + shots / ratio * 2.65e-4,
                    "rmse": error * NORM,
                    "rmse_low": 0.9 * error * NORM,
                    "rmse_high": 1.12 * error * NORM,
                    "relative_rmse": error,
                    "cosine": 1 / np.hypot(1, error),
                    "bias": 0.2 * error,
                    "std": 0.9 * error,
                    "remark": "another model: circuit angles" if method == "parameter_shift" else None,
                }
            )
    return rows


def training_rows(budgets=("1 shot", "10 shots", "100 shots", "1000 shots", "adaptive"), seeds=6, epochs=30):
    rng = np.random.default_rng(3)
    per_epoch = {"1 shot": 96, "10 shots": 960, "100 shots": 9600, "1000 shots": 96_000}
    floors = {"1 shot": 0.35, "10 shots": 0.12, "100 shots": 0.05, "1000 shots": 0.03, "adaptive": 0.03}
    rows = []
    for budget, seed in product(budgets, range(seeds)):
        spent, speed = 0, 0.18 * np.exp(0.3 * rng.normal())
        for epoch in range(epochs + 1):
            floor = floors[budget] * np.exp(0.15 * rng.normal())
            loss = floor + 0.9 * np.exp(-speed * epoch)
            accuracy = round(float(1 - 0.5 * min(1, loss)) * 120) / 120
            rows.append(
                {
                    "budget": budget,
                    "seed": seed,
                    "epoch": epoch,
                    "shots": spent,
                    "loss": float(loss),
                    "accuracy": accuracy,
                    "test_accuracy": round(max(0.0, accuracy - 0.03) * 30) / 30,
                }
            )
            spent += per_epoch.get(budget) or int(200 * 1.25**epoch)
    return rows


FACTS = {
    "name": "afm_chain <N=5> & co",
    "network": "Ising network: 5 spins on a chain, 4 couplings, 5 fields",
    "num_weights": 2,
    "num_qubits": 5,
    "num_samples": 4,
    "gradient_norm": 0.77288,
    "recommendation": {
        "beta": 0.42,
        "contrast": "symmetric",
        "shots": 1000,
        "allocation": {"Z": 0.62, "X": 0.38},
        "expected_rmse": 0.0773,
        "expected_relative_rmse": 0.1,
        "total_shots": 16_000,
        "qpu_seconds": 8.24,
        "toml": '[gradient]\ncontrast = "symmetric"\nbeta = 0.42\nshots = 1000\nallocation = { Z = 0.62, X = 0.38 }\n',
    },
    "sentences": [
        "The symmetric contrast needs 32 times fewer shots than the one-sided one for a relative error of 0.1.",
        "Shared batches save a factor of 2.5 over measuring each weight on its own.",
    ],
}


def samples_rows():
    """A study of samples against shots: the part of the shots stays, that of the samples grows as they become fewer."""
    rows = []
    for shots in (1, 4, 16, 64):
        data, shot, bias = 0.2 * shots**0.5, 0.8, 0.1
        error = (data**2 + shot**2 + bias**2) ** 0.5
        cost = {"total_shots": 320, "jobs": 2, "qpu_seconds": 4.1, "relative_rmse": error / 2.0, "loss": 0.1}
        model = {"model_rmse": error, "data_std": data, "shot_std": shot}
        rows.append({"shots": shots, "samples": 64 // shots, **_with_ends({"rmse": error}), **cost, **model})
    return rows


def size_rows(curves=("chain", "heavy-hex", "complete"), columns=("fields.mean = 1", "fields.mean = 0.3")):
    """Means of a size study: a length that stays, gradients that fall with the distance, shots that grow."""
    rows = []
    for (c, curve), column in product(enumerate(curves), columns):
        label = {"curve": curve, "column": column}
        for spins in (4, 8, 12):
            values = {"gradient": 1.5 + 0.2 * c, "gap": 2.0 / spins, "beta": 0.2, "total_shots": 5000.0 * spins}
            rows.append({**label, "spins": spins, "weights": 4 * spins, "networks": 6, **_with_ends(values)})
        for source, distance in product(("outputs", "inputs"), range(2 if curve == "complete" else 9)):
            sizes = _with_ends({"rms_gradient": float(5.0 ** (-distance))})
            rows.append({**label, "spins": 12, "from": source, "distance": distance, "networks": 6, **sizes})
    return rows


def ramp_rows(ramps=("linear", "cosine", "smoothstep"), betas=(0.1, 0.001), dephasing=(0.0, 0.01)):
    """Rows of a ramp study: smooth schedules share one curve, a linear ramp keeps its error at a small nudge.

    Dephasing adds an error that grows with the total time.
    """
    rows = []
    for ramp, rate, beta, total_time in product(ramps, dephasing, betas, (4.0, 16.0, 64.0)):
        curvature = {"linear": None, "cosine": 4.93, "smoothstep": 6.0}[ramp]
        error = 0.6 / (1.0 + beta * total_time) if curvature is None else curvature / total_time
        values = {
            "error": error + rate * total_time,
            "ramp_error": error + rate * total_time,
            "infidelity": rate * total_time + total_time ** (-2.0 if curvature is None else -4.0),
        }
        place = {"ramp": ramp, "time_step": 0.1, "total_time": total_time, "beta": beta, "steps": int(10 * total_time)}
        place |= {"dephasing_rate": rate, "relaxation_rate": 0.0}
        over = None if curvature is None else curvature / total_time
        rows.append({**place, "curvature_over_time": over, **_with_ends(values)})
    return rows


def _with_ends(values):
    return {
        name + end: value * f for name, value in values.items() for end, f in (("_low", 0.8), ("", 1), ("_high", 1.2))
    }
