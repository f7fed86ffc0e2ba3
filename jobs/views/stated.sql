-- One row is what people say now of one attribute of one product; what a model wrote into the catalogue is left out.
--   product_id, attribute  what it is said of
--   stated                 the value, as it was written; null: they say that there is none
--   stated_by              seller or audit: the newest word counts, at one moment the auditor's
--   stated_at              when the catalogue showed it
SELECT
  product_id,
  attribute,
  value AS stated,
  origin AS stated_by,
  observed_at AS stated_at
FROM (
  SELECT
    product_id,
    attribute,
    value,
    origin,
    observed_at,
    row_number() OVER (
      PARTITION BY product_id, attribute
      ORDER BY observed_at DESC, CASE WHEN origin = 'audit' THEN 0 ELSE 1 END
    ) AS age,
    max(CASE WHEN origin = 'seller' AND value IS NOT NULL THEN 1 ELSE 0 END) OVER (
      PARTITION BY product_id, attribute
    ) AS was_sold
  FROM catalog_attributes
  WHERE origin IN ('seller', 'audit')
) AS said
-- A seller who takes his value back says nothing: the attribute is open again.
WHERE age = 1 AND (value IS NOT NULL OR origin = 'audit' OR was_sold = 0)
