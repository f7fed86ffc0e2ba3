-- One row is what is decided now about one attribute of one product: what the last publish left.
--   product_id, attribute, product_type  what was decided about
--   decision                             published, confirmed, review, abstained or quarantined
--   reason                               why, in words
--   value                                the normalised value that it concerns; null without one
--   confidence, support                  how sure the model is (0..1); printed or inferred
--   seller_value                         what people said when it was decided
--   gate_id, model_version               the gate that decided and the model that answered
--   day, decided_at                      when it was decided
-- Published and review are what `attributes` and `review_queue` hold. The others are the newest last word on an answer
-- of a model that may publish: where a page changed and was changed back, that may be the word on the page in between.
SELECT
  product_id,
  attribute,
  product_type,
  decision,
  reason,
  value,
  confidence,
  support,
  seller_value,
  gate_id,
  model_version,
  day,
  decided_at
FROM (
  SELECT
    w.*,
    row_number() OVER (
      PARTITION BY w.product_id, w.attribute
      ORDER BY
        CASE WHEN w.decision IN ('published', 'review') THEN 0 ELSE 1 END,
        w.decided_at DESC,
        w.model_version,
        w.input_hash,
        w.decode_config
    ) AS place
  FROM (
    SELECT
      d.*,
      row_number() OVER (
        PARTITION BY product_id, attribute, input_hash, model_version, decode_config
        ORDER BY decided_at DESC
      ) AS age
    FROM decisions AS d
  ) AS w
  LEFT JOIN (
    SELECT product_id, attribute, input_hash, model_version, decode_config, 'published' AS decision FROM attributes
    UNION ALL
    SELECT product_id, attribute, input_hash, model_version, decode_config, 'review' AS decision FROM review_queue
  ) AS c
    ON c.product_id = w.product_id
    AND c.attribute = w.attribute
    AND c.input_hash = w.input_hash
    AND c.model_version = w.model_version
    AND c.decode_config = w.decode_config
    AND c.decision = w.decision
  LEFT JOIN last_publish AS l ON true
  WHERE
    w.age = 1
    AND (
      c.product_id IS NOT NULL
      OR (
        w.decision IN ('confirmed', 'abstained', 'quarantined')
        AND (l.models IS NULL OR position(', ' || w.model_version || ',' IN ', ' || l.models || ',') > 0)
      )
    )
) AS ranked
WHERE place = 1
