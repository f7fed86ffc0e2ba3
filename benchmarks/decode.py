"""Decoding with kept keys and values against the way of M4C's code, which runs the whole transformer for every word.

    python benchmarks/decode.py --attributes 1 20 --products 16 1 --repeats 1 --out benchmarks/results/decode.json

Naive reads a product anew for every attribute, and at every step all rows again: product and what was said so far.
`reread` keeps keys and values but reads the product for every attribute; `cached` is PAM: one reading, then one row an
attribute and step. Weights are random, sizes the paper's. CPU seconds of this process are counted, of the repeat that
took least: other work on the machine weighs on wall seconds. All must say the same, step by step.
"""

import argparse
import json
import os
import platform
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from extractor.encoders import bert
from extractor.models import pam
from extractor.models.base import Knowledge
from extractor.nn.allowed import forbidden
from extractor.nn.inputs import Batch
from extractor.nn.pointer import merge
from extractor.nn.transformer import written_visible
from extractor.reading import Config as Reads
from extractor.records import Box, Definition, Example, Features, Picture, Question, Token
from extractor.vocabulary import build

TEXT, REGIONS, OCR = 109, 10, 100
"""With [CLS] 220 encoder positions."""
FEATURE_DIM = 64
ENTRIES = 40
"""Vocabulary words an attribute."""
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
TOLERANCE = 1e-6
"""Of probabilities, which random weights keep near one in some hundred."""


class Sizes(NamedTuple):
    """Of the transformer, and of the answers."""

    width: int
    layers: int
    heads: int
    steps: int


class Said(NamedTuple):
    """What one way of decoding said, and at which cost."""

    said_BQT: Tensor
    probability_BQT: Tensor
    seconds: float


def main() -> None:
    """Measure, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attributes", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument(
        "--products", type=int, nargs="+", default=[16, 1], help="of a batch, one for each of the above"
    )
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "decode.json")
    asked = parser.parse_args()
    sizes = Sizes(asked.width, asked.layers, asked.heads, asked.steps)
    if len(asked.products) != len(asked.attributes):
        parser.error("--products needs as many numbers as --attributes")
    pairs = zip(asked.attributes, asked.products, strict=True)
    rows = [measure(sizes, attributes, products, asked.repeats) for attributes, products in pairs]
    found = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "sizes": sizes._asdict(),
        "positions": 1 + TEXT + REGIONS + OCR,
        "repeats": asked.repeats,
        "rows": rows,
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def measure(sizes: Sizes, num_attributes: int, num_products: int, repeats: int) -> dict[str, float]:
    """The least CPU seconds of each way, and how many times the cached way is cheaper."""
    network, batch = prepared(sizes, num_attributes, num_products)
    decoded(network, batch)  # the first call pays for what all share
    cached = least(lambda: decoded(network, batch), repeats)
    reread = least(lambda: decoded_one_by_one(network, batch), repeats)
    naive = least(lambda: recomputed(network, batch, cached.said_BQT.shape[2]), repeats)
    for name, other in (("reread", reread), ("naive", naive)):
        steps = min(cached.said_BQT.shape[2], other.said_BQT.shape[2])
        if not torch.equal(cached.said_BQT[..., :steps], other.said_BQT[..., :steps]):
            raise SystemExit(f"{name} says other words than cached decoding")
        if (cached.probability_BQT[..., :steps] - other.probability_BQT[..., :steps]).abs().max() > TOLERANCE:
            raise SystemExit(f"{name} is sure to another degree than cached decoding")
    row = {
        "attributes": num_attributes,
        "products": num_products,
        "steps_said": cached.said_BQT.shape[2],
        "naive_cpu_s": round(naive.seconds, 3),
        "reread_cpu_s": round(reread.seconds, 3),
        "cached_cpu_s": round(cached.seconds, 3),
        "naive_over_cached": round(naive.seconds / cached.seconds, 1),
        "reread_over_cached": round(reread.seconds / cached.seconds, 1),
        "largest_probability_difference": (naive.probability_BQT - cached.probability_BQT).abs().max().item(),
    }
    print(
        f"{num_attributes} attributes, {num_products} products: {row['naive_over_cached']} x cheaper than naive",
        flush=True,
    )
    return row


def least(way: Callable[[], tuple[Tensor, Tensor]], repeats: int) -> Said:
    """One way's answers, and the least CPU seconds of some repeats."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        said_BQT, probability_BQT = way()
        seconds.append(time.process_time() - start)
    return Said(said_BQT, probability_BQT, min(seconds))


@torch.inference_mode()
def decoded(network: pam.Network, batch: Batch) -> tuple[Tensor, Tensor]:
    """PAM's own way."""
    found = network.decode(batch)
    return found.said_BQT, found.probability_BQT


def decoded_one_by_one(network: pam.Network, batch: Batch) -> tuple[Tensor, Tensor]:
    """The same, but every attribute reads the product again."""
    found = [decoded(network, only(batch, q)) for q in range(batch.group_BQ.shape[1])]
    steps = min(said_BQT.shape[2] for said_BQT, _ in found)
    said, probability = zip(*found, strict=True)
    return torch.cat([part[..., :steps] for part in said], 1), torch.cat([part[..., :steps] for part in probability], 1)


@torch.inference_mode()
def recomputed(network: pam.Network, batch: Batch, num_steps: int) -> tuple[Tensor, Tensor]:
    """Every attribute by itself, every step from the first row on, as M4C's code does."""
    found = [recomputed_one(network, only(batch, q), num_steps) for q in range(batch.group_BQ.shape[1])]
    said, probability = zip(*found, strict=True)
    return torch.cat(said, 1), torch.cat(probability, 1)


def recomputed_one(network: pam.Network, batch: Batch, num_steps: int) -> tuple[Tensor, Tensor]:
    """One attribute of every product."""
    input_BSD, absent_BS = network.embed(batch)
    num_S, num_M = input_BSD.shape[1], batch.text_absent_BM.shape[1]
    memory = network.remember(batch, input_BSD, input_BSD, absent_BS, ())
    written, said, probability = [network.begin(memory)[:, :, 0]], [], []
    copy_BQ1 = torch.zeros_like(batch.group_BQ)[..., None]
    for step in range(num_steps):
        if step > 0:
            written.append(network.said(memory, copy_BQ1, num_M, first_step=step)[:, :, 0])
        row_BRD = torch.cat([input_BSD, *written], dim=1)
        output_BRD, _ = network.transformer(row_BRD, None, visible(absent_BS, step))
        memory = network.remember(batch, input_BSD, output_BRD[:, :num_S], absent_BS, ())
        score_BQC = network.selector(output_BRD[:, -1:, None], memory.keys)[:, :, 0]
        score_BQC = score_BQC.masked_fill(forbidden(batch, step, step + 1)[:, :, 0], float("-inf"))
        chance_BQ, said_BQ = merge(score_BQC, batch.outcome_BQC, network.config.merge).max(-1)
        same_BQC = batch.outcome_BQC == said_BQ[..., None]
        copy_BQ1 = score_BQC.masked_fill(~same_BQC, float("-inf")).argmax(-1, keepdim=True)
        said.append(said_BQ)
        probability.append(chance_BQ)
    return torch.stack(said, -1), torch.stack(probability, -1)


def visible(absent_BS: Tensor, step: int) -> Tensor:
    """[B, 1, S + T, S + T]: read rows see read rows, the written ones see them and their past."""
    written_B1RS = written_visible(1, 0, step, absent_BS)
    read_BSS = (~absent_BS)[:, None].expand(-1, absent_BS.shape[1], -1)
    unseen_BST = torch.zeros(len(absent_BS), absent_BS.shape[1], step + 1, dtype=torch.bool)
    return torch.cat([torch.cat([read_BSS, unseen_BST], dim=-1)[:, None], written_B1RS], dim=2)


def only(batch: Batch, question: int) -> Batch:
    """The batch with one of its questions."""
    named = batch._asdict()
    return Batch(**{name: part[:, question : question + 1] if "_BQ" in name else part for name, part in named.items()})


def prepared(sizes: Sizes, num_attributes: int, num_products: int) -> tuple[pam.Network, Batch]:
    """A PAM with random weights, and a batch of full pages."""
    draw = random.Random(0)
    names = [f"attribute{number}" for number in range(num_attributes)]
    definitions = tuple(Definition(product_type="tea", attribute=name, question=f"which {name}?") for name in names)
    values = [("tea", name, word(draw)) for name in names for _ in range(ENTRIES)]
    examples = [product(draw, number, names) for number in range(num_products)]
    spells = bert.Config(name="random", layers=1, max_pieces=512)
    config = pam.Config(
        text=spells, words=spells, width=sizes.width, layers=sizes.layers, heads=sizes.heads, norm="post",
        reads=Reads(max_text=TEXT, max_regions=REGIONS, max_ocr=OCR, longest_answer=sizes.steps - 1),
    )  # fmt: skip
    knowledge = Knowledge(definitions, build(definitions, values, min_count=1), "random", FEATURE_DIM, "random")
    model = pam.Model.create(config, knowledge, examples, seed=0)
    model.module.train(False)
    encoded = [read.encoded for read in model.reader.read(examples, learning=False)]
    if {product.num_slots for product in encoded} != {1 + TEXT + REGIONS + OCR}:
        raise SystemExit(f"positions: {[product.num_slots for product in encoded]}")
    return model.network, model.collate(encoded)


def product(draw: random.Random, number: int, attributes: Sequence[str]) -> Example:
    """A page as full as the model reads."""
    rng = np.random.default_rng(number)
    features = Features(
        boxes=rng.random((REGIONS, 4), np.float32),
        regions=rng.standard_normal((REGIONS, FEATURE_DIM)).astype(np.float16),
        token_vectors=rng.standard_normal((OCR, FEATURE_DIM)).astype(np.float16),
    )
    tokens = tuple(Token(word(draw), 0.9, Box(*sorted(rng.random(4).tolist()))) for _ in range(OCR))
    return Example(
        product_id=f"p{number}",
        product_type="tea",
        title=" ".join(word(draw) for _ in range(TEXT)),
        pictures=(Picture(position=0, image_hash=f"h{number}", tokens=tokens, features=features),),
        asked=tuple(Question(attribute=name) for name in attributes),
    )


def word(draw: random.Random) -> str:
    """Four letters, a word-piece each: a whole page fits the text encoder's 512 places."""
    return "".join(draw.choices(ALPHABET, k=4))


if __name__ == "__main__":
    main()
