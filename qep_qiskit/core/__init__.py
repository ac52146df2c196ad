"""Define what all other packages use: operators, commuting groups, programs, seeds, files and errors."""
