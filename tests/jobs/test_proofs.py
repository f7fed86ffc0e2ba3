"""What becomes of a gate when people have spoken, or have not yet."""

from datetime import date

import pandas as pd

from extractor import certificates
from extractor.certificates import Promise
from jobs.auditing import proofs
from jobs.auditing.proofs import Proof, Seen, Watched
from jobs.config import Certify

SETTINGS = Certify(delta=0.05, promise=Promise.PER_GATE, starts=1, cannot_tell_is_wrong=True, collusion=0.1)
GATE = {
    "product_type": "tea", "attribute": "brand", "support": "printed", "target": 0.9, "state": "provisional",
    "reason": "agreement", "threshold": 0.8, "recall": 0.5, "num_stated": 400,
    "calibrator": '{"intercept": 0.0, "kind": "logistic", "slope": 1.0}',
}  # fmt: skip


def agreement(num_right, n):
    return pd.DataFrame({"score": [0.9] * n, "right": [True] * num_right + [False] * (n - num_right)})


def proof(num_right, n, *, lacking=0, attempt=1):
    right = [True] * num_right + [False] * (n - num_right)
    found = None if lacking else certificates.certify([0.9] * n, right, [0.85], target=0.9, level=0.05)
    counts = {"floor": 0.85, "num_right": num_right, "num_judged": n}
    return Proof("s", attempt, 1000, date(2026, 1, 15), lacking, unsure=0, certificate=found, **counts)


def after(given, agree=(290, 300), checks=()):
    return proofs.certified(GATE, given, Seen(agreement(*agree), Watched(tuple(checks))), SETTINGS)


def test_a_gate_without_a_sample_stays_as_it_was():
    assert after(None) == GATE


def test_enough_right_answers_certify():
    gate = after(proof(60, 60))

    assert (gate["state"], gate["least_score"]) == ("certified", 0.85)
    assert gate["bound"] >= 0.9
    assert gate["population"] == "the 1000 answers of 2026-01-15 to pairs of which no seller said anything"


def test_sellers_who_agree_far_more_than_people_close_the_gate():
    gate = after(proof(48, 60))

    assert (gate["state"], gate["threshold"]) == ("closed", None)
    assert gate["reason"].startswith("collusion: sellers agree with 290 of 300 answers, people find 48 of 60 right")


def test_where_sellers_and_people_say_the_same_the_audits_alone_decide():
    assert after(proof(48, 60), agree=(240, 300))["reason"] == "the audits do not prove 0.9: 12 errors in 60"
    assert after(proof(58, 60, lacking=3))["reason"] == "agreement; its audit sample lacks 3 verdicts"


def test_a_gate_that_failed_once_stays_closed_while_its_next_sample_lacks_verdicts():
    assert after(proof(58, 60, lacking=3))["state"] == "provisional"
    assert after(proof(58, 60, lacking=3, attempt=2))["state"] == "closed"


def test_a_certificate_that_holds_needs_no_agreement():
    assert after(proof(60, 60), agree=(300, 300))["state"] == "certified"
    assert after(proof(60, 60), agree=(10, 300))["state"] == "certified"


def test_checks_of_what_went_out_take_a_certificate_away_and_good_ones_leave_the_gate_as_it_is():
    lost = after(proof(60, 60), checks=[False] * 10 + [True] * 20)

    assert (lost["state"], lost["reason"]) == (
        "closed",
        "the certificate is lost: 10 errors in 30 checks of what it let out",
    )
    assert after(proof(60, 60), checks=[False] + [True] * 29) == after(proof(60, 60))
