"""Joint span extraction: every span of a page is scored as the answer to every attribute, at once.

The values that a page prints are spans of its title, its bullets or its pack. One encoder reads all of them, and one
set of scores is taught in two ways. `joint` sees a page as a segmentation into values (semi-Markov CRF, Sarawagi and
Cohen 2004): spans compete for words, which serves where most words are labelled. `independent` chooses one span or none
for each attribute (a softmax, as in reading comprehension), which serves where labels are sparse. Which of the two
answers, and from which probability on, is chosen on validation examples. The probabilities of equal strings add up.

B products, N words, L longest span, A attributes of the product's type, U strings of the page, X word-pieces, D encoder
width, G definitions.
"""

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertModel

from extractor import span_answers, span_reading
from extractor.boundaries import Boundaries, Part
from extractor.dictionary import NUM_FEATURES, Dictionary
from extractor.encoders import bert
from extractor.errors import ModelError
from extractor.models.base import Knowledge, read_knowledge, write_knowledge
from extractor.nn import semi_markov
from extractor.nn.span_inputs import Batch, Encoded, collate
from extractor.nn.span_scores import Attributes, SpanScorer
from extractor.records import Definition, Example, Prediction
from extractor.span_answers import Decoded, Rule
from schemas.enums import Pictures

KNOWLEDGE = "knowledge.json"
CHOSEN_IN = 32
"""Validation products a batch."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The span model's sizes and switches."""

    reads: span_reading.Config = field(default_factory=span_reading.Config)
    """What is read of a product, and how long spans are."""
    text: bert.Config = field(default_factory=lambda: bert.Config(layers=6, max_pieces=256))
    """What reads a page; it is fine-tuned but for its word-piece table."""
    tuned_rate: float = 0.667
    """Share of the learning rate at which the encoder's last layer learns."""
    layer_decay: float = 0.9
    """What is left of that share a layer further down (Howard and Ruder, ACL 2018)."""
    words: bert.Config = field(default_factory=bert.Config)
    """Frozen vectors of questions and product types."""
    unnamed: float = 0.1
    """Share of training products whose attributes are known by their questions alone, as new ones will be."""
    unseen: Literal["answered", "unknown"] = "answered"
    """What becomes of attributes that training never asked for: they are answered by their questions, or unknown."""
    width: int = 192
    """Width of an attribute's vector and of the span network."""
    dropout: float = 0.1
    """Share of activations dropped in training, behind the encoder, which keeps its own."""
    masked: float = 0.0
    """Share of word-pieces hidden from the encoder in training."""
    joint_weight: float = 0.25
    """Weight of the joint loss, which counts a product's values together, beside the independent one's 1."""
    members: int = 1
    """Networks that learn side by side from fresh starts of their own; their probabilities are averaged."""
    decoder: Literal["chosen", "joint", "independent"] = "chosen"
    """Whose answer counts; chosen by F1 on the validation examples, with the threshold."""
    threshold: float = 0.0
    """Least probability of an answer, where the decoder is not chosen; below it, unknown."""


class Shares(NamedTuple):
    """Probabilities of spans."""

    joint_BNLA: Tensor
    """That a span is in the segmentation as this attribute's value."""
    alone_BNLA: Tensor
    """That it is the attribute's answer, whatever other attributes answer."""
    silent_BA: Tensor
    """That no span answers."""


class Network(nn.Module):
    """The weights, from a batch to a loss or to probabilities."""

    def __init__(self, config: Config, text: bert.Encoder, *, question_dim: int, num_named: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = tunable(text.bert)
        self.mask = text.tokenizer.mask_token_id
        """The word-piece that stands for a hidden one."""
        self.shape = nn.Embedding(len(span_reading.SHAPES), 16)
        self.layout = nn.Linear(span_reading.LAYOUT_DIM, 16)
        self.attributes = Attributes(
            question_dim=question_dim, width=config.width, num_named=num_named, unnamed=config.unnamed
        )
        self.scorer = SpanScorer(
            word_dim=text.dim + 32,
            cls_dim=text.dim,
            width=config.width,
            longest=config.reads.longest,
            num_features=NUM_FEATURES,
            dropout=config.dropout,
        )
        self.question_GQ = nn.Buffer(torch.zeros(0, question_dim))
        self.name_G = nn.Buffer(torch.zeros(0, dtype=torch.long))

    def score(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores of all spans [B, N, L, A], -inf where there is none, and of no answer [B, A]."""
        piece_BX = batch.piece_BX
        if self.training and self.config.masked:
            hidden_BX = torch.rand(piece_BX.shape, device=piece_BX.device) < self.config.masked
            piece_BX = piece_BX.masked_fill(hidden_BX & (batch.piece_word_BX > 0), self.mask)
        state_BMD = bert.states(self.encoder, piece_BX, batch.piece_word_BX).float()
        num_N = batch.string_BNL.shape[1]
        with torch.autocast(state_BMD.device.type, enabled=False):  # sums over spans want all digits
            state_BND = F.pad(state_BMD[:, 1:], (0, 0, 0, num_N + 1 - state_BMD.shape[1]))
            word_BND = torch.cat([state_BND, self.shape(batch.shape_BN), self.layout(batch.layout_BNP)], dim=-1)
            score_BNLA, silent_BA = self.scorer(
                F.dropout(word_BND, self.config.dropout, self.training),
                state_BMD[:, 0],
                self.attributes(self.question_GQ, self.name_G, batch.group_BA),
                batch.string_BNL,
                batch.feature_BUAF,
            )
        return score_BNLA.masked_fill(batch.absent_BNLA, -math.inf), silent_BA

    def loss(self, batch: Batch) -> Tensor:
        """Mean over questions of -log p(a place of the answer, or none), and the joint loss by its weight.

        That is the mean over products of -log p(a segmentation with each answer at one of its places and no more).
        """
        score_BNLA, silent_BA = self.score(batch)
        right_BNLA = _of_spans(batch.right_BUA, batch.string_BNL)
        right_BA = semi_markov.log_sum(score_BNLA.masked_fill(~right_BNLA, -math.inf), (1, 2))
        printed_BA = right_BA > -math.inf
        all_BA = torch.logaddexp(silent_BA, semi_markov.log_sum(score_BNLA, (1, 2)))
        missed_BA = all_BA - torch.where(printed_BA, right_BA, silent_BA)
        independent = missed_BA.masked_fill(~batch.asked_BA, 0.0).sum() / batch.asked_BA.sum().clamp(min=1)
        held_B = right_BA.masked_fill(~(printed_BA & batch.apart_BA), 0.0).sum(-1)
        joint = (semi_markov.log_partition(score_BNLA) - held_B).mean()
        return independent + self.config.joint_weight * joint

    def parameter_groups(self) -> list[dict[str, Any]]:  # torch's own form
        """The encoder's layers learn at a share of the rate, the lower the less."""
        fresh = [weight for name, weight in self.named_parameters() if not name.startswith("encoder.")]
        tuned = [
            {"params": list(layer.parameters()), "lr_scale": self.config.tuned_rate * self.config.layer_decay**depth}
            for depth, layer in enumerate(reversed(self.encoder.encoder.layer))
        ]
        return [{"params": fresh, "lr_scale": 1.0}, *tuned]

    def shares(self, batch: Batch) -> Shares:
        """Both readings of the scores."""
        score_BNLA, silent_BA = self.score(batch)
        every_BSA = torch.cat([score_BNLA.flatten(1, 2), silent_BA[:, None]], dim=1).softmax(1)
        return Shares(semi_markov.marginals(score_BNLA), every_BSA[:, :-1].view_as(score_BNLA), every_BSA[:, -1])


def tunable(published: BertModel) -> BertModel:
    """A copy of an encoder that learns, but for its embeddings: AdamW over millions of unused rows doubles a step."""
    encoder = copy.deepcopy(published)
    encoder.requires_grad_(True)
    encoder.embeddings.requires_grad_(False)
    return encoder


def decode(shares: Shares, batch: Batch, decoder: span_answers.Decoder) -> Decoded:
    """The two likeliest strings of each attribute."""
    alone_BUA = _by_string(shares.alone_BNLA, batch)
    share_BNLA, string_BUA = shares.alone_BNLA, alone_BUA
    if decoder == "joint":
        share_BNLA, string_BUA = shares.joint_BNLA, _by_string(shares.joint_BNLA, batch)
        string_BUA = string_BUA / string_BUA.sum(1, keepdim=True).clamp(min=1)  # values said twice: their shares
    (first_BA, second_BA), (said_BA, other_BA) = (column.unbind(1) for column in string_BUA.topk(2, dim=1))
    return Decoded(
        place_BA=_best_place(share_BNLA, batch, said_BA),
        share_BA=first_BA,
        alone_BA=alone_BUA.gather(1, said_BA[:, None])[:, 0],
        second_place_BA=_best_place(share_BNLA, batch, other_BA),
        second_share_BA=second_BA,
        silent_BA=shares.silent_BA,
    )


def _of_spans(value_BUA: Tensor, string_BNL: Tensor) -> Tensor:
    """[B, N, L, A] what holds for the string that each span spells."""
    return value_BUA[torch.arange(len(string_BNL), device=string_BNL.device)[:, None, None], string_BNL]


def _by_string(share_BNLA: Tensor, batch: Batch) -> Tensor:
    """[B, U, A] summed over the places of each string."""
    string_BSA = batch.string_BNL.flatten(1)[..., None].expand(-1, -1, share_BNLA.shape[-1])
    return torch.zeros_like(batch.feature_BUAF[..., 0]).scatter_add(1, string_BSA, share_BNLA.flatten(1, 2))


def _best_place(share_BNLA: Tensor, batch: Batch, said_BA: Tensor) -> Tensor:
    """[B, A] the likeliest span, as word * L + length - 1, among those that spell what is said."""
    elsewhere_BNLA = (batch.string_BNL[..., None] != said_BA[:, None, None]) | batch.absent_BNLA
    return share_BNLA.masked_fill(elsewhere_BNLA, -1.0).flatten(1, 2).argmax(1)


class Counted(NamedTuple):
    """What is counted in training examples rather than learnt by gradient."""

    names: tuple[str, ...]
    """Attributes that training asked for: each has a vector beside its question's."""
    parts: tuple[Part, ...]
    dictionary: Dictionary


class Model:
    """The span model behind the door of models/base.py."""

    def __init__(
        self, config: Config, knowledge: Knowledge, text: bert.Encoder, words: bert.Encoder, counted: Counted
    ) -> None:
        self.config = config
        self.text, self.words = text, words
        self.counted = counted
        self.rule = Rule() if config.decoder == "chosen" else Rule(decoder=config.decoder, threshold=config.threshold)
        self.members = [
            Network(config, text, question_dim=2 * words.dim, num_named=len(counted.names))
            for _ in range(config.members)
        ]
        self.networks = nn.ModuleList(self.members)
        self._take(knowledge)

    def _take(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        definitions, counted = knowledge.definitions, self.counted
        boundaries = Boundaries(counted.parts)
        self.reader = span_reading.Reader(self.config.reads, definitions, self.text, boundaries, counted.dictionary)
        self.main_only = np.array([given.pictures == Pictures.MAIN for given in definitions], np.bool_)
        self.closed = np.array([given.options is not None for given in definitions], np.bool_)
        unseen = [given.attribute not in counted.names for given in definitions]
        self.refused = np.array(unseen, np.bool_) & (self.config.unseen == "unknown")
        number = {name: place for place, name in enumerate(counted.names, start=1)}
        questions = torch.from_numpy(self.words.vectors([given.question for given in definitions]))
        types = torch.from_numpy(self.words.vectors([given.product_type for given in definitions]))
        question_GQ = F.normalize(torch.stack([questions, types], dim=1), dim=-1).flatten(1)
        name_G = torch.tensor([number.get(given.attribute, 0) for given in definitions], dtype=torch.long)
        for network in self.members:
            network.question_GQ = nn.Buffer((question_GQ * math.sqrt(self.words.dim)).to(self._device))
            network.name_G = nn.Buffer(name_G.to(self._device))

    @classmethod
    def create(cls, config: Config, knowledge: Knowledge, examples: Sequence[Example], *, seed: int) -> Self:
        """A fresh model; training examples are counted."""
        text, words = bert.Encoder.create(config.text, ()), bert.Encoder.create(config.words, ())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(config, knowledge, text, words, _count(config.reads, knowledge.definitions, text, examples))

    def define(self, definitions: Sequence[Definition]) -> None:
        """Answer by these definitions: an attribute that training never asked for is known by its question."""
        self._take(self.knowledge._replace(definitions=tuple(definitions)))

    @property
    def module(self) -> nn.Module:
        """The weights."""
        return self.networks

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """Products as arrays with their answers; an answer that no span spells teaches that none answers."""
        return [product.encoded for product in self.reader.read(examples, learning=True)]

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        """One padded batch on the CPU."""
        return collate(encoded, main_only=self.main_only, closed=self.closed, refused=self.refused)

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss of a batch, summed over the members: each learns as it would alone."""
        batch = batch.to(self._device)
        return torch.stack([network.loss(batch) for network in self.members]).sum()

    def shares(self, batch: Batch) -> Shares:
        """Probabilities, averaged over the members."""
        found = [network.shares(batch) for network in self.members]
        return Shares(*(torch.stack(column).mean(0) for column in zip(*found, strict=True)))

    def parameter_groups(self) -> list[dict[str, Any]]:  # torch's own form
        """Those of every member."""
        return [group for network in self.members for group in network.parameter_groups()]

    @torch.inference_mode()
    def settle(self, validation: Sequence[Example]) -> None:
        """Choose decoder and threshold on examples that taught nothing."""
        if self.config.decoder != "chosen" or not any(example.asked for example in validation):
            return
        self.networks.train(False)
        encoded = self.encode(validation)
        judged = {decoder: self._judge(encoded, decoder) for decoder in span_answers.DECODERS}
        num_answers = sum(question.answer is not None for example in validation for question in example.asked)
        self.rule = span_answers.choose(judged, num_answers)

    def _judge(self, encoded: Sequence[Encoded], decoder: span_answers.Decoder) -> span_answers.Judged:
        right, alone = [], []
        for start in range(0, len(encoded), CHOSEN_IN):
            batch = self.collate(encoded[start : start + CHOSEN_IN]).to(self._device)
            decoded = decode(self.shares(batch), batch, decoder)
            right_BNLA = _of_spans(batch.right_BUA, batch.string_BNL) & ~batch.absent_BNLA
            right_BA = right_BNLA.flatten(1, 2).gather(1, decoded.place_BA[:, None])[:, 0]
            right.append(right_BA[batch.asked_BA].cpu().numpy())
            alone.append(decoded.alone_BA[batch.asked_BA].cpu().numpy())
        return span_answers.Judged(np.concatenate(right), np.concatenate(alone))

    @torch.inference_mode()
    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction a question; the examples are one batch."""
        if not any(example.asked for example in examples):
            return []
        self.networks.train(False)
        products = self.reader.read(examples, learning=False)
        batch = self.collate([product.encoded for product in products]).to(self._device)
        decoded = decode(self.shares(batch), batch, self.rule.decoder)
        return list(span_answers.predictions(examples, products, decoded, self.rule, self.reader))

    def save(self, folder: Path) -> None:
        """Weights, knowledge and what was counted as safetensors and JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, network in enumerate(self.members):
            save_file(
                {name: part.contiguous() for name, part in network.state_dict().items()}, _weights(folder, number)
            )
        content = {
            "knowledge": write_knowledge(self.knowledge),
            "counted": COUNTED.dump_python(self.counted, mode="json"),
            "rule": asdict(self.rule),
        }
        (folder / KNOWLEDGE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        self.text.save(folder / "text")
        self.words.save(folder / "words")

    @classmethod
    def load(cls, folder: Path, config: Config, *, device: torch.device) -> Self:
        """The model that `save` wrote, on a device."""
        wanted = [folder / KNOWLEDGE, *(_weights(folder, number) for number in range(config.members))]
        missing = [file.name for file in wanted if not file.is_file()]
        if missing:
            raise ModelError(str(folder), f"no {missing[0]}", "the files of a span model")
        content = json.loads((folder / KNOWLEDGE).read_text(encoding="utf-8"))
        text, words = (
            bert.Encoder.load(folder / name, own) for name, own in (("text", config.text), ("words", config.words))
        )
        try:
            counted, rule = COUNTED.validate_python(content["counted"]), RULE.validate_python(content["rule"])
        except ValidationError as error:
            raise ModelError(str(folder / KNOWLEDGE), error, "what `save` wrote") from error
        model = cls(config, read_knowledge(content["knowledge"]), text, words, counted)
        for number, network in enumerate(model.members):
            file = _weights(folder, number)
            try:
                network.load_state_dict(load_file(file))
            except (RuntimeError, SafetensorError) as error:
                raise ModelError(str(file), error, "the weights of these settings and this knowledge") from error
        if config.decoder == "chosen":
            model.rule = rule
        model.networks.to(device).train(False)
        words.to(device)
        return model

    @property
    def _device(self) -> torch.device:
        return self.members[0].question_GQ.device


def _weights(folder: Path, member: int) -> Path:
    return folder / f"member-{member}.safetensors"


COUNTED, RULE = TypeAdapter(Counted), TypeAdapter(Rule)


def _count(
    config: span_reading.Config, definitions: Sequence[Definition], text: bert.Encoder, examples: Sequence[Example]
) -> Counted:
    """Count the training examples."""
    boundaries = (
        Boundaries.learn(examples, least=config.least_inside) if config.boundaries == "learnt" else Boundaries(())
    )
    reader = span_reading.Reader(config, definitions, text, boundaries, None)
    answers = [
        (example.product_type, question.attribute, span_reading.string_of(question.answer))
        for example in examples
        for question in example.asked
        if question.answer is not None
    ]
    pages = ((example.product_type, reader.page(example, learning=True).strings) for example in examples)
    names = tuple(sorted({question.attribute for example in examples for question in example.asked}))
    return Counted(names, boundaries.parts, Dictionary.count(answers, pages))
