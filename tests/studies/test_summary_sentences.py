"""Sentences: the numbers in them follow from the rows, and without rows nothing is said."""

import re

import numpy as np
import pytest
from budget_rows import comparison_rows, gradient_row, training_rows

from qep_qiskit.budget.gradient_study import StudyPilot
from qep_qiskit.budget.summary_sentences import (
    comparison_sentences,
    gradient_sentences,
    noise_sentences,
    training_sentences,
)
from qep_qiskit.learning import ErrorModel


def pilot(order, squared, variance, *, resolved=True):
    model = ErrorModel(order=order, bias_squared=squared, shot_variance=(variance,), beta_scale=0.3)
    return StudyPilot(model=model, resolved=resolved, batches=np.array([2.0]))


def point(**changes):
    """A symmetric point at 100 shots with numbers that are easy to check."""
    row = gradient_row("symmetric", 0.3, 100, rng=np.random.default_rng(0))
    numbers = {"total_shots": 1000, "circuits": 4, "std": 0.2, "chi2_per_dof": 1.0, "chi2_without_signals": 1.5}
    return row | numbers | {"model_pull": 0.5, "model_bias": 0.1, "model_std": 0.2} | changes


def numbers(text):
    return [float(found) for found in re.findall(r"\d+(?:\.\d+)?", text)]


def only(sentences, words):
    found = [sentence for sentence in sentences if words in sentence]
    assert len(found) == 1
    return found[0]


def test_nothing_is_said_of_nothing():
    assert gradient_sentences([], {}, "symmetric") == []
    assert comparison_sentences([]) == []
    assert training_sentences([]) == []
    assert noise_sentences([], []) == []


def test_grouping():
    alone = point(grouping="per_weight", method="per_weight", std=0.6, circuits=20, shots=25, total_shots=1020)
    far = point(grouping="per_weight", method="per_weight", std=9.0, circuits=20, shots=25, total_shots=2000)
    text = only(gradient_sentences([point(), alone, far], {}, "symmetric"), "Shared batches")
    assert "9 times the variance (measured, at one shot level) and takes 5 times the circuits" in text


def test_split():
    split = point(allocation="optimal", std=0.1)
    assert "a factor of 0.25 (measured, at one shot level)" in only(
        gradient_sentences([point(), split], {}, "symmetric"), "Splitting"
    )
    more = [point(total_shots=90_000), point(total_shots=90_000, allocation="optimal", std=0.2)]
    assert "a factor of 0.62 (measured, the median of 2 shot levels)" in only(
        gradient_sentences([point(), split, *more], {}, "symmetric"), "Splitting"
    )


def test_error_bars_of_few_shots_do_not_count():
    rows = [point(), point(chi2_per_dof=1.2), point(chi2_per_dof=1.1), point(shots=10, chi2_per_dof=7.0)]
    text = only(gradient_sentences(rows, {}, "symmetric"), "Error bars")
    assert "is 1.10 (1 is honest)" in text
    assert "it would be 1.50" in text
    same = [point(chi2_per_dof=1.0, chi2_without_signals=1.0)]
    assert "would be" not in only(gradient_sentences(same, {}, "symmetric"), "Error bars")


def test_model():
    near = [point(model_pull=pull) for pull in (0.0, 1.0, -2.0, 5.0)]
    far = [point(model_pull=pull, model_bias=0.4) for pull in (0.0, -9.0)]
    text = only(gradient_sentences(near + far, {}, "symmetric"), "model curves")
    assert numbers(text) == [3, 75, 50]
    for part, share in ((near, 75), (far, 50)):
        text = only(gradient_sentences(part, {}, "symmetric"), "model curves")
        assert numbers(text) == [3, share]
        assert "nan" not in text


def test_contrasts_by_their_models():
    """Errors at the best nudge fall as m^(-1/4) and m^(-1/3): what one needs grows as the other's shots to the 4/3."""
    pilots = {"symmetric": pilot(2, 1.0, 0.5), "one_sided": pilot(1, 1.0, 2.0)}
    text = only(gradient_sentences([], pilots, "symmetric"), "the one-sided contrast needs more shots")
    ratios = [float(found) for found in re.findall(r"([\d.e+]+) times", text)]
    assert ratios[2] / ratios[1] == pytest.approx(10 ** (1 / 3), rel=0.1)
    # e^2 = 3 (bias^2) for order 2 and 2 sqrt(c^2 S / m) for order 1, both from dE/dbeta = 0.
    symmetric = 3.0 * (0.5 / (2 * 1000)) ** (2 / 3)
    assert ratios[1] == pytest.approx((2.0 / (symmetric / 2) ** 2) / 1000, rel=0.06)
    assert gradient_sentences([], {"symmetric": pilots["symmetric"]}, "symmetric") == []


def test_a_bias_within_the_noise_of_the_pilot_is_told():
    pilots = {"one_sided_negative": pilot(1, 1.0, 2.0, resolved=False), "symmetric": pilot(2, 1.0, 0.5)}
    text = only(gradient_sentences([], pilots, "symmetric"), "did not stand out")
    assert "the one-sided-negative contrast" in text


def test_comparison():
    whole = ("circuits", "total_shots")
    rows = [row | {"budget": 8000} | {name: int(row[name]) for name in whole} for row in comparison_rows()]
    (text,) = comparison_sentences(rows)
    assert text.startswith("With 8,000 shots for a gradient, the QEP symmetric, shared batches")
    assert "relative error of 0.12 with 4 circuits" in text
    assert "finite differences 1.8 times with 20 circuits" in text
    assert "parameter shift" not in text
    assert comparison_sentences([row for row in rows if row["method"] != "qep"]) == []
    assert comparison_sentences([row for row in rows if row["method"] == "qep"]) == []


def reaching(budget, shots, *, loss=0.099):
    return [
        {"budget": budget, "seed": seed, "epoch": epoch, "shots": shots * epoch, "loss": loss if epoch else 1.0}
        for seed in range(2)
        for epoch in range(12)
    ]


def test_training():
    rows = reaching("10 shots", 10, loss=0.5) + reaching("100 shots", 100) + reaching("adaptive from 10", 25)
    (text,) = training_sentences(rows)
    assert "0.1 first with 100 shots a batch, after 1,000 shots, and adaptive from 10 after 250 (25%)" in text
    (text,) = training_sentences(rows + reaching("adaptive from 1", 5, loss=0.4))
    assert "0.1 first with 100 shots a batch, after 1,000 shots, and adaptive from 10 after 250 (25%)" in text


def test_training_too_short_to_tell():
    assert training_sentences(training_rows(epochs=3)) == []
    assert training_sentences(reaching("adaptive from 1", 5)) == []


def test_noise():
    base = {"execution": "noisy", "bias": 0.3, "rmse": 0.6, "relative_rmse": 1.2}
    rows = [point(**base), point(**base | {"rmse": 0.4, "relative_rmse": 0.8, "contrast": "one_sided", "beta": -0.5})]
    rows += [point(**base | {"rmse": 0.01, "shots": 10})]
    (text,) = noise_sentences(rows, [])
    assert text == (
        "noisy: at 100 shots a batch the smallest relative error is 0.8 (one-sided, beta 0.5), of which bias 0.6."
    )


def test_mitigations_at_equal_shots_in_all():
    """One costs twice the shots and has half the error at each; another costs a calibration of 100 shots."""
    levels = (100, 200, 400)
    base = {"bias": 0.0, "relative_rmse": 0.5}
    rows = [point(execution="noisy", shots=m, total_shots=4 * m, rmse=1.0 / m, **base) for m in levels]
    rows += [point(execution="noisy, zne", shots=m, total_shots=8 * m, rmse=0.5 / m, **base) for m in levels]
    rows += [point(execution="noisy, readout", shots=m, total_shots=4 * m + 100, rmse=2.0 / m, **base) for m in levels]
    *_, zne, readout, remark = noise_sentences(rows, [])
    assert zne == (
        "noisy, zne: its error over that of noisy at equal shots in all, each at its best beta: "
        "1.00 at 800, 1.00 at 1,600."
    )
    assert readout.endswith("best beta: 2.30 at 800, 2.14 at 1,600.")
    assert remark.startswith("Shots in all count folded circuits, and a calibration for every estimate")


def test_cancellation():
    rows = [{"execution": "noisy", "beta": beta, "common": common} for beta, common in ((0.4, 0.3), (0.1, 0.05))]
    rows += [{"execution": "noisy, zne", "beta": 0.1, "common": 0.04}]  # told of the device as it is
    (text,) = noise_sentences([], rows)
    assert "what does not is 0.05 of its size at beta 0.1 and 0.3 of its size at beta 0.4 (1.4 if" in text
