"""What ingest reads: files of sellers and of others, row by row into frames, bad rows with a reason."""
