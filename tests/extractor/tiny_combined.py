"""A tiny span model and a tiny PAM as one, on the catalogue of tiny_pam."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from extractor.models import combined, pam, spans
from extractor.models.combined import Member
from extractor.records import Example
from tests.extractor import tiny_pam, tiny_spans

TAUGHT: dict[tuple[str, ...], tuple[spans.Model, pam.Model]] = {}
"""By the products that taught them: they take seconds."""


def config() -> combined.Config:
    """Two members as their cards would name them."""
    return combined.Config(
        spans=Member(name="spans", config=as_json(tiny_spans.config())),
        generator=Member(name="pam", config=as_json(tiny_pam.config())),
    )


def as_json(settings: Any) -> dict[str, Any]:  # a component's Config
    """Settings as a card has them."""
    content: dict[str, Any] = TypeAdapter(type(settings)).dump_python(settings, mode="json")
    return content


def members(examples: Sequence[Example]) -> tuple[spans.Model, pam.Model]:
    """Both, taught for some steps."""
    key = tuple(example.product_id for example in examples)
    if key not in TAUGHT:
        TAUGHT[key] = tiny_spans.model(examples), tiny_pam.model(examples)
        for member in TAUGHT[key]:
            tiny_pam.train(member, examples, steps=60, lr=5e-3)
    return TAUGHT[key]


def model(examples: Sequence[Example], *, fitted: bool = True) -> combined.Model:
    """The combination; fitted on other products than those that taught its members."""
    reader, writer = members(examples)
    both = combined.Model(config(), tiny_pam.definitions(), spans=reader, generator=writer)
    if fitted:
        both.fit([[replace(example, product_id=f"v{example.product_id}") for example in tiny_pam.products(60, seed=7)]])
    return both
