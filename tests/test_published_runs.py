"""The published runs of quantum equilibrium propagation beside ours: stored by one command each."""

import pytest

from benchmarks.peers.published import RUNS, main
from benchmarks.peers.stored import FOLDER, read_results


def test_a_comparison_is_printed_and_stored_with_its_source(tmp_path, capsys):
    main(["phase_sensor", "--out", str(tmp_path)])
    stored = read_results(tmp_path / "published_phase_sensor.csv")
    assert "Wanjura & Marquardt 2024" in stored.made["published"]
    assert [list(row) for row in stored.rows] == [["quantity", "published", "this package"]] * len(stored.rows)
    assert "0.925 ± 0.022" in capsys.readouterr().out  # without a checkout nothing of the published code is run


def test_a_checkout_that_is_none_is_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["phase_sensor", "--checkout", str(tmp_path), "--out", str(tmp_path)])
    assert "error: --checkout: expected a checkout of" in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_every_comparison_is_stored():
    assert [name for name in RUNS if not (FOLDER / f"published_{name}.csv").exists()] == []


def test_iterations_of_the_exploration_are_the_published_ones_to_the_solvers_precision():
    rows = read_results(FOLDER / "published_exploration.csv").rows
    assert all(abs(float(row["published"]) - float(row["this package"])) < 1e-5 for row in rows)
