"""What executors call: rows of schemas.model_inputs in, answers as columns of schemas.predictions out.

A row that breaks a batch is found by halving the batch until the row stands alone; its questions are answered
with state `error` and the reason, and its neighbours are answered as if it had not been there.
"""

import functools
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
import torch

from extractor import batches, checkpoint
from extractor.errors import BackendError, ModelError
from extractor.models.base import Model
from extractor.records import DEFINITIONS, Example, Prediction, example_from_row
from schemas.enums import State

COLUMNS = tuple(field.name for field in fields(Prediction))
"""The columns of schemas.predictions that a model fills; the job adds who asked, when and of which version."""

DTYPES = {
    "score": "float64",
    "sigmoid_score": "float64",
    "unknown_probability": "float64",
    "min_token_probability": "float64",
    "margin": "float64",
    "num_words": "Int32",
    "vocab_fallback": "boolean",
}
"""Columns that pandas would otherwise keep as objects."""

ROUNDING = 1e-3
"""How far over 0..1 a share may be: bfloat16 rounds to three digits."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Config:
    """How rows are put together for the device."""

    max_batch_products: int
    """Products a batch at most."""
    max_batch_tokens: int
    """Words and OCR tokens a padded batch at most, about; a longer product is a batch of its own."""
    prefetch: int
    """Frames that a thread reads ahead while the model computes; 0 reads them in between."""
    threads: int
    """Torch threads of a worker; 0 leaves torch's own choice. Spark runs one worker a core: 1."""
    bf16: bool
    """Compute in bfloat16 on a GPU; a CPU computes in float32."""


class Read(NamedTuple):
    """Rows as records; a row that could not be read is the list of its error answers."""

    rows: list[Example | list[Prediction]]


class Predictor:
    """A loaded model, fed with batches that fit it."""

    def __init__(self, model: Model, config: Config, *, device: torch.device | str = "cpu") -> None:
        self.model, self.config, self.device = model, config, torch.device(device)
        self.seconds = 0.0
        """That the model has computed, until now."""
        if config.threads:
            torch.set_num_threads(config.threads)

    def stream(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Answer frame after frame; while the model computes one, a thread reads the next."""
        for read in ahead(map(self.read, frames), depth=self.config.prefetch):
            yield self.answer(read)

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """One row a question, in the order of `rows` and their questions, with the columns COLUMNS."""
        return self.answer(self.read(rows))

    def read(self, rows: pd.DataFrame) -> Read:
        """Turn rows of schemas.model_inputs into records."""
        plain = rows.astype(object).where(rows.notna(), None)  # pandas says NaN where an integer column has a null
        return Read([self._read(row) for row in plain.to_dict("records")])

    def answer(self, read: Read) -> pd.DataFrame:
        """Ask the model, in batches of like length."""
        began = time.perf_counter()
        answers = [row if isinstance(row, list) else [] for row in read.rows]
        asked = [(place, row) for place, row in enumerate(read.rows) if isinstance(row, Example) and row.asked]
        for batch in batches.by_length(
            [batches.length(example) for _, example in asked],
            max_products=self.config.max_batch_products,
            max_tokens=self.config.max_batch_tokens,
        ):
            found = self._ask([asked[index][1] for index in batch])
            for index, predictions in zip(batch, found, strict=True):
                answers[asked[index][0]] = predictions
        self.seconds += time.perf_counter() - began
        return frame(prediction for predictions in answers for prediction in predictions)

    def _read(self, row: Mapping[Any, Any]) -> Example | list[Prediction]:
        example = attempt(lambda: example_from_row(row))
        return example if isinstance(example, Example) else _errors_of_row(row, example)

    def _ask(self, examples: Sequence[Example]) -> list[list[Prediction]]:
        """The answers of each product; halves a batch that fails until the cause stands alone."""
        found = attempt(lambda: self._ask_whole(examples))
        if isinstance(found, list):
            return found
        if len(examples) == 1:
            return [_errors(examples[0], found)]
        if isinstance(found, torch.OutOfMemoryError):
            torch.cuda.empty_cache()  # what the failed batch had taken would make the halves fail too
        middle = len(examples) // 2
        return self._ask(examples[:middle]) + self._ask(examples[middle:])

    def _ask_whole(self, examples: Sequence[Example]) -> list[list[Prediction]]:
        lower = self.config.bf16 and self.device.type == "cuda"
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=lower):
            predictions = iter([_checked(prediction) for prediction in self.model.predict(examples)])
        found = [
            [_answering(example, place, predictions) for place in range(len(example.asked))] for example in examples
        ]
        if next(predictions, None) is not None:
            raise ModelError("predictions", "more than asked", "one a question")
        return found


@functools.lru_cache(maxsize=2)
def cached(folder: str, device: str, config: Config, definitions: str) -> Predictor:
    """The predictor of a checkpoint's folder, loaded once a process: call it from a module, not from `__main__`.

    `definitions` is JSON as DEFINITIONS writes it: what is asked may have changed since the training.
    """
    loaded = checkpoint.load(Path(folder), device=device)
    loaded.model.define(DEFINITIONS.validate_json(definitions))
    return Predictor(loaded.model, config, device=device)


def attempt(work: Callable[[], T]) -> T | Exception:
    """Do work on rows of strangers; what goes wrong comes back, unless the device or a service is what failed."""
    try:
        return work()
    except torch.OutOfMemoryError as error:
        return error
    except (torch.AcceleratorError, BackendError):
        raise  # after these every row would fail: the task must die and be tried anew, not write errors
    except Exception as error:  # noqa: BLE001  # the one place: whatever a row breaks, it must not take others along
        return error


def ahead(items: Iterable[T], *, depth: int = 2) -> Iterator[T]:
    """The same items, read by a thread that is at most `depth` ahead; it ends with the consumer, however that ends."""
    if depth == 0:
        yield from items
        return
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(depth)  # (True, item), at last (False, error or None)
    stopped = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, ready, stopped), name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            more, item = ready.get()
            if more:
                yield item
            elif item is None:
                return
            else:
                raise item
    finally:
        stopped.set()
        thread.join()


def _fill(items: Iterable[Any], ready: queue.Queue[tuple[bool, Any]], stopped: threading.Event) -> None:
    last: BaseException | None = None
    try:
        for item in items:
            if not _put(ready, (True, item), stopped):
                return
    except BaseException as error:  # noqa: BLE001  # not handled here: the consumer raises it
        last = error
    _put(ready, (False, last), stopped)


def _put(ready: queue.Queue[tuple[bool, Any]], entry: tuple[bool, Any], stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            ready.put(entry, timeout=0.1)  # wakes up to see whether the consumer has gone
        except queue.Full:
            continue
        return True
    return False


def frame(predictions: Iterable[Prediction]) -> pd.DataFrame:
    """Predictions as columns that Arrow turns into schemas.predictions as they stand."""
    rows = [[_plain(prediction, name) for name in COLUMNS] for prediction in predictions]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).astype(DTYPES)


def _plain(prediction: Prediction, name: str) -> object:
    value = getattr(prediction, name)
    if name != "evidence":
        return None if value is None else str(value) if name in ("state", "support") else value
    return [
        {**asdict(word), "source": str(word.source), "box": None if word.box is None else word.box._asdict()}
        for word in value
    ]


def _checked(prediction: Prediction) -> Prediction:
    """The prediction with shares cut to 0..1; what breaks schemas.predictions is a ModelError."""
    thing = f"answer to {prediction.attribute!r}"
    if (prediction.value is not None) != (prediction.state in (State.VALUE, State.TRUNCATED)):
        raise ModelError(thing, f"state {prediction.state} with value {prediction.value!r}", "a value in its states")
    score = _share(prediction.score, f"{thing}, score")
    if score is None and prediction.state != State.ERROR:
        raise ModelError(f"{thing}, score", None, "a number from 0 to 1")
    return replace(
        prediction,
        score=score,
        sigmoid_score=_share(prediction.sigmoid_score, f"{thing}, sigmoid_score"),
        unknown_probability=_share(prediction.unknown_probability, f"{thing}, unknown_probability"),
        min_token_probability=_share(prediction.min_token_probability, f"{thing}, min_token_probability"),
        margin=_share(prediction.margin, f"{thing}, margin"),
    )


def _share(value: float | None, thing: str) -> float | None:
    """A number of 0..1, cut where rounding went a little over."""
    if value is None:
        return None
    if not -ROUNDING <= value <= 1 + ROUNDING:  # NaN fails too
        raise ModelError(thing, value, "a number from 0 to 1")
    return min(max(float(value), 0.0), 1.0)


def _answering(example: Example, place: int, predictions: Iterator[Prediction]) -> Prediction:
    """The next prediction, which must answer this question."""
    question = example.asked[place]
    prediction = next(predictions, None)
    expected = (example.product_id, question.attribute, question.input_hash)
    if prediction is None or (prediction.product_id, prediction.attribute, prediction.input_hash) != expected:
        raise ModelError("predictions", prediction, f"one a question, in order: {expected}")
    return prediction


def _errors(example: Example, error: Exception) -> list[Prediction]:
    return [_error(example.product_id, example.product_type, q.attribute, q.input_hash, error) for q in example.asked]


def _errors_of_row(row: Mapping[Any, Any], error: Exception) -> list[Prediction]:
    # Keys are the job's own and always whole; it is what stands on the page that could not be read.
    return [
        _error(row["product_id"], row["product_type"], asked["attribute"], asked["input_hash"], error)
        for asked in row["asked"]
    ]


def _error(product_id: str, product_type: str, attribute: str, input_hash: str, error: Exception) -> Prediction:
    return Prediction(
        product_id=product_id,
        product_type=product_type,
        attribute=attribute,
        input_hash=input_hash,
        state=State.ERROR,
        reason=f"{type(error).__name__}: {error}"[:1000],
    )
