"""Every key and value of a configuration that cannot be used: one line, exit code 2, nothing written."""

import tomllib

import pytest

from qep_qiskit.config.load import check_config
from qep_qiskit.config.overrides import assign, parse_override, parse_overrides
from qep_qiskit.core.errors import ConfigError

CIRCUITS = "preparation={kind = 'adiabatic', total_time = 2.0, steps = 5}"

KEYS = [
    ("network.num_spin=3", "network.num_spin: unknown key; did you mean 'num_spins'?"),
    ("netwrk.num_spins=3", "netwrk: unknown key; did you mean 'network'?"),
    (
        "network.couplings.distributoin='normal'",
        "network.couplings.distributoin: unknown key; did you mean 'distribution'?",
    ),
    ("execution.noise.one_qbit=0.1", "execution.noise.one_qbit: unknown key; did you mean 'one_qubit'?"),
    ("shots=3", "shots: unknown key"),
    ("network.shots=3", "network.shots: unknown key"),
    ("training.learning_rate=0.1", "training.learning_rate: unknown key"),
    ("preparation.steps=3", "preparation.steps: does not go with kind = 'exact'"),
    ("task.num_bits=3", "task.num_bits: does not go with kind = 'xor'"),
    ("cost={kind='operator', terms=[{paul='Z1'}]}", "did you mean 'pauli'?"),
    ("cost={gain=2.0}", "cost.gain: goes with loss = 'cross_entropy'; leave it out"),
    (
        "cost={terms=[{pauli='Z1'}]}",
        "cost.terms: does not go with kind = 'loss'; leave it out, or give kind = 'operator' beside it",
    ),
    ("task={}", "task.kind: this key is missing"),
]

TYPES = [
    ("network.num_spins='two'", "network.num_spins: expected a whole number, got 'two'"),
    ("network.num_spins=2.0", "network.num_spins: expected a whole number, got 2.0"),
    ("network.outputs=1", "network.outputs: expected a list, got 1"),
    ("seed=1.5", "seed: expected a whole number"),
    ("seed=-1", "seed: expected at least 0, got -1"),
    ("name=3", "name: expected text, got 3"),
    ("task=3", "task: expected"),
    ("network=3", "network: expected"),
    ("network.edges=[[0, 1.5]]", "network.edges"),
    ("network.fields.values=3.0", "network.fields.values: expected"),
    ("network.fields.frozen='h[0]'", "network.fields.frozen: expected"),
]

CHOICES = [
    ("task.kind='mnist'", "task.kind: expected one of 'csv', 'xor'"),
    ("network.graph='star'", "network.graph: expected 'chain', 'ring'"),
    (
        "preparation.kind='magic'",
        "preparation.kind: expected one of 'exact', 'dmrg', 'annealing', 'annealer', 'thermal', 'adiabatic', "
        "'variational', 'neural', 'gaussian', 'equilibrium', got 'magic'",
    ),
    ("preparation={kind='adiabatic', ramp='steep'}", "preparation.ramp: expected 'linear', 'cosine' or 'smoothstep'"),
    ("preparation={kind='adiabatic', order=3}", "preparation.order: expected 1 or 2, got 3"),
    ("preparation={kind='adiabatic', steps=0}", "preparation.steps: expected at least 1, got 0"),
    ("preparation={kind='adiabatic', total_time=-1.0}", "preparation.total_time: expected more than 0"),
    ("preparation.solver='magic'", "preparation.solver: expected 'auto', 'dense', 'lanczos' or 'components'"),
    (
        "execution.backend='ibm'",
        "'rehearse:ibm_...', 'ibm_...', 'ocean:...' or 'package.module:factory', got 'ibm'",
    ),
    ("execution.method='magic'", "execution.method: expected"),
    ("execution.device='TPU'", "execution.device: expected 'CPU' or 'GPU', got 'TPU'"),
    ("execution.noise.one_qubit=0.1", "preparation.kind = 'adiabatic'"),
    ("execution.noise.one_qubit=2.0", "execution.noise.one_qubit: expected at most 1"),
    (
        "execution.mitigation.readout='m3'",
        "execution.mitigation.readout: expected 'none', 'calibrated' or 'twirled', got 'm3'",
    ),
    ("execution.mitigation.calibration_shots=0", "execution.mitigation.calibration_shots: expected"),
    ("execution.mitigation.calibrate_every=9", "calibrate_every: goes with readout = 'calibrated' or 'twirled' only"),
    ("execution.mitigation.calibrate_every=0", "execution.mitigation.calibrate_every: expected at least 1"),
    ("execution.mitigation.dynamical_decoupling='XZ'", "dynamical_decoupling: expected 'none', 'XX', 'XpXm' or 'XY4'"),
    ("execution.mitigation.dynamical_decoupling='XX'", "dynamical_decoupling: needs a device, 'ibm_...', 'fake_...'"),
    ("execution.mitigation.randomizations=0", "execution.mitigation.randomizations: expected at least 1"),
    ("execution.mitigation.extrapolation='polynomial'", "goes with noise_factors only; leave it out"),
    ("execution.mitigation.extrapolation='cubic'", "extrapolation: expected 'linear' or 'polynomial', got 'cubic'"),
    ("execution.mitigation.redout='none'", "did you mean 'readout'?"),
    ("cost={kind='magic'}", "cost.kind: expected one of 'loss', 'operator', got 'magic'"),
    ("update.kind='sgd'", "update.kind: expected 'gradient_descent', 'momentum', 'adam' or 'agnostic'"),
    ("update.learning_rate=0", "update.learning_rate: expected more than 0"),
    ("training.epochs=0", "training.epochs: expected at least 1"),
    ("training.batch_size=0", "training.batch_size: expected at least 1"),
]

SHOTS_AND_NUDGES = [
    ("measurement.shots=0", "measurement.shots: expected at least 1, got 0"),
    ("measurement.shots=-5", "measurement.shots: expected at least 1, got -5"),
    ("measurement.shots=1.5", "measurement.shots: expected a whole number, got 1.5"),
    ("measurement.shots=200.0", "measurement.shots: expected a whole number, got 200.0"),
    ("measurement.shots='many'", "measurement.shots: expected"),
    ("contrast.beta=0", "contrast.beta: expected a number other than zero"),
    ("contrast.beta=0.0", "contrast.beta: expected a number other than zero"),
    ("contrast.order=5", "contrast.order: expected 4, 6 or 8, got 5"),
    ("contrast.order=6", "contrast.order: goes with kind = 'chebyshev', not with 'symmetric'"),
    ("contrast.points=4", "contrast.points: goes with contrast.kind = 'holomorphic'"),
    ("contrast.kind='holomorphic'", "contrast.kind: 'holomorphic' nudges are complex"),
    ("contrast.beta=-0.3", "contrast.beta: symmetric uses both signs"),
    ("contrast={kind='holomorphic', beta=0.2}", "contrast.beta: 'holomorphic' has no real nudges to measure"),
    ("contrast={kind='holomorphic', pilot={levels=5}}", "contrast.pilot: 'holomorphic' has no real nudges to measure"),
    (
        "contrast.kind='two_sided'",
        "contrast.kind: expected 'one_sided', 'symmetric', 'four_point', 'chebyshev', 'fluctuations', 'linear_res",
    ),
]

NOT_NUMBERS = [
    ("contrast.beta=nan", "contrast.beta: expected a finite number"),
    ("contrast.beta=inf", "contrast.beta: expected a finite number"),
    ("update.learning_rate=nan", "update.learning_rate: expected a finite number"),
    ("preparation={kind='adiabatic', total_time=nan}", "preparation.total_time: expected a finite number"),
    ("network.couplings.mean=nan", "network.couplings.mean: expected a finite number"),
    ("network.fields.minimum=nan", "network.fields.minimum: expected a finite number"),
    ("network.fields.values=[nan, 1.0]", "network.fields.values.0: expected a finite number"),
    ("network.fields.values={'h[0]' = nan}", "network.fields.values.h[0]: expected a finite number"),
]

GRAPHS = [
    ("network={}", "network.num_spins: this key is missing; graph = 'complete' needs it"),
    ("network={graph='edges', num_spins=2}", "network.edges: this key is missing"),
    ("network={graph='lattice'}", "network.shape: this key is missing"),
    ("network={graph='layered'}", "network.layers: this key is missing"),
    ("network={graph='heavy_hex'}", "network.distance: this key is missing"),
    ("network={graph='zephyr'}", "network.cells: this key is missing"),
    ("network={graph='convolution'}", "network.image: this key is missing"),
    ("network.stride=2", "network.stride: does not go with graph = 'complete'"),
    (
        "network={graph='convolution', image=[3, 3]}",
        "network.image: expected as many pixels as the task has inputs, 2; got 3 x 3",
    ),
    (
        "network={graph='convolution', image=[1, 2], filter_size=3}",
        "network.filter_size: expected at most the image, 1; got 3",
    ),
    (
        "network={graph='convolution', image=[1, 2], filter_size=1, stride=2, pooling=1}",
        "network.stride: filters of 1 x 1 pixels at distances of 2 leave 1 of 2 pixels without a weight",
    ),
    (
        "network={graph='convolution', image=[1, 2], outputs=[0]}",
        "network.outputs: does not go with graph = 'convolution'",
    ),
    (
        "network={num_spins=3, outputs=[0], copies=2}",
        "network.copies: expected a divisor of the number of outputs, 1; got 2",
    ),
    (
        "network={num_spins=3, copies=4}",
        "network.outputs: the task has 1 target, each needs 4 output spins (copies); there are 3 spins",
    ),
    ("network={graph='pegasus', cells=1}", "network.cells: graph = 'pegasus' begins at 2, got 1"),
    ("network.shape=[1, 2]", "network.shape: does not go with graph = 'complete'"),
    ("network.graph='layered'", "network.num_spins: does not go with graph = 'layered'"),
    ("network.periodic=true", "network.periodic: does not go with graph = 'complete'"),
    ("network={graph='lattice', shape=[0, 2]}", "network.shape: expected sides of at least 1, got [0, 2]"),
    ("network={graph='lattice', shape=[2]}", "network.shape: "),
    ("network={graph='layered', layers=[2]}", "network.layers: expected at least two layers"),
    ("network={graph='heavy_hex', distance=4}", "network.distance: expected an odd number of at least 3, got 4"),
    ("network={graph='ring', num_spins=2}", "network.num_spins: a ring needs at least 3 spins, got 2"),
    ("network.num_spins=0", "network.num_spins: expected at least 1, got 0"),
    ("network={graph='edges', num_spins=2, edges=[[0, 1], [1, 0]]}", "network.edges: edge [0, 1] is given twice"),
    ("network={graph='edges', num_spins=2, edges=[[1, 1]]}", "network.edges: edge [1, 1] joins a spin to itself"),
    ("network={graph='edges', num_spins=2, edges=[[0, 5]]}", "edge [0, 5] names a spin out of range"),
    ("network={graph='edges', num_spins=2, edges=[[0, -1]]}", "edge [0, -1] names a spin out of range"),
    ("network={graph='edges', num_spins=2, edges=[[0]]}", "network.edges.0: expected 2 numbers, got [0]"),
]

SPINS = [
    ("network.outputs=[2]", "network.outputs: spin 2 is out of range; there are 2 spins, 0 to 1"),
    ("network.outputs=[-1]", "network.outputs: spin -1 is out of range"),
    ("network.outputs=[0, 0]", "network.outputs: a spin is named twice"),
    ("network.outputs=[]", "network.outputs: expected at least one output spin"),
    ("network.outputs=[0, 1]", "network.outputs"),
    ("network.inputs.spins=[5]", "spin 5 is out of range"),
    ("network.inputs.spins=[0, 0]", "network.inputs"),
    ("network.inputs.spins=[]", "network.inputs.spins"),
    ("network.inputs.links=[[0, 5]]", "spin 5 is out of range"),
    ("network.inputs.links=[[7, 0]]", "names an input out of range"),
    ("network.inputs.links=[[0, 0], [0, 0]]", "linked to the same spin twice"),
    ("network.inputs.links=[[0]]", "network.inputs.links"),
    ("network.inputs={mode='fields', spins=[0]}", "the task has 2 inputs, each needs an input spin of its own"),
    ("network.inputs={mode='fields', spins=[0, 0]}", "network.inputs.spins"),
    ("network.inputs={mode='fields', values=[1.0, 2.0]}", "network.inputs.values"),
]

WEIGHTS = [
    ("network.couplings.values=[1.0, 2.0]", "network.couplings.values: expected 1 number (J[0,1]), got 2"),
    ("network.couplings.values={'J[0,5]' = 1.0}", "network.couplings: no weight J[0,5]; there are J[0,1]"),
    ("network.fields.values=[0.01, 1.0]", "network.fields.values: 0.01 is not a number between minimum 0.1"),
    ("network.fields.values={'h[1]' = -1.0}", "network.fields.values: -1.0 is not a number between minimum 0.1"),
    ("network.fields.frozen=['h[9]']", "network.fields: no weight h[9]; there are h[0], h[1]"),
    ("network.fields={minimum=2.0, maximum=1.0}", "network.fields: minimum 2.0 is above maximum 1.0"),
    ("network.couplings.std=-1.0", "network.couplings.std: expected at least 0"),
    (
        "network.couplings.distribution='gauss'",
        "network.couplings.distribution: expected 'constant', 'uniform' or 'normal'",
    ),
    ("network.couplings={distribution='uniform', low=2.0, high=1.0}", "network.couplings"),
    ("network.fields.mean=0.05", "network.fields.mean: 0.05 is not a number between minimum 0.1 and maximum inf"),
    (
        "network.fields={distribution='uniform', low=0.0, high=1.0}",
        "network.fields.low: 0.0 is not a number between minimum 0.1",
    ),
    ("network.fields={distribution='uniform'}", "network.fields.low: -0.1 is not a number between minimum 0.1"),
    ("network.fields.minimum=2.0", "network.fields.mean: 1.0 is not a number between minimum 2.0"),
    (
        "network.fields={distribution='normal', std=0.5}",
        "network.fields: a normal distribution of mean 1.0 and std 0.5 leaves",
    ),
    (
        "network.couplings={mean=5.0, maximum=1.0}",
        "network.couplings.mean: 5.0 is not a number between",
    ),
    ("network.couplings.maximum=1.0", "set truncate = true to draw within them"),
    (
        "network.couplings={distribution='uniform', truncate=true}",
        "network.couplings.truncate: goes with distribution = 'normal'",
    ),
    (
        "network.biases={distribution='constant', mean=0.5, maximum=0.3}",
        "network.biases.mean: 0.5 is not a number between",
    ),
    (
        "network.inputs={distribution='uniform', high=2.0, maximum=1.0}",
        "network.inputs.high: 2.0 is not a number between",
    ),
]

COSTS = [
    (
        "cost={kind='loss', loss='squarederror'}",
        "cost.loss: expected squared_error, cross_entropy, negative_abs, contrastive, sensitivity or module:name",
    ),
    ("cost={kind='loss', loss='no_such_module:x'}", "cost.loss: cannot import 'no_such_module:x'"),
    ("cost={kind='loss', loss='json:nothing'}", "cost.loss: cannot import 'json:nothing'"),
    ("cost={kind='loss', loss='json:encoder'}", "expected 'json:encoder' to be a function of outputs"),
    ("cost={kind='loss', loss=':'}", "cost.loss: "),
    ("cost={kind='loss', loss='..a:b'}", "or module:name of your own, got '..a:b'"),
    ("cost={kind='loss', loss='broken_syntax:loss'}", "cost.loss: cannot import 'broken_syntax:loss'"),
    ("cost={kind='loss', loss='broken_import:loss'}", "cost.loss: cannot import 'broken_import:loss'"),
    ("cost={kind='loss', observables=['Z5']}", "cost.observables: 'Z5' names a spin out of range"),
    ("cost={kind='loss', observables=['Q0']}", "cost.observables"),
    ("cost={kind='loss', observables=[]}", "cost.observables"),
    ("cost={kind='loss', observables=['I']}", "cost.observables"),
    ("cost={kind='loss', observables=['Z0', 'Z1']}", "observables"),
    ("cost={kind='operator'}", "an operator cost needs either operator = 'squared_error' or a list of terms"),
    ("cost={kind='operator', terms=[{pauli='Z9'}]}", "'Z9' acts on spin 9, out of range"),
    ("cost={kind='operator', terms=[{pauli='Z0', target=4}]}", "cost.terms: target 4 is out of range"),
    ("cost={kind='operator', terms=[{pauli='I'}]}", "cost: expected at least one Pauli term"),
    ("task={kind='none'}", "cost"),
]


@pytest.mark.parametrize(
    ("setting", "words"),
    [*KEYS, *TYPES, *CHOICES, *SHOTS_AND_NUDGES, *NOT_NUMBERS, *GRAPHS, *SPINS, *WEIGHTS, *COSTS],
    ids=lambda text: text[:40],
)
def test_setting(refused, here, setting, words):
    (here / "broken_syntax.py").write_text("def loss(:\n")
    (here / "broken_import.py").write_text("1 / 0\n")
    assert words in refused("train", "exact.toml", "--set", setting)


FULL = """
[task]
kind = "parity"
num_bits = 2
[network]
num_spins = 2
[cost]
kind = "loss"
loss = "cross_entropy"
gain = 2.0
[preparation]
kind = "adiabatic"
steps = 5
"""


@pytest.mark.parametrize("setting", ["preparation.kind=exact", "task.kind=xor"])
def test_a_kind_changed_alone_drops_the_keys_of_the_old_kind(qep, here, setting):
    (here / "full.toml").write_text(FULL)
    assert qep("gradient", "full.toml", "--sample", 0, "--set", setting).code == 0


@pytest.mark.parametrize(
    "settings",
    [
        ("contrast.kind=symmetric",),
        ("contrast.kind=linear_response", "preparation.kind=exact", "measurement.shots=exact"),
    ],
)
def test_a_contrast_changed_alone_drops_the_keys_that_it_does_not_use(qep, here, settings):
    (here / "full.toml").write_text(FULL + '[contrast]\nkind = "chebyshev"\norder = 6\nbeta = 0.2\n')
    words = [word for setting in settings for word in ("--set", setting)]
    assert qep("gradient", "full.toml", "--sample", 0, *words).code == 0


@pytest.mark.parametrize(
    "settings",
    [
        ("update.kind=momentum",),
        ("update.momentum=0.5", "update.kind=momentum"),
        ("update.epsilon=0.05", "update.kind=agnostic"),
        ("cost.loss=contrastive", "cost.margin=0.5"),
    ],
)
def test_an_optimiser_or_a_loss_changed_alone_drops_the_keys_that_it_does_not_use(settings):
    content = tomllib.loads(FULL + '[update]\nkind = "adam"\nbeta1 = 0.5\nepsilon = 0.1\nweight_decay = 0.2\n')
    for keys, value in parse_overrides(settings):
        assign(content, keys, value)
    config = check_config(content, "full.toml")
    config.update.build()
    assert content["update"].get("epsilon") == {"agnostic": 0.05, "adam": 0.1}.get(config.update.kind)
    assert ("weight_decay" in content["update"]) == (config.update.kind != "agnostic")
    assert ("gain" in content["cost"]) == (config.cost.loss == "cross_entropy")


def test_another_optimiser_needs_its_own_epsilon():
    """That of Adam is no compliance of springs."""
    content = tomllib.loads(FULL + '[update]\nkind = "adam"\nepsilon = 0.1\n')
    assign(content, *parse_override("update.kind=agnostic"))
    with pytest.raises(ConfigError, match="epsilon: 'agnostic' needs the compliance of its springs"):
        check_config(content, "full.toml").update.build()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("task.kind=none", "an aim without data needs an operator cost"),
        ("cost.kind=operator", "an operator cost needs either"),
    ],
)
def test_a_kind_changed_alone_says_what_is_missing(refused, here, setting, words):
    (here / "full.toml").write_text(FULL)
    assert words in refused("gradient", "full.toml", "--sample", 0, "--set", setting)


def test_a_file_with_keys_of_two_kinds_is_refused(refused, here):
    (here / "full.toml").write_text(FULL.replace('"adiabatic"', '"exact"'))
    message = refused("gradient", "full.toml", "--sample", 0)
    assert "preparation.steps: does not go with kind = 'exact'; leave it out" in message
