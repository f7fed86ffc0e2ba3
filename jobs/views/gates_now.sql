-- One row is the newest gate of a (product type, attribute, support) for a model version, with its bound.
--   product_type, attribute, support, model_version  what the gate decides about
--   in_use                                           the model may publish: the last publish decided about its answers
--   state, reason                                    certified, provisional or closed, and why
--   target                                           the precision promised, 0..1
--   bound, delta                                     the least precision that audits prove, and the chance it is less
--   judged, judged_wrong, precision_seen             judged at or above the threshold, how many wrong, share right
--   recall                                           share of stated pairs that pass with the right value, 0..1
--   threshold, least_score                           least confidence, and least raw score, that pass
--   published                                        values that it lets out now
--   audit_sample, gate_id, valid_from                the sample behind a certificate; the gate, and since when
SELECT
  g.product_type,
  g.attribute,
  g.support,
  g.model_version,
  coalesce(position(', ' || g.model_version || ',' IN ', ' || l.models || ',') > 0, false) AS in_use,
  g.state,
  g.reason,
  g.target,
  g.bound,
  g.delta,
  g.n AS judged,
  g.errors AS judged_wrong,
  1 - CAST(g.errors AS DOUBLE) / nullif(g.n, 0) AS precision_seen,
  g.recall,
  g.threshold,
  g.least_score,
  coalesce(a.num_values, 0) AS published,
  g.audit_sample,
  g.gate_id,
  g.valid_from
FROM (
  SELECT
    gates.*,
    row_number() OVER (
      PARTITION BY product_type, attribute, support, model_version
      ORDER BY valid_from DESC, gate_id
    ) AS age
  FROM gates
) AS g
LEFT JOIN (SELECT gate_id, count(*) AS num_values FROM attributes GROUP BY gate_id) AS a ON a.gate_id = g.gate_id
LEFT JOIN last_publish AS l ON true
WHERE g.age = 1
