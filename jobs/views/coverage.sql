-- What became of the questions of each attribute: the last decision about each (product, attribute), counted.
-- Spark SQL; names are those of the warehouse's folders, registered as tables or temporary views.
SELECT
  newest.product_type,
  attribute,
  count(*) AS asked,
  count_if(newest.decision = 'published') AS published,
  count_if(newest.decision = 'confirmed') AS confirmed,
  count_if(newest.decision = 'review') AS review,
  count_if(newest.decision = 'abstained') AS abstained,
  count_if(newest.decision = 'quarantined') AS quarantined,
  count_if(newest.decision = 'withdrawn') AS withdrawn,
  round(count_if(newest.decision = 'published') / count(*), 3) AS share_published
FROM (
  SELECT product_id, attribute, max_by(struct(product_type, decision), decided_at) AS newest
  FROM decisions
  GROUP BY product_id, attribute
) AS decided
GROUP BY newest.product_type, attribute
