"""The contracts: one file a table, pyarrow only, imported by Spark jobs, torch loaders and tests alike."""
