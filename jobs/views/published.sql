-- One row is a value that is published now, with where it was read and the promise of the gate that let it through.
--   product_id, title, product_type, attribute  whose value it is
--   value, value_as_read                        normalised, and as it stands on the page
--   evidence                                    where each word was read, in order (docs/tables.md)
--   confidence, support                         probability of being right, 0..1; printed or inferred
--   gate_state, precision_target                certified or provisional, and the precision promised, 0..1
--   judged, judged_wrong                        answers that the gate rests on, and how many of these were wrong
--   bound                                       the least precision that audits prove; null without a complete sample
--   model_version, published_at, day            who read it; when this value was first published, on which day's run
SELECT
  a.product_id,
  p.title,
  a.product_type,
  a.attribute,
  a.value,
  a.value_as_read,
  a.evidence,
  a.confidence,
  a.support,
  a.gate_state,
  g.target AS precision_target,
  g.n AS judged,
  g.errors AS judged_wrong,
  g.bound,
  a.model_version,
  a.published_at,
  a.day
FROM attributes AS a
LEFT JOIN gates AS g ON g.gate_id = a.gate_id
LEFT JOIN products AS p ON p.product_id = a.product_id AND p.is_current
