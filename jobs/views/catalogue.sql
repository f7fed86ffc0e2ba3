-- One row is an attribute of a current product: the catalogue as it would look with our values beside the sellers'.
--   product_id, title, product_type, attribute  the attribute
--   stated, stated_by                           what a seller or an auditor says (seller or audit)
--   ours, decision                              our value, where it is published, confirmed or waits for review
--   value                                       what would be shown: theirs, else ours where it is published
--   value_from                                  seller, audit or ours; null without a value
--   confidence, support                         of our value: probability of being right, 0..1; printed or inferred
SELECT
  product_id,
  title,
  product_type,
  attribute,
  stated,
  stated_by,
  CASE WHEN decision IN ('published', 'confirmed', 'review') THEN value END AS ours,
  CASE WHEN decision IN ('published', 'confirmed', 'review') THEN decision END AS decision,
  CASE WHEN stated IS NOT NULL THEN stated WHEN decision = 'published' THEN value END AS value,
  CASE WHEN stated IS NOT NULL THEN stated_by WHEN decision = 'published' THEN 'ours' END AS value_from,
  CASE WHEN decision IN ('published', 'confirmed', 'review') THEN confidence END AS confidence,
  CASE WHEN decision IN ('published', 'confirmed', 'review') THEN support END AS support
FROM questions
