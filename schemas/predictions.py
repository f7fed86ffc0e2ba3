"""Raw answers of models: append-only, never gated, never normalised."""

import pyarrow as pa

from schemas.enums import State, Support
from schemas.table import EVIDENCE, TIMESTAMP, Table, column, one_of

PREDICTIONS = Table(
    name="predictions",
    row="one answer of one model version for one input",
    key=("product_id", "attribute", "input_hash", "model_version", "decode_config"),
    schema=pa.schema(
        [
            column("product_id", pa.string(), "the product", required=True),
            column("attribute", pa.string(), "the attribute that was asked", required=True),
            column("input_hash", pa.string(), "SHA-256 of all that this model reads for this pair", required=True),
            column("model_version", pa.string(), "registered version that answered", required=True),
            column("decode_config", pa.string(), "hash of the decoding settings", required=True),
            column("product_type", pa.string(), "the product's type", required=True),
            column("model_name", pa.string(), "registered name of the model", required=True),
            column("state", pa.string(), "value, unknown, truncated or error", required=True),
            column("value", pa.string(), "the value as read; null unless state is value or truncated"),
            column("score", pa.float64(), "raw confidence of the answer, 0..1, uncalibrated; null on error"),
            column("sigmoid_score", pa.float64(), "the same by sigmoids (bce teaches them), 0..1; null if none"),
            column("unknown_probability", pa.float64(), "probability of `unknown`, 0..1"),
            column("min_token_probability", pa.float64(), "the least sure word of the answer, 0..1"),
            column("num_words", pa.int32(), "words of the value"),
            column("runner_up", pa.string(), "the second candidate for the first word"),
            column("margin", pa.float64(), "first word: probability of the best less the second, 0..1"),
            column("support", pa.string(), "printed or inferred; null without a value"),
            column("evidence", pa.list_(EVIDENCE), "where each word was read, in order", required=True),
            column("vocab_id", pa.string(), "the vocabulary snapshot that was open to the model"),
            column("vocab_fallback", pa.bool_(), "the vocabulary is another group's: this one was never seen"),
            column("reason", pa.string(), "what went wrong, on error"),
            column("run_id", pa.string(), "the run that computed it", required=True),
            column("chunk_id", pa.int32(), "the chunk of that run", required=True),
            column("day", pa.date32(), "the day that was processed", required=True),
            column("predicted_at", TIMESTAMP, "when it was computed", required=True),
        ]
    ),
    checks={
        "known_state": one_of("state", State),
        "known_support": f"support IS NULL OR {one_of('support', Support)}",
        "score_is_a_share": "score IS NULL OR (score >= 0 AND score <= 1)",
        "value_fits_state": "(state IN ('value', 'truncated')) = (value IS NOT NULL)",
    },
)
