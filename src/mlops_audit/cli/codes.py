"""What the exit codes of the program mean."""

PASSED, FAILED, MISUSED, NOTHING, BROKEN, INTERRUPTED = 0, 1, 2, 3, 4, 130
