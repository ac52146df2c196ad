"""Results of a study as sentences; each states one measured number and its meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qep_qiskit.budget.gradient_study import StudyPilot
from qep_qiskit.budget.reaching import losses_reached, shots_to_reach
from qep_qiskit.core.amounts import amount
from qep_qiskit.runs.points import Row

_MODEL_HOLDS = 3.0


def gradient_sentences(rows: Sequence[Row], pilots: Mapping[str, StudyPilot], default_contrast: str) -> list[str]:
    """Return the results of the gradient study.

    Args:
        rows: Rows of the study.
        pilots: Error models by contrast.
        default_contrast: Contrast of the comparisons.
    """
    found = [*_contrasts(pilots), *_groupings(rows), *_splits(rows), *_error_bars(rows), *_model(rows)]
    unresolved = [name for name, pilot in pilots.items() if not pilot.resolved]
    if unresolved:
        found.append(
            f"The bias of the {_listed(unresolved)} contrast did not stand out of the pilot's noise: its model is "
            "mostly "
            "what is known of such Hamiltonians in general. More budget.pilot_shots would determine it."
        )
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", "-") for name in names)


def _contrasts(pilots: Mapping[str, StudyPilot]) -> list[str]:
    """Return how many more shots the one-sided contrast needs for the error of the symmetric one."""
    if "symmetric" not in pilots or "one_sided" not in pilots:
        return []
    symmetric, one_sided = pilots["symmetric"], pilots["one_sided"]
    parts = []
    for shots in (100, 1000, 10_000):
        error = symmetric.model.error(symmetric.model.best_beta(shots), shots)
        more = one_sided.model.shots_for(error)[0] * one_sided.batches.sum() / (shots * symmetric.batches.sum())
        parts.append(f"{more:.2g} times at {shots:,}")
    return [
        "By the error models, each contrast at its best beta, the one-sided contrast needs more shots in all for the "
        f"error that the symmetric one reaches with so many shots a batch: {', '.join(parts)}."
    ]


def _same(rows: Sequence[Row], **wanted: object) -> list[Row]:
    return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]


def _pairs(rows: Sequence[Row], grouping: str, allocation: str) -> list[tuple[Row, Row]]:
    """Pair points of another grouping or allocation with those of the default one.

    Contrast, beta and total shots (within 5 %) are equal.
    """
    found = []
    for row in _same(rows, grouping=grouping, allocation=allocation):
        plain = _same(rows, grouping="shared", allocation="equal", contrast=row["contrast"], beta=row["beta"])
        near = [one for one in plain if abs(one["total_shots"] / row["total_shots"] - 1) < 0.05]
        found += [(row, one) for one in near if one["signals"] == row["signals"] and one["std"]]
    return found


def _groupings(rows: Sequence[Row]) -> list[str]:
    pairs = [pair for pair in _pairs(rows, "per_weight", "equal") if pair[0]["shots"] > 1]
    if not pairs:
        return []
    more = pairs[0][0]["circuits"] / pairs[0][1]["circuits"]
    return [
        "Shared batches: with the same shots in all, measuring each weight on its own has "
        f"{_ratio_of_variances(pairs):.2g} times the variance (measured, {_median_of(pairs)}) and takes "
        f"{more:.2g} times the circuits. For M weights in two groups theory says about M/2."
    ]


def _splits(rows: Sequence[Row]) -> list[str]:
    pairs = [pair for pair in _pairs(rows, "shared", "optimal") if pair[0]["shots"] >= 10]
    if not pairs:
        return []
    return [
        "Splitting the same shots between the groups where they do most changes the variance by a factor of "
        f"{_ratio_of_variances(pairs):.2f} (measured, {_median_of(pairs)})."
    ]


def _ratio_of_variances(pairs: Sequence[tuple[Row, Row]]) -> float:
    return float(np.median([one["std"] ** 2 / default["std"] ** 2 for one, default in pairs]))


def _median_of(pairs: Sequence[tuple[Row, Row]]) -> str:
    return "at one shot level" if len(pairs) == 1 else f"the median of {len(pairs)} shot levels"


def _error_bars(rows: Sequence[Row]) -> list[str]:
    own = [row for row in _same(rows, method="qep", signals="measured") if row["shots"] >= 100]
    with_signals = [row["chi2_per_dof"] for row in own if row["chi2_per_dof"] is not None]
    without = [row["chi2_without_signals"] for row in own if row["chi2_without_signals"] is not None]
    if not with_signals or not without:
        return []
    bars, fixed = float(np.median(with_signals)), float(np.median(without))
    text = f"Error bars: chi-square per degree of freedom is {bars:.2f} (1 is honest), the median over points of 100 "
    more = f"; without the noise of the error signals it would be {fixed:.2f}" if abs(fixed - bars) > 0.01 else ""
    return [f"{text}shots and more{more}."]


def _model(rows: Sequence[Row]) -> list[str]:
    judged = [row for row in rows if row.get("model_pull") is not None and row["shots"] >= 100]
    if not judged:
        return []
    near = [row for row in judged if row["model_bias"] <= row["model_std"]]
    far = [row for row in judged if row["model_bias"] > row["model_std"]]
    parts = []
    if near:
        parts.append(f"{_share_clamped(near)} of the points where bias is below shot noise")
    if far:
        where = "those" if near else "the points"
        parts.append(f"{_share_clamped(far)} of {where} where bias is above it, and higher orders of beta count")
    return [f"The model curves hold (within {_MODEL_HOLDS:g} standard errors) at {', and at '.join(parts)}."]


def _share_clamped(rows: Sequence[Row]) -> str:
    return f"{np.mean([abs(row['model_pull']) < _MODEL_HOLDS for row in rows]):.0%}"


def comparison_sentences(rows: Sequence[Row]) -> list[str]:
    """Return the errors of other methods at equal shots, with their numbers of circuits."""
    found = []
    for budget in sorted({row["budget"] for row in rows}):
        own = [row for row in rows if row["budget"] == budget and row["at"] == "equal shots"]
        ours = next((row for row in own if row["method"] == "qep"), None)
        others = [row for row in own if row["method"] in ("spsa", "finite_differences")]
        if ours is None or ours["relative_rmse"] is None or not others:
            continue
        parts = [
            f"{row['label']} {row['rmse'] / ours['rmse']:.2g} times with {amount(row['circuits'], 'circuit')}"
            for row in others
        ]
        found.append(
            f"With {budget:,} shots for a gradient, the {ours['label']} has a relative error of "
            f"{ours['relative_rmse']:.2g} with {amount(ours['circuits'], 'circuit')}; {', '.join(parts)}."
        )
    return found


def training_sentences(rows: Sequence[Row]) -> list[str]:
    """Return the shots that the best fixed and the best adaptive budget need for the lowest losses that both reach."""
    fixed = [row for row in rows if not row["budget"].startswith("adaptive")]
    adaptive = [row for row in rows if row["budget"].startswith("adaptive")]
    if not fixed:
        return []
    common = sorted(set(losses_reached(fixed)) & set(losses_reached(adaptive))) if adaptive else losses_reached(fixed)
    parts = []
    for loss in common[:3]:
        best, name = _quickest(fixed, loss)
        text = f"{loss:g} first with {name} a batch, after {best:,.0f} shots"
        if adaptive:
            shots, other = _quickest(adaptive, loss)
            text += f", and {other} after {shots:,.0f} ({shots / best:.0%})"
        parts.append(text)
    measure = "Training: losses (mean of ten epochs, median over seeds) are reached: "
    return [measure + "; ".join(parts) + ". Looks at the exact loss are not counted."] if parts else []


def _quickest(rows: Sequence[Row], loss: float) -> tuple[float, str]:
    return min((count, budget) for budget, count in shots_to_reach(rows, loss).items())


def noise_sentences(rows: Sequence[Row], cancellation: Sequence[Row]) -> list[str]:
    """Return the error limits due to noise, the effect of mitigation, and the part of the error common to both nudges.

    Args:
        rows: Rows of the study on a noisy device.
        cancellation: Rows of `cancellation_rows`.
    """
    found = []
    rows = [row for row in rows if row["relative_rmse"] is not None]  # there is no gradient
    most = max((row["shots"] for row in rows), default=0)
    names = list(dict.fromkeys(row["execution"] for row in rows))
    for name in names:
        best = _best(rows, name, most)
        found.append(
            f"{name}: at {most:,} shots a batch the smallest relative error is {best['relative_rmse']:.2g} "
            f"({best['contrast'].replace('_', '-')}, beta {abs(best['beta']):.2g}), of which bias "
            f"{best['bias'] / best['rmse'] * best['relative_rmse']:.2g}."
        )
    return [*found, *_mitigation(rows, names), *_cancellation(cancellation)]


def _best(rows: Sequence[Row], execution: str, shots: int) -> Row:
    return min(_same(rows, execution=execution, shots=shots), key=lambda row: row["rmse"])


def _mitigation(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Return the effect of each mitigation at equal total shots, each at its best nudge."""
    found = []
    for raw in names:
        for name in names:
            if not name.startswith(f"{raw}, "):
                continue
            ratios = _ratios_at_equal_shots(_best_curve(rows, name), _best_curve(rows, raw))
            listed = ", ".join(f"{ratio:.2f} at {shots:,}" for shots, ratio in ratios.items())
            found.append(
                f"{name}: its error over that of {raw} at equal shots in all, each at its best beta: {listed}."
            )
    if found:
        found.append(
            "Shots in all count folded circuits, and a calibration for every estimate; a training run shares one "
            "between the steps of some epochs."
        )
    return found


def _best_curve(rows: Sequence[Row], execution: str) -> dict[int, float]:
    """Return the smallest error by total shots, in ascending order."""
    levels = sorted({row["shots"] for row in _same(rows, execution=execution)})
    best = [_best(rows, execution, shots) for shots in levels]
    return {row["total_shots"]: row["rmse"] for row in best}


def _ratios_at_equal_shots(curve: Mapping[int, float], plain: Mapping[int, float]) -> dict[int, float]:
    """Return ratios of one curve to another at the shots of the latter, interpolated in logarithms within its range."""
    shots = np.array(list(curve))
    at = [total for total in plain if shots.min() <= total <= shots.max()]
    values = np.exp(np.interp(np.log(at), np.log(shots), np.log(list(curve.values()))))
    return {total: float(value / plain[total]) for total, value in zip(at, values, strict=True)}


def _cancellation(rows: Sequence[Row]) -> list[str]:
    found = []
    for name in dict.fromkeys(row["execution"] for row in rows):
        if ", " in name:  # mitigations change it little; their rows are in the table
            continue
        own = sorted(_same(rows, execution=name), key=lambda row: row["beta"])
        parts = " and ".join(f"{row['common']:.2g} of its size at beta {row['beta']:.2g}" for row in (own[0], own[-1]))
        found.append(
            f"{name}: what errors at +beta and -beta have in common cancels in the contrast; what does not is {parts} "
            "(1.4 if they were independent, 0 if they were the same)."
        )
    return found
