"""MXT's way of answering against what one would write first: Hugging Face `generate` over batches in row order.

    python -m benchmarks.generate --out benchmarks/results/generate.json

Both are what a pandas UDF runs: frames of rows in, answers out, with one thread and the same published-form T5 (random
weights taught for some steps on the sample catalogue, so that answers end), without picture. MXT's side also gives
confidence, margin, runner-up and evidence; `generate` gives the text alone. CPU seconds of this process are counted, of
the repeat that took least. Wherever both read the same pieces they must say the same.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

from extractor import text, training
from extractor.models import mxt
from extractor.models.base import Knowledge
from extractor.nn.sequences import Source
from extractor.nn.t5_files import TIED
from extractor.predictor import Config as Batches
from extractor.predictor import Predictor, Read
from extractor.prompts import Config as Reads
from extractor.records import Definition, Example, Picture, Question
from extractor.synthetic import catalogue, noise
from extractor.synthetic.files import line_of, truth_of
from schemas.enums import State

LONGEST = 32
"""Pieces of an answer."""
BATCH = 32
"""Rows that `generate` is given at once."""
FRAME = 256
"""Rows of a frame: spark.sql.execution.arrow.maxRecordsPerBatch."""
WIDEST = 256
"""Pieces of a prompt: the width of what is padded to a fixed size."""
PIECES = 2000
LOOP = training.Config(
    steps=300, batch_products=8, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, warmup_share=0.06, final_lr_share=0.02,
    lr_drops=(), clip=1.0, seed=0, balance=1.0, balance_over="types", pictured=0.0, evaluate_every=10_000,
    patience=0, keep="last",
    checkpoint_every=10_000, max_seconds=0, device="cpu", bf16=False, threads=1, num_workers=0, keep_encoded=True,
)  # fmt: skip


class Said(NamedTuple):
    """One way's answers, row by row, and the CPU seconds that they took."""

    answers: list[str]
    seconds: float


def main() -> None:
    """Teach, answer in every way, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=300, help="that are asked, all attributes of each")
    parser.add_argument("--taught", type=int, default=300, help="that teach")
    parser.add_argument("--steps", type=int, default=LOOP.steps)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "generate.json")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), asked)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def measure(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Every way on the same rows."""
    examples = products(asked.taught + asked.products)
    taught, rows = examples[: asked.taught], examples[asked.taught :]
    write_t5(folder / "t5", taught)
    model, writer = teach(folder, taught, asked.steps)
    tokenizer = T5Tokenizer.from_pretrained(str(folder / "t5"))
    prompts = [prompt(example, question.attribute) for example in rows for question in example.asked]
    ours = least(lambda: answered(model, rows), asked.repeats)
    ways = {
        "generate, row order, padded to the longest": least(
            lambda: generated(writer, tokenizer, prompts, padding="longest"), asked.repeats
        ),
        "generate, row order, padded to 256": least(
            lambda: generated(writer, tokenizer, prompts, padding="max_length"), asked.repeats
        ),
    }
    same_pieces = [
        source.units.pieces.tolist() == tokenizer(asked_text).input_ids
        for asked_text, source in zip(prompts, sources(model, rows), strict=True)
    ]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "rows": len(prompts),
        "rows_of_the_same_pieces": sum(same_pieces),
        "repeats": asked.repeats,
        "mxt_cpu_s": round(ours.seconds, 2),
        "ways": {
            name: {
                "cpu_s": round(way.seconds, 2),
                "over_mxt": round(way.seconds / ours.seconds, 1),
                "other_answers": others(ours, way, same_pieces),
            }
            for name, way in ways.items()
        },
    }


def others(ours: Said, way: Said, same_pieces: Sequence[bool]) -> int:
    """Rows of the same pieces with other answers; any ends the benchmark."""
    pairs = zip(ours.answers, way.answers, same_pieces, strict=True)
    unlike = [(mine, theirs) for mine, theirs, same in pairs if same and text.keys(mine) != text.keys(theirs)]
    if unlike:
        raise SystemExit(f"{len(unlike)} other answers, the first: {unlike[0]}")
    return len(unlike)


def products(count: int) -> list[Example]:
    """The sample catalogue with noisy OCR in place of pictures, and its true answers."""
    examples = []
    for product in catalogue.draw(count, seed=7):
        line: dict[str, Any] = line_of(product)
        truth: list[dict[str, Any]] = list(truth_of(product))
        examples.append(
            Example(
                product_id=line["product_id"],
                product_type=line["product_type"],
                locale="en-US",
                title=line["title"] or "",
                bullets=tuple(line["bullets"] or ()),
                pictures=tuple(
                    Picture(position=number, image_hash=pack.picture_id, tokens=noise.tokens(pack))
                    for number, pack in enumerate(product.packs)
                ),
                asked=tuple(
                    Question(attribute=cell["attribute"], answer=next(iter(cell["values"]), None)) for cell in truth
                ),
            )
        )
    return examples


def write_t5(folder: Path, taught: Sequence[Example]) -> None:
    """A T5 as others publish it: random weights, and a tokenizer of the catalogue's own pieces."""
    texts = [prompt(example, question.attribute) for example in taught for question in example.asked[:1]]
    answers = [question.answer or "unknown" for example in taught for question in example.asked]
    tokenizer = T5Tokenizer(extra_ids=0).train_new_from_iterator(  # type: ignore[no-untyped-call]  # it publishes no types
        [*texts, *answers], PIECES
    )
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(0)
    sizes = T5Config(  # type: ignore[call-arg]  # known to its base class alone
        vocab_size=len(tokenizer), d_model=192, d_kv=32, d_ff=576, num_layers=2, num_decoder_layers=2, num_heads=6,
        decoder_start_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    T5ForConditionalGeneration(sizes).save_pretrained(str(folder))


def teach(folder: Path, taught: Sequence[Example], steps: int) -> tuple[mxt.Model, Any]:  # its `generate` is mistyped
    """The literal form of MXT, taught for a while, and the same weights behind `generate`."""
    reads = Reads(use_image=False, longest_answer=LONGEST)
    config = mxt.Config(
        reads=reads, writer=mxt.Published(name=str(folder / "t5")), copy_gate=False, smear=False, whiten=0, closed=False
    )
    asked = sorted({(example.product_type, question.attribute) for example in taught for question in example.asked})
    definitions = tuple(Definition(product_type=kind, attribute=name, question=name) for kind, name in asked)
    model = mxt.Model.create(config, Knowledge(definitions, {}, "", 0, ""), taught, seed=0)
    loop = replace(LOOP, steps=steps)
    training.fit(model, taught, [], loop, folder=folder / "state", report=lambda _: None)
    weights = model.network.writer.state_dict()
    writer: Any = T5ForConditionalGeneration.from_pretrained(str(folder / "t5"))
    writer.load_state_dict({**writer.state_dict(), **weights, **dict.fromkeys(TIED, weights["shared.weight"])})
    return model, writer.eval()


def prompt(example: Example, attribute: str) -> str:
    """What S2 asks, as one writes it in an f-string."""
    parts = [f"question: {attribute.replace('_', ' ')} context: {example.product_type} {example.locale}"]
    parts += [example.title or "", *example.bullets]
    words = [token.text for picture in example.pictures for token in picture.tokens]
    return " ".join(part for part in [*parts, *(["pack:", *words] if words else [])] if part)


def sources(model: mxt.Model, examples: Sequence[Example]) -> Iterator[Source]:
    """What MXT's encoder reads, a row a question."""
    for example in examples:
        yield from model.reader.read(example, learning=False).sources


def answered(model: mxt.Model, examples: Sequence[Example]) -> list[str]:
    """MXT behind the pipeline's predictor."""
    predictor = Predictor(
        model, Batches(max_batch_products=BATCH, max_batch_tokens=8000, prefetch=0, threads=1, bf16=False)
    )
    found: list[str] = []
    for start in range(0, len(examples), FRAME):
        frame = predictor.answer(Read(list(examples[start : start + FRAME])))
        for value, state in zip(frame["value"], frame["state"], strict=True):
            found.append(str(value) if state == State.VALUE else str(state))
    return found


@torch.inference_mode()
def generated(writer: Any, tokenizer: T5Tokenizer, prompts: Sequence[str], *, padding: str) -> list[str]:
    """What one would write first in a pandas UDF."""
    found: list[str] = []
    for start in range(0, len(prompts), BATCH):
        batch = tokenizer(
            list(prompts[start : start + BATCH]),
            padding=padding,
            truncation=True,
            max_length=WIDEST,
            return_tensors="pt",
        )
        ids = writer.generate(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, max_new_tokens=LONGEST + 1,
            do_sample=False, num_beams=1,
        )  # fmt: skip
        for row, answer in zip(ids, tokenizer.batch_decode(ids, skip_special_tokens=True), strict=True):
            ended = bool((row == tokenizer.eos_token_id).any())
            found.append((answer if text.keys(answer) else str(State.UNKNOWN)) if ended else str(State.TRUNCATED))
    return found


def least(way: Callable[[], list[str]], repeats: int) -> Said:
    """One way's answers, and the least CPU seconds of some repeats."""
    seconds, answers = [], []
    for _ in range(repeats):
        start = time.process_time()
        answers = way()
        seconds.append(time.process_time() - start)
    return Said(answers, min(seconds))


if __name__ == "__main__":
    main()
