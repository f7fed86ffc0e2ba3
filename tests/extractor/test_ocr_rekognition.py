"""Rekognition against its wire protocol: a local server that answers as the service does, errors and all."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from extractor.errors import BackendError, ContractError
from extractor.images import Raster
from extractor.ocr.rekognition import Config, Reader, encoded, from_rekognition_json


def detection(kind: str, text: str, confidence: object, left: float, number: int) -> dict:
    """One row as the service sends it."""
    box = {"Width": 0.25, "Height": 0.125, "Left": left, "Top": 0.5}
    corners = [
        {"X": left, "Y": 0.5},
        {"X": left + 0.25, "Y": 0.5},
        {"X": left + 0.25, "Y": 0.625},
        {"X": left, "Y": 0.625},
    ]
    parent = {} if kind == "LINE" else {"ParentId": 0}
    geometry = {"BoundingBox": box, "Polygon": corners}
    return {"DetectedText": text, "Type": kind, "Id": number, "Confidence": confidence, "Geometry": geometry, **parent}


ANSWER = {
    "TextDetections": [
        detection("LINE", "Green Tea", 97.0, 0.25, 0),
        detection("WORD", "Green", 98.5, 0.25, 1),
        detection("WORD", "Tea", 60.0, 0.875, 2),
    ],
    "TextModelVersion": "3.0",
}
OK = (200, ANSWER)


def error(status: int, code: str) -> tuple[int, dict]:
    return status, {"__type": code, "message": f"{code} was sent"}


@dataclass
class Service:
    """What the server will answer, the last for ever, and what it was asked."""

    url: str = ""
    answers: list[tuple[int, dict]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    bodies: list[dict] = field(default_factory=list)

    def config(self, **settings: Any) -> Config:  # fields of every type
        return Config(**{"endpoint_url": self.url, "timeout": 5.0, "max_attempts": 2, **settings})


@pytest.fixture
def service(monkeypatch) -> Iterator[Service]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    asked = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.targets.append(self.headers["X-Amz-Target"])
            asked.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, document = asked.answers.pop(0) if len(asked.answers) > 1 else asked.answers[0]
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("x-amzn-RequestId", "0b7c5bf1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    asked.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield asked
    server.shutdown()
    server.server_close()


PICTURE = Raster(np.full((60, 80, 3), 200, np.uint8), "hash")


def test_words_are_taken_and_lines_that_say_them_again_are_not(service):
    service.answers = [OK]

    reading = Reader(service.config()).read(PICTURE)

    assert [(token.text, token.confidence) for token in reading.tokens] == [("Green", 0.985), ("Tea", 0.6)]
    assert reading.tokens[0].box == (0.25, 0.5, 0.5, 0.625)
    assert reading.tokens[1].box == (0.875, 0.5, 1.0, 0.625)  # it hangs over the edge


def test_the_call_is_detect_text_with_the_picture_as_jpeg(service):
    service.answers = [OK]

    Reader(service.config()).read(PICTURE)

    [body] = service.bodies
    sent = Image.open(BytesIO(base64.b64decode(body["Image"]["Bytes"])))
    assert service.targets == ["RekognitionService.DetectText"]
    assert (sent.format, sent.size) == ("JPEG", (80, 60))


def test_words_below_the_wanted_confidence_are_dropped(service):
    service.answers = [OK]

    reading = Reader(service.config(min_confidence=0.7)).read(PICTURE)

    assert [token.text for token in reading.tokens] == ["Green"]


@pytest.mark.parametrize(
    "trouble",
    [
        error(400, "ThrottlingException"),
        error(400, "ProvisionedThroughputExceededException"),
        error(500, "InternalServerError"),
        error(503, "ServiceUnavailable"),
    ],
)
def test_trouble_that_passes_is_tried_again(service, trouble):
    service.answers = [trouble, OK]

    reading = Reader(service.config()).read(PICTURE)

    assert len(reading.tokens) == 2
    assert len(service.bodies) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        error(400, "ThrottlingException"),
        error(400, "ProvisionedThroughputExceededException"),
        error(503, "Unavailable"),
    ],
)
def test_trouble_that_stays_ends_after_the_allowed_calls_and_may_pass_later(service, trouble):
    service.answers = [trouble]

    with pytest.raises(BackendError, match=trouble[1]["__type"]) as caught:
        Reader(service.config()).read(PICTURE)

    assert caught.value.retry
    assert len(service.bodies) == 2


@pytest.mark.parametrize("code", ["InvalidImageFormatException", "ImageTooLargeException", "InvalidParameterException"])
def test_a_picture_that_the_service_refuses_is_to_blame_itself(service, code):
    service.answers = [error(400, code)]

    with pytest.raises(ContractError, match=f"found {code}"):
        Reader(service.config()).read(PICTURE)

    assert len(service.bodies) == 1


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException"])
def test_a_refused_account_is_not_asked_again(service, code):
    service.answers = [error(400, code)]

    with pytest.raises(BackendError, match=code) as caught:
        Reader(service.config()).read(PICTURE)

    assert not caught.value.retry
    assert len(service.bodies) == 1


def test_a_service_that_cannot_be_reached_may_be_reached_later(service):
    with pytest.raises(BackendError) as caught:
        Reader(service.config(max_attempts=1, endpoint_url="http://127.0.0.1:9")).read(PICTURE)

    assert caught.value.retry


def test_a_large_picture_is_made_to_fit_the_services_limit():
    noise = np.random.default_rng(0).integers(0, 255, (700, 900, 3), np.uint8)

    small = encoded(Raster(noise, "hash"), max_bytes=60_000)

    assert len(small) <= 60_000
    width, height = Image.open(BytesIO(small)).size
    assert width / height == pytest.approx(900 / 700, rel=0.02)
    assert Image.open(BytesIO(encoded(Raster(noise, "hash")))).size == (900, 700)


def test_an_answer_collected_elsewhere_is_read_the_same():
    assert [token.text for token in from_rekognition_json(json.loads(json.dumps(ANSWER)))] == ["Green", "Tea"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"Labels": []}, "found ['Labels'], expected a list under TextDetections"),
        ({"TextDetections": [{"Type": "WORD", "DetectedText": "x", "Confidence": 9.0}]}, "KeyError 'Geometry'"),
        ({"TextDetections": [detection("WORD", "x", "sure", 0.1, 0)]}, "could not convert"),
    ],
)
def test_an_answer_of_another_shape_is_refused_with_what_is_missing(document, says):
    with pytest.raises(ContractError) as caught:
        from_rekognition_json(document)

    assert says in str(caught.value)
