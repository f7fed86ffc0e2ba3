"""PAM (S0): a transformer over title, regions and OCR writes a value, of their words or those of V[type, attribute].

One model serves all attributes: a product is read once, and every question starts its own decoder rows with the
encoded text of the question and of the product type, so that a new attribute needs no new weight (MODELS 4.8).

B products, Q questions, T steps, M text slots ([CLS] first), O regions, N OCR words, S = M + O + N encoder slots,
K = M + N slots that can be copied, L vocabulary slots, C = L + K candidates, W gold words, D model width,
F word-vector width, U different vocabulary words of the batch, G definitions, V words of all vocabularies.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from extractor import answers, components, reading
from extractor.answers import Decoded
from extractor.encoders import bert, fasttext
from extractor.encoders.base import Encoder, Vectors
from extractor.errors import ModelError
from extractor.models.base import Knowledge, read_knowledge, write_knowledge
from extractor.nn.allowed import forbidden, torn
from extractor.nn.inputs import EOS, NUM_SPECIAL, UNKNOWN, Batch, Encoded, collate
from extractor.nn.multimodal import Slots
from extractor.nn.pointer import Keys, Merge, Scale, TokenSelector, merge
from extractor.nn.targets import Loss, mean, sample_targets, step_loss
from extractor.nn.transformer import Norm, Seen, Transformer, written_visible
from extractor.records import Definition, Example, Prediction

VOCABULARY, TEXT, OCR = range(3)
SMALLEST_DEVIATION = 1e-4
"""Below it a feature is constant, and dividing would blow up float16's rounding."""
WEIGHTS, KNOWLEDGE = "weights.safetensors", "knowledge.json"


@dataclass(frozen=True, kw_only=True)
class Config:
    """PAM's sizes and switches; the defaults are the demo's, conf/models/pam_paper.yaml has the paper's."""

    reads: reading.Config = field(default_factory=reading.Config)
    """What is read of a product, and where the attribute and the category stand."""
    text: bert.Config = field(default_factory=bert.Config)
    """What reads title and bullets."""
    text_tuned: bool = False
    """Fine-tune the text encoder, as S0 does; else its states are computed once."""
    tuned_rate: float = 0.1
    """Share of the learning rate at which pretrained layers learn (S0, M4C: a tenth)."""
    words: bert.Config | fasttext.Config = field(default_factory=bert.Config)
    """Vectors of single words: OCR, vocabulary, questions (S0: fastText)."""
    learnt_words: int = 0
    """Words, the most frequent of training pages, that have an embedding of their own beside the encoders'; 0: none."""
    learnt_rate: float = 1.0
    """Multiplies the learning rate of those embeddings: most words come seldom, so each learns in few steps."""
    width: int = 192
    """Model width D (S0 Table 3: 768)."""
    layers: int = 2
    """Transformer layers (S0 Table 3: 4)."""
    heads: int = 6
    """Attention heads (S0 Table 3: 12)."""
    dropout: float = 0.1
    """Share of activations dropped in training (M4C: 0.1)."""
    norm: Norm = "pre"
    """Where a layer normalises; post is BERT's, pre trains from scratch at higher rates."""
    standardise: bool = True
    """Take the mean off region and OCR features and divide by their deviation, of the training pictures."""
    fc7: int = 0
    """Width of a last layer of the detector that learns from fresh weights; 0 takes features as they are (S0: 2048)."""
    prev_embeds: Literal["output", "input"] = "output"
    """What stands for a copied word at the next step: the encoder's output (S0 4.3) or its input (M4C)."""
    auxiliary_task: bool = False
    """Classify the category from [CLS] (S0 5.3.2); the other way is reads.target_prefix."""
    category_weight: float = 0.5
    """Weight of the category's loss, by either way (lambda_cat; not given in S0)."""
    score_scale: Scale = "sqrt_d"
    """Divide dot products by sqrt(D), as M4C's code does and its paper does not."""
    edit_weight: float = 0.05
    """The lambda of eqs. 6 and 7, on f_e from 0 to 100 (S0 Table 3: 0.05)."""
    edit_dropout: float = 0.5
    """Share of training questions that see no f_e: V holds every training answer, but not the brands to come."""
    loss: Loss = "bce"
    """bce over every candidate, or minus the log of the softmax mass of all right candidates."""
    score_bias: Literal["candidates", "zero"] = "candidates"
    """Start scores at -ln of the number of candidates, or at 0 as in the paper."""
    merge: Merge = "logsumexp"
    """How the copies of one word become one probability."""
    contiguous: bool = False
    """Decode so that the word after a copied one, if from the same source, is its neighbour there."""


class Sizes(NamedTuple):
    """What Config cannot know: widths of what comes in, and counts of what was counted."""

    text_dim: int
    word_dim: int
    feature_dim: int
    num_words: int
    num_definitions: int
    num_types: int
    longest_prefix: int
    num_learnt: int
    num_candidates: float
    """Of a training question, on average."""


class Memory(NamedTuple):
    """All that decoding needs of the products once they are read."""

    seen: tuple[Seen, ...]
    """Keys and values of every layer."""
    absent_BS: Tensor
    cls_BD: Tensor
    keys: Keys
    said_word_UD: Tensor
    """Embedding of each vocabulary word once it is said (eq. 1)."""
    said_copy_BKD: Tensor
    """The same of each word of the page (MODELS 4.4)."""
    start_BQD: Tensor
    """First decoder input: the question and the product type."""


class Network(nn.Module):
    """The weights, from a batch to a loss or to answers."""

    def __init__(self, config: Config, sizes: Sizes, text_encoder: nn.Module | None) -> None:
        super().__init__()
        D, F2 = config.width, 2 * sizes.word_dim
        self.config = config
        self.text_encoder = text_encoder
        """Only where it is fine-tuned."""
        self.slots = Slots(
            width=D,
            text_dim=sizes.text_dim,
            word_dim=sizes.word_dim,
            feature_dim=sizes.feature_dim,
            fc7=config.fc7,
            dropout=config.dropout,
            num_learnt=sizes.num_learnt,
        )
        self.transformer = Transformer(
            width=D, layers=config.layers, heads=config.heads, dropout=config.dropout, norm=config.norm
        )
        self.selector = TokenSelector(
            width=D,
            word_dim=sizes.word_dim,
            scale=config.score_scale,
            edit_weight=config.edit_weight,
            bias=-math.log(sizes.num_candidates) if config.score_bias == "candidates" else 0.0,
        )
        self.special_2F = nn.Parameter(torch.randn(NUM_SPECIAL, sizes.word_dim))  # a fastText "unknown" is a word
        self.start = nn.Sequential(nn.Linear(F2, D), nn.LayerNorm(D))
        self.said_norm = nn.ModuleList(nn.LayerNorm(D) for _ in (VOCABULARY, TEXT, OCR))
        self.step = nn.Embedding(sizes.longest_prefix + config.reads.longest_answer + 1, D)
        self.source = nn.Embedding(3, D)
        self.step_norm = nn.LayerNorm(D)
        self.category = nn.Linear(D, sizes.num_types) if config.auxiliary_task else None
        self.word_VF = nn.Buffer(torch.zeros(sizes.num_words, sizes.word_dim))
        self.question_GF = nn.Buffer(torch.zeros(sizes.num_definitions, F2))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The encoder's rows [B, S, D], text, regions, OCR, and which of them are absent [B, S]."""
        text_BMX = batch.text_BMX
        if self.text_encoder is not None:
            text_BMX = bert.states(self.text_encoder, batch.piece_BX, batch.piece_word_BX)
        own_BMD, own_BND = self.slots.owned(batch.own_BK).tensor_split([batch.text_absent_BM.shape[1]], dim=1)
        rows = [
            self.slots.words(text_BMX, own_BMD),
            self.slots.regions(batch.region_BOV, batch.region_box_BO4),
            self.slots.tokens(
                batch.ocr_word_BNF, batch.ocr_phoc_BNP, batch.ocr_visual_BNV, batch.ocr_place_BN7, own_BND
            ),
        ]
        absent = [batch.text_absent_BM, batch.region_absent_BO, batch.ocr_absent_BN]
        return torch.cat(rows, dim=1), torch.cat(absent, dim=1)

    def read(self, batch: Batch) -> Memory:
        """Encode every product once, for all its questions and all their steps."""
        input_BSD, absent_BS = self.embed(batch)
        output_BSD, seen = self.transformer(input_BSD, None, ~absent_BS[:, None, None])
        return self.remember(batch, input_BSD, output_BSD, absent_BS, seen)

    def remember(
        self, batch: Batch, input_BSD: Tensor, output_BSD: Tensor, absent_BS: Tensor, seen: tuple[Seen, ...]
    ) -> Memory:
        """What the decoder needs of the encoder's rows and of the vocabularies."""
        num_M, num_N = batch.text_absent_BM.shape[1], batch.ocr_absent_BN.shape[1]
        text_BMD, ocr_BND = output_BSD[:, :num_M], output_BSD[:, output_BSD.shape[1] - num_N :]
        word_UD = self.selector.words(torch.cat([self.special_2F, self.word_VF[batch.word_U]]))
        said_BSD = output_BSD if self.config.prev_embeds == "output" else input_BSD
        said_text_BMD = self.said_norm[TEXT](said_BSD[:, :num_M])
        said_ocr_BND = self.said_norm[OCR](said_BSD[:, said_BSD.shape[1] - num_N :])
        return Memory(
            seen=seen,
            absent_BS=absent_BS,
            cls_BD=text_BMD[:, 0],
            keys=self.selector.keys(word_UD, batch.word_BQL, text_BMD, ocr_BND, self._edit(batch)),
            said_word_UD=self.said_norm[VOCABULARY](word_UD),
            said_copy_BKD=torch.cat([said_text_BMD, said_ocr_BND], dim=1),
            start_BQD=self.start(self.question_GF[batch.group_BQ]),
        )

    def _edit(self, batch: Batch) -> Tensor:
        """f_e [B, Q, K]; in training some questions do without."""
        if not (self.training and self.config.edit_dropout):
            return batch.edit_BQK
        hidden_BQ = torch.rand(batch.group_BQ.shape, device=batch.group_BQ.device) < self.config.edit_dropout
        return batch.edit_BQK.masked_fill(hidden_BQ[..., None], 0.0)

    def said(self, memory: Memory, said_BQT: Tensor, num_text: int, first_step: int) -> Tensor:
        """Decoder inputs [B, Q, T, D] for the steps after some candidates were said (MODELS 2 and 4.4)."""
        num_L, D = memory.keys.word_BQL.shape[2], self.config.width
        is_word = said_BQT < num_L
        word_BQTD = memory.said_word_UD[memory.keys.word_BQL.gather(2, said_BQT.clamp(max=num_L - 1))]
        slot = (said_BQT - num_L).clamp(min=0)
        copy_BQTD = memory.said_copy_BKD.gather(1, slot.flatten(1)[..., None].expand(-1, -1, D)).view_as(word_BQTD)
        source_BQT = torch.where(is_word, VOCABULARY, torch.where(slot < num_text, TEXT, OCR))
        return torch.where(is_word[..., None], word_BQTD, copy_BQTD) + self._position(source_BQT, first_step)

    def begin(self, memory: Memory) -> Tensor:
        """The first decoder input [B, Q, 1, D]."""
        start_BQ1D = memory.start_BQD[:, :, None]
        return start_BQ1D + self._position(torch.full_like(start_BQ1D[..., 0], VOCABULARY, dtype=torch.long), 0)

    def _position(self, source_BQT: Tensor, first_step: int) -> Tensor:
        step_T = torch.arange(first_step, first_step + source_BQT.shape[2], device=source_BQT.device)
        position_BQTD = self.step_norm(self.step(step_T) + self.source(source_BQT))
        return F.dropout(position_BQTD, self.config.dropout, self.training)

    def write(
        self, input_BQTD: Tensor, seen: tuple[Seen, ...], absent_BS: Tensor, first_step: int
    ) -> tuple[Tensor, tuple[Seen, ...]]:
        """States of decoder rows on top of what was read and written before them."""
        num_Q, num_T = input_BQTD.shape[1:3]
        visible_B1RS = written_visible(num_Q, first_step, first_step + num_T - 1, absent_BS)
        row_BRD, seen = self.transformer(input_BQTD.transpose(1, 2).flatten(1, 2), seen, visible_B1RS)
        return row_BRD.unflatten(1, (num_T, num_Q)).transpose(1, 2), seen

    def loss(self, batch: Batch) -> Tensor:
        """L_value + category_weight * L_category (MODELS 4.5, 4.6), teacher-forced."""
        memory = self.read(batch)
        targets = sample_targets(batch)
        num_T = targets.said_BQT.shape[2]
        later = self.said(memory, targets.said_BQT[..., :-1], batch.text_absent_BM.shape[1], first_step=1)
        step_BQTD, _ = self.write(
            torch.cat([self.begin(memory), later], dim=2), memory.seen, memory.absent_BS, first_step=0
        )
        score_BQTC = self.selector(step_BQTD, memory.keys)
        absent_BQTC = forbidden(batch, 0, num_T)
        wrong_BQT = step_loss(score_BQTC, targets.right_BQTC, absent_BQTC, targets.active_BQT, self.config.loss)
        is_category_BQT = torch.arange(num_T, device=wrong_BQT.device) < batch.prefix_BQ[..., None]
        loss = mean(wrong_BQT, targets.active_BQT & ~is_category_BQT)
        if self.config.reads.target_prefix:
            loss = loss + self.config.category_weight * mean(wrong_BQT, targets.active_BQT & is_category_BQT)
        if self.category is not None:
            known_B = batch.type_B >= 0
            wrong_B = F.cross_entropy(self.category(memory.cls_BD).float(), batch.type_B.clamp(min=0), reduction="none")
            loss = loss + self.config.category_weight * mean(wrong_B, known_B)
        return loss

    def decode(self, batch: Batch) -> Decoded:
        """Say the likeliest word at each step, for all questions of all products: one new row a question and step."""
        memory = self.read(batch)
        num_M = batch.text_absent_BM.shape[1]
        num_steps = int(batch.prefix_BQ.max()) + self.config.reads.longest_answer + 1
        input_BQ1D = self.begin(memory)
        seen = tuple(layer.with_room(num_steps * batch.group_BQ.shape[1]) for layer in memory.seen)
        done_BQ, alive_BQK, copy_BQ1 = ~batch.asked_BQ, None, batch.group_BQ[..., None]
        steps = []
        for step in range(num_steps):
            if step > 0:
                input_BQ1D = self.said(memory, copy_BQ1, num_M, first_step=step)
            row_BQ1D, seen = self.write(input_BQ1D, seen, memory.absent_BS, step)
            score_BQC = self.selector(row_BQ1D, memory.keys)[:, :, 0]
            absent_BQC = forbidden(batch, step, step + 1)[:, :, 0]
            if alive_BQK is not None:
                absent_BQC = absent_BQC | torn(alive_BQK, batch.follows_BK, num_M, score_BQC.shape[-1])
            score_BQC = score_BQC.masked_fill(absent_BQC, -math.inf)
            said = self._say(score_BQC, batch, step)
            steps.append(said)
            forced_BQ = step < batch.prefix_BQ
            done_BQ = done_BQ | (~forced_BQ & ((said.said_BQT == EOS) | (said.said_BQT == UNKNOWN)))
            if bool(done_BQ.all()):
                break
            same_BQC = batch.outcome_BQC == said.said_BQT[..., None]
            if self.config.contiguous:
                alive_BQK = (same_BQC & ~absent_BQC)[..., batch.word_BQL.shape[2] :]
            copy_BQ1 = score_BQC.masked_fill(~same_BQC, -math.inf).argmax(-1, keepdim=True)
            copy_BQ1 = torch.where(forced_BQ[..., None], said.said_BQT[..., None], copy_BQ1)
        return Decoded(*(torch.stack(column, dim=-1) for column in zip(*steps, strict=True)))

    def _say(self, score_BQC: Tensor, batch: Batch, step: int) -> Decoded:
        """One step of every question: its likeliest outcome, or the category's word where one is due."""
        chance_BQC = merge(score_BQC, batch.outcome_BQC, self.config.merge)
        (first_BQ, second_BQ), (said_BQ, other_BQ) = (column.unbind(-1) for column in chance_BQC.topk(2))
        said_BQ = torch.where(step < batch.prefix_BQ, NUM_SPECIAL + step, said_BQ)
        best_BQ = score_BQC.masked_fill(batch.outcome_BQC != said_BQ[..., None], -math.inf).amax(-1)
        return Decoded(said_BQ, first_BQ, chance_BQC[..., UNKNOWN], other_BQ, second_BQ, best_BQ.sigmoid())


class Model:
    """PAM behind the door of models/base.py."""

    def __init__(
        self,
        config: Config,
        knowledge: Knowledge,
        text_encoder: bert.Encoder,
        words: Encoder,
        *,
        learnt: Sequence[str] = (),
    ) -> None:
        self.config = config
        self.learnt = tuple(learnt)
        """The words that have an embedding of their own."""
        self.text_encoder = text_encoder
        self.words = words
        self.network: Network
        self._take(knowledge)

    def _take(self, knowledge: Knowledge) -> None:
        config = self.config
        self.knowledge = knowledge
        self.lexicon = reading.Lexicon(knowledge.definitions, knowledge.vocabularies, config.reads)
        self.reader = reading.Reader(
            config.reads,
            self.lexicon,
            self.text_encoder,
            self.words,
            feature_dim=knowledge.feature_dim,
            tuned=config.text_tuned,
            learnt=self.learnt,
        )

    @classmethod
    def create(cls, config: Config, knowledge: Knowledge, examples: Sequence[Example], *, seed: int) -> Self:
        """A fresh model; training examples teach the fastText vectors and count the candidates."""
        text_encoder = bert.Encoder.create(config.text, ())
        words = text_encoder if _shares_encoder(config) else _words_of(config).create(config.words, _texts(examples))
        model = cls(config, knowledge, text_encoder, words)
        if config.learnt_words:
            learnt = model.reader.frequent(examples, config.learnt_words)
            model = cls(config, knowledge, text_encoder, words, learnt=learnt)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model.build(model.reader.num_candidates(examples))
        if config.standardise:
            model.standardise(examples)
        model.network.word_VF, model.network.question_GF = model.vectors()
        return model

    def define(self, definitions: Sequence[Definition]) -> None:
        """Answer by these definitions: they need no new weight, only vectors of their words (MODELS 4.8)."""
        if _by_group(definitions) == _by_group(self.knowledge.definitions):
            return
        device = self._device
        self._take(self.knowledge._replace(definitions=tuple(definitions)))
        steps = self.lexicon.longest_prefix + self.config.reads.longest_answer + 1
        if steps > self.network.step.num_embeddings:
            raise ModelError("product types", f"one of {self.lexicon.longest_prefix} words", "none so long; train anew")
        self.network.word_VF, self.network.question_GF = (nn.Buffer(part.to(device)) for part in self.vectors())

    def vectors(self) -> tuple[nn.Buffer, nn.Buffer]:
        """Frozen vectors of the vocabularies' words [V, F], and of questions beside product types [G, 2 F]."""
        words, definitions = self.words, self.lexicon.definitions
        questions = _unit(words.vectors([given.question for given in definitions]))
        types = _unit(words.vectors([given.product_type for given in definitions]))
        return nn.Buffer(_unit(words.vectors(self.lexicon.words))), nn.Buffer(torch.cat([questions, types], dim=1))

    def standardise(self, examples: Sequence[Example]) -> None:
        """Measure the features of training pictures."""
        pictures = (picture for example in examples for picture in example.pictures)
        seen = [picture.features for picture in pictures if picture.features is not None]
        for detected, vectors in (
            (self.network.slots.region_detected, [features.regions for features in seen]),
            (self.network.slots.ocr_detected, [features.token_vectors for features in seen]),
        ):
            if sum(map(len, vectors)) > 1:
                detected.mean.copy_(_mean(vectors))
                detected.deviation.copy_(_deviation(vectors, detected.mean))

    def build(self, num_candidates: float) -> None:
        """Make the weights, fresh ones."""
        sizes = Sizes(
            text_dim=self.text_encoder.dim,
            word_dim=self.words.dim,
            feature_dim=self.knowledge.feature_dim,
            num_words=len(self.lexicon.words),
            num_definitions=len(self.lexicon.definitions),
            num_types=len(self.lexicon.types),
            longest_prefix=self.lexicon.longest_prefix,
            num_learnt=len(self.learnt),
            num_candidates=num_candidates,
        )
        self.network = Network(self.config, sizes, self._tuned_encoder())

    def _tuned_encoder(self) -> nn.Module | None:
        if not self.config.text_tuned:
            return None
        encoder = self.text_encoder.bert.requires_grad_(True)
        encoder.embeddings.requires_grad_(False)  # AdamW over millions of unused rows doubled the time of a step
        return encoder

    @property
    def module(self) -> nn.Module:
        """The weights."""
        return self.network

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """Products as float16 arrays with their targets; questions whose answer is out of reach are left out."""
        return [product.encoded for product in self.reader.read(examples, learning=True)]

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        """One padded batch on the CPU."""
        return collate(encoded, self.lexicon.rows, self.text_encoder.dim)

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss of a batch."""
        return self.network.loss(batch.to(self._device))

    def parameter_groups(self) -> list[dict[str, Any]]:  # torch's own form
        """Pretrained layers learn at a share of the rate."""
        fresh: list[nn.Parameter] = []
        pretrained: list[nn.Parameter] = []
        rare: list[nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                kind = pretrained if name.startswith("text_encoder.") else rare if name == "slots.own.weight" else fresh
                kind.append(parameter)
        groups = (
            {"params": fresh, "lr_scale": 1.0},
            {"params": pretrained, "lr_scale": self.config.tuned_rate},
            {"params": rare, "lr_scale": self.config.learnt_rate, "weight_decay": 0.0},
        )
        return [group for group in groups if group["params"]]

    @torch.inference_mode()
    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction a question; the examples are one batch."""
        if not any(example.asked for example in examples):
            return []
        self.network.train(False)
        products = self.reader.read(examples, learning=False)
        batch = self.collate([product.encoded for product in products]).to(self._device)
        decoded = self.network.decode(batch)
        return list(answers.predictions(examples, products, batch, decoded, self.lexicon))

    def save(self, folder: Path) -> None:
        """Weights, knowledge and encoders as safetensors and JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: part.contiguous() for name, part in self.network.state_dict().items()}, folder / WEIGHTS)
        content = {"knowledge": write_knowledge(self.knowledge), "learnt_words": self.learnt}
        (folder / KNOWLEDGE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        self.text_encoder.save(folder / "text")
        if self.words is not self.text_encoder:
            self.words.save(folder / "words")

    @classmethod
    def load(cls, folder: Path, config: Config, *, device: torch.device) -> Self:
        """The model that `save` wrote, on a device."""
        missing = [name for name in (WEIGHTS, KNOWLEDGE) if not (folder / name).is_file()]
        if missing:
            raise ModelError(str(folder), f"no {missing[0]}", "the files of a PAM")
        text_encoder = bert.Encoder.load(folder / "text", config.text)
        words = text_encoder if _shares_encoder(config) else _words_of(config).load(folder / "words", config.words)
        content = json.loads((folder / KNOWLEDGE).read_text(encoding="utf-8"))
        knowledge = read_knowledge(content["knowledge"])
        model = cls(config, knowledge, text_encoder, words, learnt=content["learnt_words"])
        model.build(num_candidates=1.0)
        try:
            model.network.load_state_dict(load_file(folder / WEIGHTS))
        except (RuntimeError, SafetensorError) as error:
            raise ModelError(
                str(folder / WEIGHTS), error, "the weights of these settings and this knowledge"
            ) from error
        model.network.to(device).train(False)
        for encoder in (text_encoder, words):
            encoder.to(device)
        return model

    @property
    def _device(self) -> torch.device:
        return self.network.word_VF.device


def _shares_encoder(config: Config) -> bool:
    """A fine-tuned text encoder changes; words keep vectors that do not."""
    return config.words == config.text and not config.text_tuned


def _words_of(config: Config) -> Any:  # the class fits the kind of `config.words`, which mypy cannot follow
    return components.offered("encoders", config.words.kind, key="model.words.kind")


def _texts(examples: Sequence[Example]) -> list[str]:
    """Everything that is written on the products' pages."""
    fields = [field for example in examples for field in (example.title or "", *example.bullets)]
    packs = [" ".join(token.text for token in picture.tokens) for example in examples for picture in example.pictures]
    return [content for content in fields + packs if content]


def _by_group(definitions: Sequence[Definition]) -> dict[tuple[str, str], Definition]:
    return {(given.product_type, given.attribute): given for given in definitions}


def _unit(vectors: Vectors) -> Tensor:
    """Vectors of size 1 a float: learnt fastText and BERT differ by hundreds, the scores they start with must not."""
    return F.normalize(torch.from_numpy(vectors), dim=-1) * math.sqrt(vectors.shape[1])


def _mean(vectors: Sequence[Vectors]) -> Tensor:
    """[V] of arrays [?, V]."""
    total = sum(part.sum(axis=0, dtype=np.float64) for part in vectors)
    return torch.from_numpy(np.asarray(total / sum(map(len, vectors)), np.float32))


def _deviation(vectors: Sequence[Vectors], mean: Tensor) -> Tensor:
    """[V] of arrays [?, V]; a float that never changes keeps its size."""
    total = sum(((part - mean.numpy()) ** 2).sum(axis=0, dtype=np.float64) for part in vectors)
    deviation = torch.from_numpy(np.asarray(np.sqrt(total / sum(map(len, vectors))), np.float32))
    return deviation.masked_fill(deviation < SMALLEST_DEVIATION, 1.0)
