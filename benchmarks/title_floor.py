"""The floor that a picture must lift: TF-IDF and logistic regression on title and product type, one model an attribute.

    python -m benchmarks.title_floor --data FOLDER --out FILE.parquet

FILE has the columns of benchmarks/real_data.py's Parquet: its `--against` takes it.
"""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks import data_folder, real_data
from extractor import metrics
from schemas.enums import State


def main() -> None:
    """Fit on all other splits, answer the evaluated one, write, print the accuracy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled products (docs/data-format.md)")
    parser.add_argument("--out", type=Path, required=True, help="Parquet of the answers")
    parser.add_argument("--evaluate", help="split that is scored")
    asked = parser.parse_args()
    folder = data_folder.read(asked.data, evaluated=asked.evaluate, family_separator=None)
    rows = folder.rows[folder.rows["values"].map(len) > 0]
    rows = rows.assign(text=rows["product_type"] + " " + rows["title"].fillna(""), gold=rows["values"].str[0])
    parts = []
    for _, group in rows.groupby("attribute"):
        held_out = group["split"] == folder.evaluated
        if held_out.any():
            parts.append(answers(group[~held_out], group[held_out]))
    cells = real_data.judged(pd.concat(parts, ignore_index=True), match="keys")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    cells[["product_id", "attribute", "value", "confidence", "state"]].to_parquet(asked.out, index=False)
    print(f"{len(cells)} cells, accuracy {real_data.percent(metrics.Counts.of(cells['outcome']).accuracy)}")


def answers(taught: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """One attribute's likeliest values."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10.0, max_iter=300)
    )
    model.fit(taught["text"], taught["gold"])
    chances = model.predict_proba(scored["text"])
    return scored.assign(
        value=model.classes_[chances.argmax(axis=1)], confidence=chances.max(axis=1), state=str(State.VALUE)
    )


if __name__ == "__main__":
    main()
