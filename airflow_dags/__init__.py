"""The clock: when jobs run, by which commands; it knows nothing of their code."""
