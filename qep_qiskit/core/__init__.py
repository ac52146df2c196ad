"""What all other packages use: operators, commuting groups, programs, states, seeds, files and errors."""
