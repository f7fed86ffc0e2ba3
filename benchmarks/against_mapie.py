"""Hold our certificates against MAPIE's learn-then-test on the same audits: p-values, and which threshold is kept.

    uv pip install --target peers --no-deps mapie==1.6.0
    PYTHONPATH=peers .venv/bin/python -m benchmarks.against_mapie --out benchmarks/results/against_mapie.json

MAPIE is no dependency of ours, so it lies beside. Audits are drawn for groups whose precision is around the target.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from mapie.risk_control.fwer_control import control_fwer  # type: ignore[import-not-found]  # not installed with us
from mapie.risk_control.methods import (  # type: ignore[import-not-found]  # as above
    compute_hoeffding_bentkus_p_value,
)

from extractor import certificates


def main() -> None:
    """Draw, test twice, count differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/against_mapie.json"))
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    gaps, kept, opened = [], 0, 0
    for _ in range(asked.groups):
        target, level, n = rng.choice([0.9, 0.95]), rng.choice([0.025, 0.05]), int(rng.integers(60, 600))
        scores = rng.random(n)
        right = rng.random(n) < np.clip(target + rng.uniform(-0.03, 0.05) + 0.05 * (scores - 0.5), 0, 1)
        thresholds = certificates.candidates(scores, audits=n, target=target, level=level)
        ours = certificates.certify(scores, right, thresholds, target=target, level=level)
        passed = scores[None, :] >= np.array(thresholds)[:, None]
        num = passed.sum(axis=1)
        # A little less than the share of errors: MAPIE rounds errors up, and 3 / 7 * 7 may be more than 3.
        risk = (passed & ~right).sum(axis=1) / num * (1 - 1e-12)
        theirs = compute_hoeffding_bentkus_p_value(risk, num, 1 - target, binary=True)[:, 0]
        exact = [certificates.p_value(int((passed[k] & right).sum()), int(num[k]), target) for k in range(len(num))]
        gaps.append(float(np.max(np.abs(theirs - np.array(exact)), initial=0.0)))
        valid = control_fwer(theirs, level, "fixed_sequence") if len(theirs) else []
        kept += (thresholds[max(valid)] if len(valid) else None) == ours.threshold
        opened += ours.threshold is not None
    found = {
        "groups": asked.groups,
        "opened": opened,
        "largest_difference_of_p_values": max(gaps),
        "groups_with_the_same_threshold": kept,
    }
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
