"""Amazon Rekognition through boto3, its only door; also reads answers that were collected elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image

from extractor.errors import BackendError, ContractError
from extractor.images import Raster
from extractor.ocr.base import Reading, in_shares
from extractor.records import Token

SERVICE = "Amazon Rekognition"
MAX_BYTES = 5_000_000
"""Bytes of a picture in one call; the limit is 5 MB."""

PICTURE_IS_TO_BLAME = ("InvalidImageFormatException", "ImageTooLargeException", "InvalidParameterException")
MAY_PASS = (
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "InternalServerError",
    "ServiceUnavailable",
    "RequestTimeout",
)
"""Errors that are still there after boto3's own retries, yet may be gone tomorrow."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where to ask and how patiently; credentials come from where AWS's own tools look."""

    region: str = "us-east-1"
    """AWS region."""
    endpoint_url: str = ""
    """Another address of the service, e.g. a VPC endpoint; empty means AWS's own."""
    max_attempts: int = 6
    """Calls for one picture; between them boto3 waits longer and longer, 20 s at most."""
    timeout: float = 30.0
    """Seconds to wait for a connection or an answer."""
    min_confidence: float = 0.0
    """Words that the service is less sure of are dropped, 0..1."""

    @property
    def schema(self) -> str:
        """The service says its model version only in its answers; the API's own version stands for it."""
        return f"rekognition-2016-06-27/detect-text/words/score{self.min_confidence:g}"


class Reader:
    """One call a picture."""

    def __init__(self, config: Config) -> None:
        import boto3  # noqa: PLC0415  # for those who read with Rekognition, and nobody else
        import botocore.config  # noqa: PLC0415  # as above
        import botocore.exceptions  # noqa: PLC0415  # as above

        self.schema = config.schema
        self._min_confidence = config.min_confidence
        self._errors = botocore.exceptions
        options = botocore.config.Config(
            retries={"mode": "standard", "total_max_attempts": config.max_attempts},
            connect_timeout=config.timeout,
            read_timeout=config.timeout,
        )
        self._client = boto3.client(
            "rekognition", region_name=config.region, endpoint_url=config.endpoint_url or None, config=options
        )

    def read(self, picture: Raster) -> Reading:
        """The words of one picture (at most 100, the service's own limit), in the service's order."""
        try:
            answer = self._client.detect_text(Image={"Bytes": encoded(picture)})
        except self._errors.ClientError as error:
            raise _sorted_out(error.response) from error
        except (self._errors.HTTPClientError, self._errors.ConnectionError) as error:
            raise BackendError(SERVICE, str(error), retry=True) from error
        except self._errors.BotoCoreError as error:  # no credentials, no such region
            raise BackendError(SERVICE, str(error)) from error
        tokens = from_rekognition_json(answer)
        return Reading(tuple(token for token in tokens if token.confidence >= self._min_confidence))


def from_rekognition_json(document: Mapping[str, Any]) -> tuple[Token, ...]:  # parsed JSON
    """The WORD rows of a DetectText answer; LINE rows say the same words again."""
    found = document.get("TextDetections")
    if not isinstance(found, list):
        raise ContractError("Rekognition answer", sorted(document), "a list under TextDetections")
    return tuple(_token(row) for row in found if row.get("Type") == "WORD")


def _token(row: Mapping[str, Any]) -> Token:  # parsed JSON
    try:
        box = row["Geometry"]["BoundingBox"]
        left, top = float(box["Left"]), float(box["Top"])
        right, bottom = left + float(box["Width"]), top + float(box["Height"])
        confidence = float(row["Confidence"]) / 100
        return Token(str(row["DetectedText"]), confidence, in_shares(left, top, right, bottom, width=1, height=1))
    except (KeyError, TypeError, ValueError) as error:
        found = f"{type(error).__name__} {error} in {dict(row)}"
        raise ContractError("Rekognition WORD", found, "DetectedText, Confidence, Geometry.BoundingBox") from error


def encoded(picture: Raster, *, max_bytes: int = MAX_BYTES) -> bytes:
    """JPEG within the service's limit: large pictures lose pixels, boxes stay what they are, shares."""
    image = Image.fromarray(picture.rgb)
    while True:
        jpeg = BytesIO()
        image.save(jpeg, "JPEG", quality=90)
        if jpeg.tell() <= max_bytes:
            return jpeg.getvalue()
        share = 0.9 * (max_bytes / jpeg.tell()) ** 0.5
        image = image.resize((max(1, int(image.width * share)), max(1, int(image.height * share))))


def _sorted_out(answer: Mapping[str, Any]) -> ContractError | BackendError:  # botocore's parsed error
    """Whose fault an error answer is: the picture's, the moment's, or the operator's."""
    code, message = answer["Error"].get("Code", "no code"), answer["Error"].get("Message", "no message")
    if code in PICTURE_IS_TO_BLAME:
        return ContractError("picture", f"{code} ({message})", f"one that {SERVICE} reads")
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return BackendError(SERVICE, f"{code}: {message}", retry=code in MAY_PASS or status == 429 or status >= 500)
