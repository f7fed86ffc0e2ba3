-- What became of the questions of each attribute: the last decision about each (product, attribute), counted.
-- Spark SQL; names are those of the warehouse's folders, registered as tables or temporary views.
SELECT
  product_type,
  attribute,
  count(*) AS asked,
  count_if(decision = 'published') AS published,
  count_if(decision = 'confirmed') AS confirmed,
  count_if(decision = 'review') AS review,
  count_if(decision IN ('abstained', 'withdrawn')) AS abstained,
  count_if(decision = 'quarantined') AS quarantined,
  round(count_if(decision = 'published') / count(*), 3) AS share_published
FROM (
  SELECT product_id, attribute, max_by(struct(product_type, decision), decided_at) AS newest
  FROM decisions
  GROUP BY product_id, attribute
) LATERAL VIEW inline(array(newest)) AS product_type, decision
GROUP BY product_type, attribute
