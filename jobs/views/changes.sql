-- One row is a published value that came, changed or went: what changed since a day is WHERE day >= DATE '2026-01-15'.
--   day, decided_at                      the day that was processed, and when it was decided
--   product_id, product_type, attribute  whose value
--   change                               came, changed or went
--   old_value, new_value                 before and after; null where there was or is none
--   reason                               why, in words
--   model_version, run_id                the model whose answer came or went, and the run of publish
SELECT
  day,
  decided_at,
  product_id,
  product_type,
  attribute,
  CASE WHEN old_value IS NULL THEN 'came' WHEN new_value IS NULL THEN 'went' ELSE 'changed' END AS change,
  old_value,
  new_value,
  reason,
  model_version,
  run_id
FROM (
  SELECT
    s.*,
    lag(new_value) OVER (PARTITION BY product_id, attribute ORDER BY decided_at) AS old_value
  FROM (
    SELECT
      e.*,
      CASE WHEN decision = 'published' THEN value END AS new_value,
      -- Publish withdraws a moment before it decides anew: its last event of a pair is what it left.
      row_number() OVER (PARTITION BY product_id, attribute, run_id ORDER BY decided_at DESC) AS age
    FROM (
      SELECT
        d.*,
        lag(decision) OVER (
          PARTITION BY product_id, attribute, input_hash, model_version, decode_config
          ORDER BY decided_at
        ) AS before
      FROM decisions AS d
    ) AS e
    WHERE decision = 'published' OR (decision = 'withdrawn' AND before = 'published')
  ) AS s
  WHERE age = 1
) AS steps
WHERE old_value IS DISTINCT FROM new_value
