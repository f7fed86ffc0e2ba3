"""Progress: a job that works in silence says so, one that speaks is left alone, and estimates are plain."""

import json
import time
from datetime import datetime

from jobs import progress


def test_a_silent_job_says_what_it_does(capsys):
    progress.say("night", "begins")

    with progress.alive("night", lambda: ", 3 of 8 tasks of collect", quiet=0.15):
        time.sleep(0.5)

    told = capsys.readouterr().err
    assert "[night] at work for" in told
    assert "3 of 8 tasks of collect" in told


def test_a_job_that_speaks_is_not_spoken_for(capsys):
    with progress.alive("night", lambda: "", quiet=1.0):
        for _ in range(10):
            progress.say("night", "here")
            time.sleep(0.05)

    assert "at work" not in capsys.readouterr().err


def test_it_ends_with_the_body(capsys):
    with progress.alive("night", lambda: "", quiet=0.05):
        pass
    capsys.readouterr()
    time.sleep(0.2)

    assert capsys.readouterr().err == ""


def test_an_estimate_needs_something_done():
    assert progress.line("pictures", 30, 90, 10.0) == "30 of 90 pictures, 3.0 a second, 20 s left"
    assert progress.line("pictures", 0, 90, 10.0).endswith("no estimate yet")


def test_lines_as_json_say_which_run_and_what_of_it(capsys):
    progress.as_json(run_id="enrich-1")
    try:
        progress.say("enrich", "chunk 3 has landed", chunk=2)
    finally:
        progress.as_json()
    progress.say("enrich", "done", chunk=2)

    as_json, as_text = capsys.readouterr().err.splitlines()
    told = json.loads(as_json)
    assert datetime.fromisoformat(told.pop("at")).tzinfo is not None
    assert told == {"job": "enrich", "run_id": "enrich-1", "chunk": 2, "text": "chunk 3 has landed"}
    assert as_text == "[enrich] done"
