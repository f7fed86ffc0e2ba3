-- One row is a hole of the catalogue and why it is one: nobody states a value, and none of ours is published.
--   product_id, title, product_type, attribute  the hole; attribute is null where the whole product is left out
--   cause       refused by ingest: the product is in `quarantine` and not in the catalogue
--               no definition: its type has no attributes
--               no prediction: no model has answered yet; not decided: publish has not decided since
--               quarantined: the model could not read the page
--               unknown: the model says that the page does not show it; truncated: its answer did not end
--               killed: a kill switch stops it; judged wrong: an auditor said so
--               inferred: printed nowhere, which this attribute does not allow
--               no gate: nobody calibrated the group; gate closed; other normaliser: calibrate again
--               below gate; waits: answers of that day are unlike those the gate was earned on; review: a person should look
--   reason      the same in the words of who decided
--   value       the value that is held back; null without one
--   confidence, threshold, support  how sure the model is and how sure it must be, 0..1; printed or inferred
--   model_version, decided_on       the model that answered, and the day that was processed
SELECT
  q.product_id,
  q.title,
  q.product_type,
  q.attribute,
  CASE
    WHEN q.decision IS NULL AND a.product_id IS NULL THEN 'no prediction'
    WHEN q.decision IS NULL OR q.decision = 'confirmed' THEN 'not decided'
    WHEN q.reason LIKE 'drift: %' THEN 'waits'
    WHEN q.decision IN ('review', 'quarantined') THEN q.decision
    WHEN q.reason LIKE 'killed: %' THEN 'killed'
    WHEN q.reason LIKE 'the model says that the page does not show it%' THEN 'unknown'
    WHEN q.reason LIKE 'the answer did not end%' THEN 'truncated'
    WHEN q.reason LIKE 'an auditor found it wrong%' THEN 'judged wrong'
    WHEN q.reason LIKE 'inferred, %' THEN 'inferred'
    WHEN q.reason LIKE 'the gate is closed: %' THEN 'gate closed'
    WHEN q.reason = 'nobody calibrated this group' THEN 'no gate'
    WHEN q.reason LIKE 'the gate was measured with another normaliser%' THEN 'other normaliser'
    WHEN q.reason = 'below the gate' THEN 'below gate'
    ELSE 'other'
  END AS cause,
  CASE
    WHEN q.decision = 'confirmed' THEN 'what people said was taken back since'
    WHEN q.decision IS NOT NULL THEN q.reason
    WHEN a.product_id IS NULL THEN 'no model has answered'
    ELSE 'nothing is decided of the answer'
  END AS reason,
  q.value,
  q.confidence,
  g.threshold,
  q.support,
  q.model_version,
  q.decided_on
FROM questions AS q
LEFT JOIN (SELECT DISTINCT product_id, attribute FROM predictions) AS a
  ON a.product_id = q.product_id AND a.attribute = q.attribute
LEFT JOIN gates AS g ON g.gate_id = q.gate_id
WHERE q.stated IS NULL AND (q.decision IS NULL OR q.decision <> 'published')
UNION ALL
SELECT
  p.product_id, p.title, p.product_type, NULL, 'no definition', 'its product type has no attributes',
  NULL, NULL, NULL, NULL, NULL, NULL
FROM products AS p
LEFT JOIN (SELECT DISTINCT product_type FROM attribute_definitions) AS d ON d.product_type = p.product_type
WHERE p.is_current AND d.product_type IS NULL
UNION ALL
SELECT r.key, NULL, NULL, NULL, 'refused by ingest', r.reason, NULL, NULL, NULL, NULL, NULL, r.day
FROM (
  SELECT
    key,
    reason,
    day,
    row_number() OVER (PARTITION BY key ORDER BY quarantined_at DESC, reason) AS age
  FROM quarantine
  -- Readings and features made elsewhere are refused by picture.
  WHERE job = 'ingest' AND reason NOT LIKE 'image_texts of %' AND reason NOT LIKE 'image_features of %'
) AS r
LEFT JOIN products AS p ON p.product_id = r.key AND p.is_current
WHERE r.age = 1 AND p.product_id IS NULL
