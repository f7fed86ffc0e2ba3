-- One row is a gate that people audited: the verdicts on its last sample, and how often two auditors agree.
--   product_type, attribute, support, model_version  the gate
--   sample_id, attempt, normaliser_version, drawn_at  its last sample: which attempt it was, when it was drawn
--   target                                            the precision promised, 0..1
--   drawn, judged, lacking                            answers of the sample, and how many have a verdict, or none yet
--   judged_right, judged_wrong, cannot_tell           judged answers by verdict; right only where all auditors say so
--   judged_twice, agreed                              answers that several auditors judged, and how many of these alike
--   agreement                                         agreed / judged_twice, 0..1; null where nobody looked twice
-- Of one auditor's verdicts on a value the newest counts; not_applicable counts as wrong.
SELECT
  s.product_type,
  s.attribute,
  s.support,
  s.model_version,
  s.sample_id,
  s.attempt,
  s.normaliser_version,
  s.drawn_at,
  s.target,
  count(*) AS drawn,
  count(v.num_auditors) AS judged,
  count(*) - count(v.num_auditors) AS lacking,
  count(*) FILTER (WHERE v.says_wrong = 0 AND v.unsure = 0) AS judged_right,
  count(*) FILTER (WHERE v.says_wrong > 0) AS judged_wrong,
  count(*) FILTER (WHERE v.says_wrong = 0 AND v.unsure > 0) AS cannot_tell,
  count(*) FILTER (WHERE v.num_auditors > 1) AS judged_twice,
  count(*) FILTER (WHERE v.num_auditors > 1 AND v.agreed) AS agreed,
  CAST(count(*) FILTER (WHERE v.num_auditors > 1 AND v.agreed) AS DOUBLE)
    / nullif(count(*) FILTER (WHERE v.num_auditors > 1), 0) AS agreement
FROM (
  SELECT
    audit_samples.*,
    row_number() OVER (
      PARTITION BY product_type, attribute, support, model_version
      ORDER BY drawn_at DESC, attempt DESC, sample_id
    ) AS age
  FROM audit_samples
) AS s
INNER JOIN audit_items AS i
  ON i.sample_id = s.sample_id
  AND i.product_type = s.product_type
  AND i.attribute = s.attribute
  AND i.support = s.support
  AND i.model_version = s.model_version
LEFT JOIN (
  SELECT
    product_id,
    attribute,
    value_key,
    count(*) AS num_auditors,
    count(*) FILTER (WHERE says = 'wrong') AS says_wrong,
    count(*) FILTER (WHERE says = 'cannot_tell') AS unsure,
    min(says) = max(says) AS agreed
  FROM (
    SELECT
      product_id,
      attribute,
      value_key,
      CASE WHEN verdict = 'not_applicable' THEN 'wrong' ELSE verdict END AS says,
      row_number() OVER (
        PARTITION BY product_id, attribute, value_key, auditor
        ORDER BY audited_at DESC, verdict
      ) AS age
    FROM audits
  ) AS words
  WHERE age = 1
  GROUP BY product_id, attribute, value_key
) AS v
  ON v.product_id = i.product_id AND v.attribute = i.attribute AND v.value_key = i.value_key
WHERE s.age = 1
GROUP BY ALL
