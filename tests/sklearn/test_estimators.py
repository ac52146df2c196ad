"""Estimators in scikit-learn: its own checks, pipelines and searches, error bars, and run folders."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
import joblib
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_moons
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import qep_qiskit as qep
from qep_qiskit.cli import main
from qep_qiskit.core.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
INPUTS, LABELS = load_iris(return_X_y=True)
FEW = slice(None, None, 5)


@pytest.fixture(scope="module")
def trained():
    return qep.QEPClassifier(epochs=4, random_state=0).fit(INPUTS, LABELS)


@pytest.fixture(scope="module")
def sampled():
    return qep.QEPClassifier(epochs=2, shots=50, random_state=0).fit(INPUTS[FEW], LABELS[FEW])


@pytest.mark.deep
@parametrize_with_checks([qep.QEPClassifier(epochs=3, random_state=0), qep.QEPRegressor(epochs=3, random_state=0)])
def test_scikit_learn_accepts_them(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "least"),
    [
        (load_iris(return_X_y=True), 0.94),
        (load_wine(return_X_y=True), 0.94),
        (load_breast_cancer(return_X_y=True), 0.94),
        (make_moons(300, noise=0.15, random_state=0), 0.97),
    ],
    ids=["iris", "wine", "breast_cancer", "moons"],
)
def test_defaults_learn_common_tasks(data, least):
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    assert cross_val_score(qep.QEPClassifier(random_state=0), *data, cv=folds).mean() >= least


@pytest.mark.deep
def test_they_fit_pipelines_and_searches():
    pipeline = make_pipeline(MinMaxScaler(), qep.QEPClassifier(epochs=2, random_state=0))
    search = GridSearchCV(pipeline, {"qepclassifier__learning_rate": [1e-6, 0.1]}, cv=2, n_jobs=2)
    search.fit(INPUTS[FEW], LABELS[FEW])
    assert search.best_params_ == {"qepclassifier__learning_rate": 0.1}


def test_the_number_of_jobs_changes_nothing():
    from qep_qiskit.core.jobs import current_jobs

    models = []
    for n_jobs, jobs in ((None, 1), (2, 2), (np.int64(1), 1), (-1, None)):
        model = qep.QEPClassifier(epochs=2, shots=20, random_state=0, n_jobs=n_jobs).fit(INPUTS[FEW], LABELS[FEW])
        assert model.trained_.config.execution.jobs == (joblib.cpu_count() if jobs is None else jobs) == current_jobs()
        models.append(model)
    with joblib.parallel_config(n_jobs=3):
        assert qep.QEPClassifier(epochs=1).fit(INPUTS[FEW], LABELS[FEW]).trained_.config.execution.jobs == 3
    assert all(model.weights_ == models[0].weights_ for model in models)


def test_clones_train_the_same_and_pickles_predict_the_same(trained):
    again = clone(trained).fit(INPUTS, LABELS)
    assert again.weights_ == trained.weights_
    for copy in (again, pickle.loads(pickle.dumps(trained))):
        assert np.array_equal(copy.predict_proba(INPUTS), trained.predict_proba(INPUTS))


def test_a_saved_estimator_is_a_run_folder(trained, tmp_path, capsys):
    folder = trained.save(tmp_path / "run")
    loaded = qep.QEPClassifier.load(folder)
    assert np.array_equal(loaded.predict(INPUTS), trained.predict(INPUTS))
    assert np.array_equal(qep.load_run(folder).predict(INPUTS).outputs, trained.trained_.predict(INPUTS).outputs)
    table = tmp_path / "rows.csv"
    np.savetxt(table, INPUTS[:3], delimiter=",", header="x0,x1,x2,x3", comments="")
    assert main(["predict", str(folder), str(table)]) == 0
    assert capsys.readouterr().out.count("\n") > 3
    assert main(["resume", str(folder)]) == 0
    with pytest.raises(qep.QepError, match="load it as QEPClassifier"):
        qep.QEPRegressor.load(folder)


def test_the_hamiltonian_takes_raw_inputs(trained):
    network, scaled = trained.network_, trained.trained_.task.scaling.apply(INPUTS[:1])[0]
    weights = np.array(list(trained.weights_.values()))
    assert trained.hamiltonian(INPUTS[0]) == network.hamiltonian(weights, scaled)
    found = trained.trained_.dh_dw("W[2,1]", INPUTS[0])
    assert found == network.interaction("W[2,1]", scaled)
    # dH/dW[2,1] is -x_2 Z_1, with x_2 in the scale of the network
    assert np.isclose(found.coeffs[0].real, -scaled[2])


def test_exact_predictions_have_no_error_bars_and_sampled_ones_the_right_ones(sampled):
    rows = INPUTS[:10]
    exact = sampled.trained_.predict(rows, exact=True)
    assert not exact.standard_errors.any()
    draws = [sampled.trained_.predict(rows, draw=draw) for draw in range(300)]
    assert np.array_equal(draws[0].outputs, sampled.trained_.predict(rows).outputs)
    outputs = np.array([found.outputs for found in draws])
    claimed = np.mean([found.standard_errors**2 for found in draws], axis=0)
    assert np.abs(outputs.mean(axis=0) - exact.outputs).max() < 5.0 * np.sqrt(claimed.max() / 300)
    spread = outputs.var(axis=0, ddof=1).sum() / claimed.sum()
    assert abs(spread - 1.0) < 5.0 * np.sqrt(2.0 / 300 / 10)
    probabilities = np.array([softmax(3.0 * found.outputs) for found in draws])
    _, errors = sampled.predict_proba(rows, return_std=True)
    assert abs(np.log(np.mean(errors**2) / np.mean(probabilities.var(axis=0, ddof=1)))) < 0.35


def softmax(values):
    shares = np.exp(values - values.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def test_a_regressor_predicts_in_the_units_of_its_targets():
    inputs = np.linspace(-1, 1, 24)[:, np.newaxis]
    targets = np.hstack([300.0 + 200.0 * inputs, 5.0 - inputs])
    model = qep.QEPRegressor(epochs=60, random_state=0).fit(inputs, targets)
    assert model.score(inputs, targets) > 0.9
    predicted, errors = model.predict(inputs, return_std=True)
    assert predicted.shape == errors.shape == (24, 2)
    assert not errors.any()


def test_partial_fits_go_on_from_the_present_weights():
    model, whole = (qep.QEPClassifier(random_state=0, batch_size=30) for _ in range(2))
    order = np.random.default_rng(0).permutation(len(LABELS))
    model.partial_fit(INPUTS[order[:30]], LABELS[order[:30]], classes=[0, 1, 2])
    steps = model.trained_.state.step
    first = model.score(INPUTS, LABELS)
    for _ in range(15):
        model.partial_fit(INPUTS[order], LABELS[order])
    assert (steps, model.trained_.state.step) == (1, 76)
    assert model.score(INPUTS, LABELS) > max(first, 0.9)
    with pytest.raises(ValueError, match="classes must be passed"):
        whole.partial_fit(INPUTS, LABELS)


def test_early_stopping_keeps_the_weights_of_the_best_epoch():
    model = qep.QEPClassifier(epochs=200, early_stopping=True, patience=2, learning_rate=0.3, random_state=0)
    model.fit(INPUTS[FEW], LABELS[FEW])
    losses = [row["test_loss"] for row in model.trained_.history]
    assert model.n_epochs_ == int(np.argmin(losses)) + 2 < 200
    task = model.trained_.task
    outputs = model.trained_.predict(task.scaling.undo(task.test.inputs)).outputs
    assert np.isclose(qep.CrossEntropy(3.0).value(outputs, task.test.targets).mean(), min(losses))


def test_noise_runs_on_aer_without_a_word():
    noise = {"execution": {"noise": {"readout": 0.2}}, "preparation": {"total_time": 1.0, "steps": 2}}
    model = qep.QEPClassifier(preparation="adiabatic", shots=20, epochs=1, random_state=0, config=noise)
    found = model.fit([[0.0], [1.0]] * 4, [0, 1] * 4).trained_
    assert type(found.experiment.executor).__name__ == "NoisyExecutor"
    with pytest.raises(ValueError, match=r"noise: 'statevector' is ideal; .* use backend = 'aer'"):
        clone(model).set_params(backend="statevector").fit([[0.0], [1.0]] * 4, [0, 1] * 4)


def test_keys_of_a_configuration_go_deeper(tmp_path):
    given = {"update": {"kind": "momentum"}, "network": {"fields": {"mean": 0.5}}}
    model = qep.QEPClassifier(epochs=1, random_state=0, config=given).fit(INPUTS[FEW], LABELS[FEW])
    config = model.trained_.config
    assert (config.update.kind, config.network.fields.mean, config.network.outputs) == ("momentum", 0.5, [1, 2, 3])
    path = tmp_path / "deeper.toml"
    path.write_text("[training]\nepochs = 2\n")
    assert qep.QEPClassifier(random_state=0, config=path).fit(INPUTS[FEW], LABELS[FEW]).n_epochs_ == 2
    ramp = {"preparation": {"total_time": 1.0, "steps": 3}}
    model = qep.QEPClassifier(preparation="adiabatic", shots=10, epochs=1, random_state=0, config=ramp)
    preparation = model.fit(INPUTS[FEW], LABELS[FEW]).trained_.config.preparation
    assert (preparation.kind, preparation.steps) == ("adiabatic", 3)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, (0.05, False, False)),
        ({"shots": 10}, (0.3, True, True)),
        ({"config": {"measurement": {"shots": 10}}}, (0.3, True, True)),
        ({"shots": 10, "config": {"contrast": {"equal_nudges": False}}}, (0.3, False, False)),
        ({"shots": 10, "config": {"measurement": {"shots_by_error": False}}}, (0.3, True, False)),
        ({"shots": 10, "config": {"contrast": {"kind": "four_point"}}}, (0.3, False, False)),
    ],
)
def test_shots_are_divided_by_errors_unless_told_otherwise(parameters, expected):
    config = qep.QEPClassifier(epochs=1, random_state=0, **parameters).fit(INPUTS[FEW], LABELS[FEW]).trained_.config
    assert (config.contrast.beta, config.contrast.equal_nudges, config.measurement.shots_by_error) == expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochs": 2, "config": {"training": {"epochs": 3}}}, "epochs: config also sets training.epochs"),
        ({"num_spins": 2}, "num_spins: expected at least 3, one for each output, got 2"),
        ({"graph": "tree"}, "network.graph: expected"),
        ({"beta": -1}, "contrast.beta: symmetric uses both signs, so beta must be positive, got -1"),
        ({"config": {"task": {"kind": "csv"}}}, "samples come from X and y"),
        ({"config": {"trainings": {}}}, "unknown key"),
        ({"config": "missing.toml"}, "missing.toml cannot be read"),
        ({"shots": 0}, "measurement.shots"),
        ({"n_jobs": 0}, "n_jobs: expected None, -1 for all cores"),
        ({"n_jobs": "two"}, "n_jobs: expected None"),
        ({"n_jobs": 2, "config": {"execution": {"jobs": 1}}}, "n_jobs: config also sets execution.jobs"),
        (
            {"early_stopping": True, "config": {"callbacks": {"early_stopping": {}}}},
            "early_stopping: config also sets callbacks.early_stopping",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_hyperparameters_are_one_line(parameters, message):
    with pytest.raises(ValueError, match=message) as caught:
        qep.QEPClassifier(random_state=0, **parameters).fit(INPUTS, LABELS)
    assert "\n" not in str(caught.value)


@pytest.mark.deep
def test_inputs_on_the_couplings_separate_a_product_of_inputs(rng):
    X = rng.choice([-1.0, 1.0], size=(16, 2)) * rng.uniform(0.3, 2.0, size=(16, 2))
    y = np.where(X.prod(axis=1) > 0, "same", "opposite")
    fits = [
        qep.QEPClassifier(
            num_spins=3,
            epochs=40,
            batch_size=4,
            learning_rate=0.1,
            random_state=0,
            config={"network": {"coupling_inputs": keys}},
        ).fit(X, y)
        for keys in ({}, {"enabled": True})
    ]
    assert fits[0].score(X, y) < 0.9
    assert fits[1].score(X, y) == 1.0
    with pytest.raises(ConfigError, match="with inputs on Z, can be drawn"):
        fits[1].plot_network()
