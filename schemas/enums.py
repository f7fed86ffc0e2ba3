"""The words that stand in enumerated columns, once for writers, readers and CHECK constraints."""

from enum import StrEnum


class Kind(StrEnum):
    """How the values of an attribute are normalised."""

    TEXT = "text"
    QUANTITY = "quantity"
    YES_NO = "yes_no"


class Pictures(StrEnum):
    """Which pictures of a product an attribute may be read from."""

    MAIN = "main"
    ALL = "all"


class Status(StrEnum):
    """What became of a picture, or of what was to be read from it."""

    OK = "ok"
    UNREAD = "unread"
    """Listed by ingest, not yet read."""
    FAILED = "failed"
    """Could not be read; the row's reason says why."""


class Split(StrEnum):
    """What a product family is used for; a family never stands in two splits."""

    TRAIN = "train"
    VALIDATION = "validation"
    CALIBRATION = "calibration"
    TEST = "test"


class Reach(StrEnum):
    """Where the words of a value can be found."""

    TITLE = "title"
    BULLETS = "bullets"
    OCR = "ocr"
    VOCABULARY = "vocabulary"
    NOWHERE = "nowhere"


class State(StrEnum):
    """What kind of answer a prediction is."""

    VALUE = "value"
    UNKNOWN = "unknown"
    """The model says that the page does not show it."""
    TRUNCATED = "truncated"
    """The longest allowed answer did not end; its value is a beginning."""
    ERROR = "error"
    """The model could not read this input; the reason says why."""


class Support(StrEnum):
    """Whether a value is printed on the page or was inferred."""

    PRINTED = "printed"
    INFERRED = "inferred"


class Source(StrEnum):
    """Where one word of an answer was read."""

    TITLE = "title"
    BULLET = "bullet"
    OCR = "ocr"
    VOCABULARY = "vocabulary"
    WRITTEN = "written"
    """Nowhere: the model wrote the whole value itself."""
    REGION = "region"
    """No word: a part of the picture that an inferred value rests on."""


class GateState(StrEnum):
    """How far a gate's promise is proven."""

    CERTIFIED = "certified"
    PROVISIONAL = "provisional"
    CLOSED = "closed"


class Decision(StrEnum):
    """What was decided about a prediction."""

    PUBLISHED = "published"
    CONFIRMED = "confirmed"
    """The seller (or an auditor) already says so."""
    REVIEW = "review"
    ABSTAINED = "abstained"
    WITHDRAWN = "withdrawn"
    QUARANTINED = "quarantined"


class Verdict(StrEnum):
    """What an auditor says of a prediction."""

    RIGHT = "right"
    WRONG = "wrong"
    CANNOT_TELL = "cannot_tell"
    NOT_APPLICABLE = "not_applicable"


class RunStatus(StrEnum):
    """How a run of a job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
