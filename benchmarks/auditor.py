"""Judge the work sheets of the drawn catalogue as people would, from the truth that is kept apart, with some mistakes.

python -m benchmarks.auditor --sheets demo/gates/audits --truth demo/gates/truth --out demo/gates/verdicts.csv
"""

import argparse
import csv
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from extractor import metrics
from extractor.normalise import Normaliser
from extractor.synthetic.universe import definitions
from schemas.enums import Verdict

FIELDS = ("item_id", "verdict", "right_value", "auditor", "audited_at")
EVERYBODY = {"first": "ann", "second": "ben"}


def main() -> None:
    """Judge the newest sample's sheets that nobody filled in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheets", type=Path, required=True, help="audit.out, or the folder of one sample")
    parser.add_argument("--truth", type=Path, required=True, help="folder of truth.parquet")
    parser.add_argument("--out", type=Path, required=True, help="file of verdicts, for python -m jobs.audit record")
    parser.add_argument(
        "--errors", type=float, default=0.03, help="share of verdicts that are the opposite of the truth"
    )
    parser.add_argument("--second", action="store_true", help="the second auditor, too")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    [*folders] = sorted(asked.sheets.glob("**/first.csv"), key=lambda file: file.stat().st_mtime)
    if not folders:
        raise SystemExit(f"no work sheet below {asked.sheets}: run python -m jobs.audit sample first")
    table = pq.read_table(asked.truth / "truth.parquet", columns=["product_id", "attribute", "values"]).to_pylist()
    truth = {(row["product_id"], row["attribute"]): row["values"] for row in table}
    known = {(one.product_type, one.attribute): Normaliser(one) for one in definitions()}
    rows = []
    for name in EVERYBODY if asked.second else ["first"]:
        rng = random.Random(f"{asked.seed}/{name}")
        with folders[-1].with_name(f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows += [
                judged(row, truth, known, rng, asked.errors) | {"auditor": EVERYBODY[name]}
                for row in csv.DictReader(file)
            ]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    with asked.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    wrong = sum(row["verdict"] != Verdict.RIGHT for row in rows)
    print(f"{asked.out}: {len(rows)} verdicts on {folders[-1].parent.name}, {wrong} of them not right")


def judged(
    row: Mapping[str, str],
    truth: Mapping[tuple[str, str], Sequence[str]],
    known: Mapping[tuple[str, str], Normaliser],
    rng: random.Random,
    errors: float,
) -> dict[str, str]:
    """One line with its verdict."""
    gold = truth[row["product_id"], row["attribute"]]
    value = row["value"].removeprefix("'")
    same = known[row["product_type"], row["attribute"]].same
    is_right = any(metrics.same_keys(value, one) or same(value, one) for one in gold)
    slips = rng.random() < errors
    if is_right != slips:
        return {"item_id": row["item_id"], "verdict": Verdict.RIGHT}
    if not gold:
        return {"item_id": row["item_id"], "verdict": Verdict.NOT_APPLICABLE}
    return {"item_id": row["item_id"], "verdict": Verdict.WRONG, "right_value": "" if is_right else gold[0]}


if __name__ == "__main__":
    main()
