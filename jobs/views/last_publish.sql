-- One row: the last publish that succeeded; none before the first.
--   run_id, day, finished_at  its run, as in `runs`
--   models                    the model versions that may publish, e.g. facetmill/3, mxt/1
SELECT
  run_id,
  day,
  model_version AS models,
  finished_at
FROM runs
WHERE job = 'publish' AND status = 'succeeded'
ORDER BY finished_at DESC, run_id
LIMIT 1
