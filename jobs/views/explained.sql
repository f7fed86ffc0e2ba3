-- Every published value with where it was read, how sure it is, and the promise of the gate that let it through.
-- Spark SQL; names are those of the warehouse's folders, registered as tables or temporary views.
SELECT
  a.product_id,
  p.title,
  a.product_type,
  a.attribute,
  a.value,
  a.value_as_read,
  array_join(
    transform(
      a.evidence,
      e -> concat(
        e.word,
        CASE e.source
          WHEN 'ocr' THEN concat(' (pack, picture ', substr(e.image_hash, 1, 8), ')')
          WHEN 'bullet' THEN concat(' (bullet ', e.field_index + 1, ')')
          ELSE concat(' (', e.source, ')')
        END
      )
    ),
    ', '
  ) AS read_from,
  a.confidence,
  a.support,
  a.gate_state,
  g.target AS precision_promised,
  g.n AS judged,
  g.errors AS judged_wrong,
  a.published_at
FROM attributes AS a
JOIN gates AS g ON g.gate_id = a.gate_id
LEFT JOIN products AS p ON p.product_id = a.product_id AND p.is_current
