"""A PAM of a few thousand weights and a catalogue that it can learn in seconds."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from extractor.encoders import bert
from extractor.models import pam
from extractor.models.base import Knowledge, Trainable
from extractor.reading import Config as Reads
from extractor.records import Box, Definition, Example, Features, Picture, Question, Token
from extractor.vocabulary import build

SPELLS = bert.Config(name="random", layers=1)
DIM = 8
COLORS = ("red", "green", "blue")
FORMS = {"soap": ("gel", "pump bottle"), "green tea": ("loose leaf", "powder")}


def config(**changes: Any) -> pam.Config:  # any field of pam.Config or of its `reads`
    """The tiny sizes, with some fields changed."""
    reads = {name: changes.pop(name) for name in list(changes) if name in Reads.__dataclass_fields__}
    tiny = pam.Config(
        text=SPELLS, words=SPELLS, width=32, layers=2, heads=4, dropout=0.0, edit_dropout=0.0, reads=Reads(**reads)
    )
    return replace(tiny, **changes)


def definitions() -> tuple[Definition, ...]:
    """Two product types with three attributes each: copied, closed, and only seen."""
    return tuple(
        Definition(product_type=product_type, attribute=attribute, question=question, options=options)
        for product_type in FORMS
        for attribute, question, options in (
            ("brand", "which brand is it?", None),
            ("form", "what form does it have?", dict.fromkeys(FORMS[product_type], ())),
            ("color", "what colour is it?", None),
        )
    )


def product(number: int, seed: int = 0) -> Example:
    """A product whose brand is printed or in the title, whose form is in the title, and whose colour is only seen."""
    draw = random.Random(1000 * seed + number)
    brand = " ".join("".join(draw.choices("abcdefgh", k=3)) for _ in range(draw.choice((1, 2))))
    product_type = draw.choice(tuple(FORMS))
    form, color = draw.choice(FORMS[product_type]), draw.randrange(3)
    filler = "".join(draw.choices("uvwxyz", k=4))
    in_title = draw.random() < 0.5
    title = f"by {brand} {filler} {form}" if in_title else f"{filler} {form}"
    words = [filler] if in_title else [*brand.upper().split(), filler]
    tokens = tuple(
        Token(word, 0.9, Box(0.1 * place, 0.1, 0.1 * place + 0.1, 0.4 if word.isupper() else 0.2))
        for place, word in enumerate(words)
    )
    regions = np.zeros((2, DIM), np.float16)
    regions[:, color] = 1.0
    boxes = np.array([[0, 0, 1, 1], [0, 0, 0.5, 0.5]], np.float32)
    features = Features(boxes, regions, np.ones((len(tokens), DIM), np.float16))
    return Example(
        product_id=f"p{number}",
        product_type=product_type,
        title=title,
        pictures=(Picture(position=0, image_hash=f"h{number}", tokens=tokens, features=features),),
        asked=(
            Question(attribute="brand", answer=None if draw.random() < 0.1 and not in_title else brand),
            Question(attribute="form", answer=form),
            Question(attribute="color", answer=COLORS[color]),
        ),
    )


def products(count: int, seed: int = 0) -> list[Example]:
    """The first products of a seed."""
    return [product(number, seed) for number in range(count)]


def knowledge(examples: Sequence[Example], min_count: int = 1) -> Knowledge:
    """What training knows of the tiny catalogue."""
    answers = [
        (example.product_type, question.attribute, question.answer)
        for example in examples
        for question in example.asked
        if question.answer is not None
    ]
    return Knowledge(definitions(), build(definitions(), answers, min_count=min_count), "grid:8", DIM, "recited")


def model(examples: Sequence[Example], seed: int = 0, min_count: int = 1, **changes: Any) -> pam.Model:
    """A fresh tiny PAM."""
    return pam.Model.create(config(**changes), knowledge(examples, min_count), examples, seed=seed)


def train(
    model: Trainable, examples: Sequence[Example], *, steps: int, lr: float = 3e-3, batch: int = 16
) -> list[float]:
    """The losses of some steps of AdamW."""
    torch.manual_seed(0)
    draw = random.Random(0)
    encoded = model.encode(examples)
    optimiser = torch.optim.AdamW(model.parameter_groups(), lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    model.module.train(True)
    losses = []
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = lr * group["lr_scale"] * (1 - step / steps)
        loss = model.loss(model.collate(draw.sample(encoded, min(batch, len(encoded)))))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.module.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
    return losses
