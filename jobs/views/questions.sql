-- One row is a question: an attribute that the type of a current product has, what people say of it, what became of it.
--   product_id, title, product_type, attribute  the question
--   stated, stated_by                           what people say (view stated); both null where nobody says anything
--   decision, reason                            what was decided of our answer (view standing); null: nothing yet
--   value, confidence, support                  our answer, whatever was decided; how sure (0..1); printed or inferred
--   gate_id, model_version                      the gate that decided and the model that answered
--   decided_on                                  the day that was processed when it was decided
SELECT
  p.product_id,
  p.title,
  p.product_type,
  d.attribute,
  s.stated,
  s.stated_by,
  n.decision,
  n.reason,
  n.value,
  n.confidence,
  n.support,
  n.gate_id,
  n.model_version,
  n.day AS decided_on
FROM products AS p
INNER JOIN attribute_definitions AS d ON d.product_type = p.product_type
LEFT JOIN stated AS s ON s.product_id = p.product_id AND s.attribute = d.attribute
LEFT JOIN standing AS n ON n.product_id = p.product_id AND n.attribute = d.attribute
WHERE p.is_current
