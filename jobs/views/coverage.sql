-- One row is an attribute of a product type: how many products have a value, from whom, and what became of our answers.
--   product_type, attribute  the attribute
--   products                 current products of the type: the sum of the six below, but stated
--   stated                   products for which a seller or an auditor states a value
--   published, confirmed, review, abstained, quarantined  products by what was decided of our answer
--   undecided                products of which nothing was decided yet
--   share_stated             share of products with a stated value, 0..1
--   share_with_ours          the same with the published values, 0..1
SELECT
  product_type,
  attribute,
  count(*) AS products,
  count(stated) AS stated,
  count(*) FILTER (WHERE decision = 'published') AS published,
  count(*) FILTER (WHERE decision = 'confirmed') AS confirmed,
  count(*) FILTER (WHERE decision = 'review') AS review,
  count(*) FILTER (WHERE decision = 'abstained') AS abstained,
  count(*) FILTER (WHERE decision = 'quarantined') AS quarantined,
  count(*) FILTER (WHERE decision IS NULL) AS undecided,
  round(CAST(count(stated) AS DOUBLE) / count(*), 4) AS share_stated,
  round(
    CAST(count(*) FILTER (WHERE stated IS NOT NULL OR decision = 'published') AS DOUBLE) / count(*),
    4
  ) AS share_with_ours
FROM questions
GROUP BY product_type, attribute
