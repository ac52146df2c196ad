"""Shot budget of a gradient: comparison of methods at equal shots, and statistics of repeated estimates."""
