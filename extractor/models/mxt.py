"""MXT (S2): T5 is asked the attribute as a question, reads type, text and picture, and writes the value.

The picture enters twice: a gate shifts the embeddings that go into the encoder (2.2), and the encoder's states look at
the cells of the picture before they go into the decoder (2.3). One model serves all types, attributes and locales.

Departures serve a small T5 that learns from the catalogue alone: it reads and says whole words, a gate copies those of
the page (`copy_gate`), and each embedding holds something of its neighbours' (`smear`). A published T5 does without.

B products, E encoder rows, X source units, N pieces, R questions, T steps, G cells, F feature width, I width of
whitened features, D model width, V units that can be said anywhere, C = V + X with the places that can be copied.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from extractor import batches, prompts, subwords, text, writing
from extractor.errors import ConfigError, ModelError
from extractor.models.base import Knowledge, read_knowledge, write_knowledge
from extractor.nn import grid_attention, mag, t5, t5_files
from extractor.nn.copying import CopyGate
from extractor.nn.grid_attention import GridAttention
from extractor.nn.mag import AdaptationGate
from extractor.nn.sequences import NO_TARGET, Bags, Batch, Encoded, Units, bags, collate
from extractor.nn.smear import Smear
from extractor.prefix_tree import ROOT, PrefixTree
from extractor.records import Definition, Example, Prediction
from extractor.subwords import Ids, SentencePieces, Subwords, WordPieces
from extractor.writing import Written

WEIGHTS, KNOWLEDGE = "weights.safetensors", "knowledge.json"
SHAPE = "shape.json"
"""T5's shape, beside the tokenizer of a published one."""
SMALLEST_VARIANCE = 1e-4
"""As a share of the largest: below it whitening would blow up float16's rounding."""


@dataclass(frozen=True, kw_only=True)
class Small:
    """A T5 that learns from the catalogue alone, over MiniLM's word-pieces."""

    kind: Literal["small"] = "small"
    """Which T5 these settings are for."""
    width: int = 192
    """Model width D."""
    feed: int = 576
    """Width between the layers of the feed-forward part."""
    heads: int = 6
    """Attention heads."""
    encoder_layers: int = 2
    """Blocks that read."""
    decoder_layers: int = 2
    """Blocks that write."""
    dropout: float = 0.1
    """Share of activations dropped in training."""
    learnt_pieces: int = 8000
    """Pieces, the most frequent of the training pages, that learn an embedding; the others keep MiniLM's."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A T5 with published weights (S2: t5-base)."""

    kind: Literal["published"] = "published"
    """Which T5 these settings are for."""
    name: str = "t5-base"
    """A folder, or a hub's name."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """MXT's switches; the defaults are the demo's, conf/models/mxt_paper.yaml has the paper's."""

    reads: prompts.Config = field(default_factory=prompts.Config)
    """What is read of a product, and where the question stands."""
    writer: Small | Published = field(default_factory=Small)
    """Which T5."""
    copy_gate: bool | None = None
    """Copy units of the page, too (See et al. 2017): a small T5 learns that long before it learns to spell. None: it
    does, a published T5 does not."""
    copy_once: bool = True
    """In decoding, let no place of the page be copied twice."""
    smear: bool | None = None
    """Add the neighbours' embeddings to each: one layer then knows what stands beside a unit. None: as above."""
    gate: Literal["mag", "concat", "none"] = "mag"
    """How the pooled picture enters: multimodal adaptation gate (S2 2.2), one more position (S2's ablation), not."""
    adaptation: mag.Config = field(default_factory=mag.Config)
    """The adaptation gate's settings."""
    fusion: bool = True
    """Attention over the picture's cells behind the encoder (S2 2.3)."""
    look: grid_attention.Config = field(default_factory=grid_attention.Config)
    """That attention's settings."""
    grid: int = 16
    """Cells of the picture, a square number; 1 takes the pooled vector for the only cell, as S2 writes it."""
    whiten: int = 256
    """Directions of the training pictures' vectors that are kept, each of variance 1; 0 takes vectors as they are."""
    closed: bool = True
    """Decode closed attributes inside the tree of their values."""
    max_batch_units: int = 16_000
    """Padded units that the encoder reads at once in inference."""

    def __post_init__(self) -> None:
        if math.isqrt(max(self.grid, 0)) ** 2 != self.grid or self.grid < 1:
            raise ConfigError("grid", self.grid, "a square number from 1")
        for name in ("copy_gate", "smear"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, isinstance(self.writer, Small))


class Sizes(NamedTuple):
    """What Config cannot know."""

    feature_dim: int
    num_learnt: int


class Memory(NamedTuple):
    """All that decoding needs of the products once they are read."""

    state_EXD: Tensor
    absent_EX: Tensor
    embedded_EXD: Tensor
    cell_EG: Tensor
    """Attention that each source gave each cell, mean over its units; [E, 0] without fusion."""
    said_VD: Tensor
    """Embeddings of what can be said anywhere."""
    key_EXD: Tensor | None
    """What the copy gate compares with; None without one."""


class LearntTable(nn.Module):
    """MiniLM's table in D directions, and what the catalogue's own pieces learn on top."""

    def __init__(self, width: int, num_learnt: int) -> None:
        super().__init__()
        table = subwords.minilm_table()
        self.table = nn.Buffer(table, persistent=False)  # the wheel holds it
        self.project = nn.Linear(table.shape[1], width, bias=False)
        self.own = nn.Embedding(1 + num_learnt, width, padding_idx=0)
        self.place = nn.Buffer(torch.zeros(len(table), dtype=torch.long))
        nn.init.zeros_(self.own.weight)
        with torch.no_grad():
            # The first D principal directions, each of variance 1, as T5 draws its table.
            _, direction_FI = principal(table, width)
            self.project.weight.copy_(direction_FI.T)

    def learn(self, pieces: Sequence[int]) -> None:
        """Give these pieces rows of their own."""
        self.place[torch.tensor(pieces)] = torch.arange(1, 1 + len(pieces))

    def forward(self, piece: Tensor) -> Tensor:
        """[..., D]."""
        embedded: Tensor = self.project(self.table[piece]) + self.own(self.place[piece])
        return embedded


class Network(nn.Module):
    """The weights, from a batch to a loss or to answers."""

    def __init__(self, config: Config, sizes: Sizes, writer: t5.T5, pieces: Subwords) -> None:
        super().__init__()
        D, seen = writer.sizes.width, config.whiten or sizes.feature_dim
        self.config, self.start = config, pieces.start
        self.writer = writer
        small = isinstance(config.writer, Small)
        self.table = LearntTable(D, sizes.num_learnt) if small else writer.shared
        writer.shared.requires_grad_(not small)  # nothing reads it beside a learnt table
        self.said: Bags
        """The units that can be said anywhere: `say` sets them."""
        self.eos, self.unknown = 0, 0
        """Numbers of the end and of the first unit of `unknown`."""
        sees = bool(sizes.feature_dim) and config.reads.use_image
        self.feature_mean = nn.Buffer(torch.zeros(sizes.feature_dim))
        self.feature_FI = nn.Buffer(torch.eye(sizes.feature_dim, seen))
        self.smear = Smear(D) if config.smear else None
        self.mag = None
        if sees and config.gate == "mag":
            with torch.no_grad():
                embed_rms = mag.rms(self.table(torch.arange(1000, 2000) % pieces.size))
            self.mag = AdaptationGate(config.adaptation, width=D, image_dim=seen, embed_rms=embed_rms)
        self.pooled = nn.Linear(seen, D) if sees and config.gate == "concat" else None
        self.fusion = None
        if sees and config.fusion:
            self.fusion = GridAttention(config.look, width=D, cell_dim=seen, side=math.isqrt(config.grid))
        self.copying = CopyGate(D) if config.copy_gate else None

    def say(self, units: Sequence[Units], eos: int, unknown: int) -> None:
        """Make these the units that can be said anywhere."""
        self.eos, self.unknown = eos, unknown
        self.said = bags(units, 1).to(self.feature_mean.device)

    def embed(self, given: Bags) -> Tensor:
        """[units, D]: the mean of each unit's pieces; zeros for absent ones."""
        piece_ND = self.table(given.piece_N)
        num_units = int(given.num_units)
        sum_UD = piece_ND.new_zeros(num_units, piece_ND.shape[-1]).index_add(0, given.unit_N, piece_ND)
        mean_UD: Tensor = sum_UD / given.unit_N.bincount(minlength=num_units).clamp(min=1)[:, None]
        return mean_UD

    def white(self, feature: Tensor) -> Tensor:
        """[..., I] of [..., F]."""
        white: Tensor = (feature - self.feature_mean) @ self.feature_FI
        return white

    def read(self, batch: Batch) -> Memory:
        """Encode every source once, for all questions and steps that are answered from it."""
        absent_EX = batch.absent_EX
        embedded_EXD = self.embed(batch.source).view(*absent_EX.shape, -1)
        input_EXD = embedded_EXD if self.smear is None else self.smear(embedded_EXD, absent_EX)
        pooled_EI = self.white(batch.pooled_EF)
        if self.mag is not None:
            input_EXD = self.mag(input_EXD, pooled_EI, batch.no_picture_E)
        if self.pooled is not None:
            input_EXD = torch.cat([input_EXD, self.pooled(pooled_EI)[:, None]], dim=1)
            absent_EX = torch.cat([absent_EX, batch.no_picture_E[:, None]], dim=1)
        state_EXD = self.writer.encode(input_EXD, absent_EX)[:, : embedded_EXD.shape[1]]
        cell_EG = state_EXD.new_zeros(len(state_EXD), 0)
        if self.fusion is not None:
            cells_EGF = batch.pooled_EF[:, None] if self.config.grid == 1 else batch.cell_EGF
            if not cells_EGF.shape[1]:  # no product of the batch has a picture
                cells_EGF = cells_EGF.new_zeros(len(cells_EGF), self.config.grid, cells_EGF.shape[2])
            state_EXD, weight_EXG = self.fusion(state_EXD, self.white(cells_EGF), batch.no_picture_E)
            present_EX1 = (~batch.absent_EX)[..., None].to(weight_EXG.dtype)
            cell_EG = (weight_EXG * present_EX1).sum(1) / present_EX1.sum(1)
        key_EXD = None if self.copying is None else self.copying.keys(state_EXD, embedded_EXD)
        return Memory(state_EXD, batch.absent_EX, embedded_EXD, cell_EG, self.embed(self.said), key_EXD)

    def begin(self, batch: Batch) -> Tensor:
        """The first decoder input [R, 1, D]: T5's start, and the question where the encoder does not read it."""
        start_RD: Tensor = self.table(torch.full_like(batch.source_R, self.start))
        if self.config.reads.attribute_in == "decoder":
            start_RD = start_RD + self.embed(batch.name)
        return start_RD[:, None]

    def heard(self, memory: Memory, batch: Batch, said_RT: Tensor) -> Tensor:
        """Decoder inputs [R, T, D] after something was said."""
        num_V = len(memory.said_VD)
        place_RT = (said_RT - num_V).clamp(min=0)
        copied_RTD = memory.embedded_EXD[batch.source_R[:, None], place_RT]
        return torch.where((said_RT < num_V)[..., None], memory.said_VD[said_RT.clamp(max=num_V - 1)], copied_RTD)

    def chances(self, state_RTD: Tensor, memory: Memory, batch: Batch, copied_RX: Tensor | None) -> "Chances":
        """How likely everything that can be said is next: T5's tied table, and copies; `copied` is copied no more."""
        scaled_RTD = state_RTD * state_RTD.shape[-1] ** -0.5
        score_RTV = F.linear(scaled_RTD, memory.said_VD).float()
        score_RTC = F.pad(score_RTV, (0, memory.absent_EX.shape[1]), value=-math.inf)
        if self.copying is None or memory.key_EXD is None:
            return Chances(score_RTC.log_softmax(-1), None)
        barred_RX = batch.barred_EX[batch.source_R]
        if copied_RX is not None:
            barred_RX = barred_RX | copied_RX
        key_RXD, say_RX = memory.key_EXD[batch.source_R], batch.say_EX[batch.source_R]
        mixed = self.copying(state_RTD, key_RXD, score_RTC, say_RX, barred_RX)
        return Chances(mixed.log_prob_RTV, mixed.copy_RTX)

    def loss(self, batch: Batch) -> Tensor:
        """Mean negative log-likelihood of the answers' units, teacher-forced (S2 2.4)."""
        memory = self.read(batch)
        crossed = t5.spread(self.writer.cross(memory.state_EXD), batch.source_R)
        known_RT = batch.target_RT != NO_TARGET
        said_RT = batch.target_RT.masked_fill(~known_RT, 0)
        input_RTD = torch.cat([self.begin(batch), self.heard(memory, batch, said_RT[:, :-1])], dim=1)
        state_RTD, _ = self.writer.decode(input_RTD, crossed, memory.absent_EX[batch.source_R])
        log_RTC = self.chances(state_RTD, memory, batch, None).log_RTC
        told_RT = -log_RTC.gather(-1, said_RT[..., None])[..., 0]
        return told_RT.masked_fill(~known_RT, 0.0).sum() / known_RT.sum().clamp(min=1)

    def decode(self, batch: Batch, trees: Sequence[PrefixTree | None]) -> Written:
        """Say the likeliest unit at each step until all have ended: one new row a question and step."""
        memory = self.read(batch)
        crossed = t5.spread(self.writer.cross(memory.state_EXD), batch.source_R)
        absent_RX = memory.absent_EX[batch.source_R]
        guide = Guide([trees[group] for group in batch.group_R.tolist()], self.eos)
        copied_RX = torch.zeros_like(absent_RX)
        input_R1D, past = self.begin(batch), None
        steps: list[tuple[Tensor, ...]] = []
        done_R = torch.zeros_like(batch.source_R, dtype=torch.bool)
        for step in range(self.config.reads.longest_answer + 1):
            state_R1D, past = self.writer.decode(input_R1D, crossed, absent_RX, past, first_step=step)
            if step == 0:
                past = tuple(layer.with_room(self.config.reads.longest_answer) for layer in past)
            chances = self.chances(state_R1D, memory, batch, copied_RX if self.config.copy_once else None)
            log_RC = guide.held(chances.log_RTC[:, 0], step)
            (first_R, second_R), (said_R, other_R) = (column.unbind(-1) for column in log_RC.topk(2))
            steps.append((said_R, first_R.exp(), log_RC[:, self.unknown].exp(), other_R, second_R.exp()))
            done_R = done_R | (said_R == self.eos)
            if bool(done_R.all()):
                break
            guide.follow(said_R.tolist())
            if chances.weight_RTX is not None:
                says_RX = batch.say_EX[batch.source_R] == said_R[:, None]
                copied_RX = copied_RX | _copied(chances.weight_RTX[:, 0], says_RX & ~copied_RX)
            input_R1D = self.heard(memory, batch, said_R[:, None])
        said_RT, share_RT = (torch.stack([column[part] for column in steps], dim=1) for part in (0, 1))
        _, _, unknown_R, other_R, second_R = steps[0]
        return Written(said_RT, share_RT, unknown_R, other_R, second_R, memory.cell_EG[batch.source_R])


class Chances(NamedTuple):
    """What may be said next."""

    log_RTC: Tensor
    weight_RTX: Tensor | None
    """Where a copy would come from; None without a copy gate."""


class Guide:
    """Holds the answers of closed attributes to their values, step by step; nothing ends before it began."""

    def __init__(self, trees: Sequence[PrefixTree | None], eos: int) -> None:
        self._trees, self._eos = trees, eos
        self._node = [None if tree is None else ROOT for tree in trees]

    def held(self, log_RC: Tensor, step: int) -> Tensor:
        """Log-probabilities [R, C] among what may be said."""
        forbidden_RC = torch.zeros_like(log_RC, dtype=torch.bool)
        if step == 0:
            forbidden_RC[:, self._eos] = True
        for row, (tree, node) in enumerate(zip(self._trees, self._node, strict=True)):
            if tree is not None and node is not None:
                forbidden_RC[row] = True
                forbidden_RC[row, list(tree.permitted(node))] = False
        return log_RC.masked_fill(forbidden_RC, -math.inf).log_softmax(-1)

    def follow(self, said: Sequence[int]) -> None:
        """Go on from what was said; behind an end everything is open, for it is not looked at."""
        for row, (tree, node) in enumerate(zip(self._trees, self._node, strict=True)):
            if tree is not None and node is not None:
                after = tree.permitted(node)[said[row]]
                self._node[row] = after if tree.permitted(after) else None


def _copied(weight_RX: Tensor, same_RX: Tensor) -> Tensor:
    """[R, X] the place that what was said most likely came from; none where no place of the page says it."""
    place_R1 = weight_RX.masked_fill(~same_RX, -1.0).argmax(-1, keepdim=True)
    return torch.zeros_like(same_RX).scatter(1, place_R1, value=True) & same_RX


class Learnt(NamedTuple):
    """What a fresh model takes from the training examples, beside its weights."""

    pieces: tuple[int, ...]
    """Those with an embedding of their own, in the order of its rows."""
    said: tuple[Ids, ...]
    """Units of training answers: what can be said anywhere, with those of the closed values."""
    spellings: tuple[str, ...]
    """Training answers as they were most often written."""


class Model:
    """MXT behind the door of models/base.py."""

    def __init__(self, config: Config, knowledge: Knowledge, learnt: Learnt, writer: t5.T5, pieces: Subwords) -> None:
        self.config, self.learnt, self.pieces = config, learnt, pieces
        self.network = Network(config, Sizes(knowledge.feature_dim, len(learnt.pieces)), writer, pieces)
        if isinstance(self.network.table, LearntTable):
            self.network.table.learn(learnt.pieces)
        self._take(knowledge)

    def _take(self, knowledge: Knowledge) -> None:
        config, pieces = self.config, self.pieces
        self.knowledge = knowledge
        options = [None if given.options is None else writing.Options(given, pieces) for given in knowledge.definitions]
        said = self._sayable(options)
        number = {unit: at for at, unit in enumerate(said)}
        sees_cells = config.reads.use_image and config.fusion and config.grid > 1 and knowledge.feature_dim > 0
        self.reader = prompts.Reader(
            config.reads,
            pieces,
            knowledge.definitions,
            number,
            num_cells=config.grid if sees_cells else 0,
            feature_dim=knowledge.feature_dim,
        )
        written = (pieces.join(subwords.phrase(pieces, spelling)) for spelling in self.learnt.spellings)
        spelt = dict(zip(map(text.keys, written), self.learnt.spellings, strict=True))
        self.speaker = writing.Speaker(self.reader, said, options, spelt)
        held = (given if config.closed else None for given in options)
        self.trees = [None if given is None else given.tree(number, pieces) for given in held]
        units = [Units(np.array(unit), np.array([len(unit)])) for unit in said]
        self.network.say(units, number[pieces.eos], number[pieces.unknown[0]])

    def _sayable(self, options: Sequence[writing.Options | None]) -> list[Ids]:
        """Units that can be said anywhere: all of a published T5's pieces; else those of known values."""
        if isinstance(self.config.writer, Published):
            return [(piece,) for piece in range(self.pieces.size)]
        closed = {unit for given in options if given for units in given.entry for unit in units}
        return sorted({*self.learnt.said, *closed, *self.pieces.unknown, self.pieces.eos})

    @classmethod
    def create(cls, config: Config, knowledge: Knowledge, examples: Sequence[Example], *, seed: int) -> Self:
        """A fresh model; training examples tell which pieces there are and how pictures vary."""
        pieces: Subwords
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if isinstance(config.writer, Published):
                writer, sizes = t5_files.load(config.writer.name)
                pieces = SentencePieces(config.writer.name, size=sizes.num_pieces)
                learnt = Learnt((), (), _spellings(examples))
            else:
                pieces = WordPieces()
                writer = t5.T5(_small(config.writer))
                learnt = _learnt(examples, pieces, config)
            model = cls(config, knowledge, learnt, writer, pieces)
        model.whiten(examples)
        return model

    def whiten(self, examples: Sequence[Example]) -> None:
        """Measure the vectors of training pictures: their mean, and the directions in which they vary most."""
        pictures = [prompts.seen(example) for example in examples]
        regions = [picture.features.regions for picture in pictures if picture and picture.features]
        if not regions or not self.config.whiten:
            return
        mean_F, direction_FI = principal(torch.from_numpy(np.concatenate(regions)).float(), self.config.whiten)
        self.network.feature_mean.copy_(mean_F)
        self.network.feature_FI[:, : direction_FI.shape[1]] = direction_FI

    def define(self, definitions: Sequence[Definition]) -> None:
        """Answer by these definitions: they need no new weight, questions and options are text."""
        if {(d.product_type, d.attribute): d for d in definitions} != {
            (d.product_type, d.attribute): d for d in self.knowledge.definitions
        }:
            self._take(self.knowledge._replace(definitions=tuple(definitions)))

    def inherit(self, other: Self) -> None:
        """Start from the weights of an MXT that learnt other tasks of the same catalogue.

        Which pieces have an embedding of their own, and what was measured of pictures, stays as it is here.
        """
        mine = self.network.state_dict()
        for name, weight in other.network.state_dict().items():
            if name in ("feature_mean", "feature_FI", "table.place", "table.own.weight"):
                continue
            if name not in mine or mine[name].shape != weight.shape:
                found = "none" if name not in mine else f"shape {tuple(mine[name].shape)}"
                raise ModelError(f"weight {name} to start from", f"shape {tuple(weight.shape)}", f"{found}, as here")
            mine[name].copy_(weight)
        rows = {piece: row for row, piece in enumerate(other.learnt.pieces, start=1)}
        for row, piece in enumerate(self.learnt.pieces, start=1):
            if piece in rows:
                mine["table.own.weight"][row] = other.network.state_dict()["table.own.weight"][rows[piece]]

    @property
    def module(self) -> nn.Module:
        """The weights."""
        return self.network

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """Products as units with their targets; questions whose answer cannot be said are left out."""
        return [self.reader.read(example, learning=True) for example in examples]

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        """One padded batch on the CPU."""
        return collate(encoded, len(self.speaker.said))

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss of a batch."""
        return self.network.loss(batch.to(self._device))

    def parameter_groups(self) -> list[dict[str, Any]]:  # torch's own form
        """All learn at one rate (S2: Adam, 5e-5); what is rarely used must not decay in between."""
        named = [(name, weight) for name, weight in self.network.named_parameters() if weight.requires_grad]
        rare = [weight for name, weight in named if name in ("table.own.weight", "writer.shared.weight")]
        others = [weight for name, weight in named if all(weight is not one for one in rare)]
        return [{"params": others, "lr_scale": 1.0}, {"params": rare, "lr_scale": 1.0, "weight_decay": 0.0}]

    @torch.inference_mode()
    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction a question, in order; products of like length are read together, so many units at once."""
        self.network.train(False)
        encoded = [self.reader.read(example, learning=False) for example in examples]
        lengths = [[len(source.say) for source in product.sources] for product in encoded]
        found: list[list[Prediction]] = [[] for _ in examples]
        for part in batches.by_longest(lengths, max_products=len(lengths), max_tokens=self.config.max_batch_units):
            asking = [number for number in part if examples[number].asked]
            answers = self._answers([examples[number] for number in asking], [encoded[number] for number in asking])
            for number, answered in zip(asking, answers, strict=True):
                found[number] = answered
        return [prediction for answered in found for prediction in answered]

    def _answers(self, examples: Sequence[Example], encoded: Sequence[Encoded]) -> Iterator[list[Prediction]]:
        if not examples:
            return iter(())
        batch = self.collate(encoded).to(self._device)
        written = self.network.decode(batch, self.trees)
        spoken = self.speaker.predictions(examples, encoded, written)
        return (list(islice(spoken, len(example.asked))) for example in examples)

    def save(self, folder: Path) -> None:
        """Weights, shape and knowledge as safetensors and JSON, and a published T5's tokenizer."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: part.contiguous() for name, part in self.network.state_dict().items()}
        if isinstance(self.config.writer, Published):
            del weights["table.weight"]  # the writer's own table under its second name
        save_file(weights, folder / WEIGHTS)
        (folder / SHAPE).write_text(json.dumps(asdict(self.network.writer.sizes), indent=1), encoding="utf-8")
        content = {"knowledge": write_knowledge(self.knowledge), "learnt": self.learnt._asdict()}
        (folder / KNOWLEDGE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        self.pieces.save(folder)

    @classmethod
    def load(cls, folder: Path, config: Config, *, device: torch.device) -> Self:
        """The model that `save` wrote, on a device."""
        missing = [name for name in (WEIGHTS, KNOWLEDGE, SHAPE) if not (folder / name).is_file()]
        if missing:
            raise ModelError(str(folder), f"no {missing[0]}", "the files of an MXT")
        content = json.loads((folder / KNOWLEDGE).read_text(encoding="utf-8"))
        held = content["learnt"]
        learnt = Learnt(tuple(held["pieces"]), tuple(map(tuple, held["said"])), tuple(held["spellings"]))
        sizes = t5.Sizes(**json.loads((folder / SHAPE).read_text(encoding="utf-8")))
        published = isinstance(config.writer, Published)
        pieces: Subwords = SentencePieces(folder, size=sizes.num_pieces) if published else WordPieces()
        model = cls(config, read_knowledge(content["knowledge"]), learnt, t5.T5(sizes), pieces)
        try:
            weights = load_file(folder / WEIGHTS)
            if published:
                weights["table.weight"] = weights["writer.shared.weight"]
            model.network.load_state_dict(weights)
        except (KeyError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                str(folder / WEIGHTS), error, "the weights of these settings and this knowledge"
            ) from error
        model.network.to(device).train(False)
        model.network.said = model.network.said.to(device)
        return model

    @property
    def _device(self) -> torch.device:
        return self.network.feature_mean.device


def principal(row_NF: Tensor, num_directions: int) -> tuple[Tensor, Tensor]:
    """Mean [F] of some rows, and the directions [F, I] in which they vary most, scaled to variance 1."""
    mean_F = row_NF.mean(0)
    variance_F, direction_FF = torch.linalg.eigh((row_NF - mean_F).T @ (row_NF - mean_F) / len(row_NF))
    kept = slice(-num_directions, None)
    scale_I = variance_F[kept].clamp(min=SMALLEST_VARIANCE * float(variance_F[-1])).rsqrt()
    return mean_F, direction_FF[:, kept] * scale_I


def _small(config: Small) -> t5.Sizes:
    return t5.Sizes(
        width=config.width,
        feed=config.feed,
        heads=config.heads,
        head_width=config.width // config.heads,
        encoder_layers=config.encoder_layers,
        decoder_layers=config.decoder_layers,
        num_pieces=1,  # LearntTable stands for it
        dropout=config.dropout,
    )


def _learnt(examples: Sequence[Example], pieces: Subwords, config: Config) -> Learnt:
    """Count the pieces of training pages, and take the units of training answers."""
    reader = prompts.Reader(config.reads, pieces, (), {}, num_cells=0, feature_dim=0)
    counted: Counter[int] = Counter()
    for example in examples:
        read = reader.page(example)
        for slot in (*read.text, *read.ocr):
            counted.update(piece for unit in pieces.units(slot.word) for piece in unit)
    answers = {question.answer for example in examples for question in example.asked if question.answer is not None}
    said = sorted({unit for answer in answers for unit in subwords.phrase(pieces, answer)})
    frequent = (piece for piece, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0])))
    special = (pieces.start, *pieces.eos, *(piece for unit in pieces.unknown for piece in unit))
    assert isinstance(config.writer, Small)
    own = dict.fromkeys([*special, *(piece for unit in said for piece in unit), *frequent])
    return Learnt(tuple(islice(own, config.writer.learnt_pieces)), tuple(said), _spellings(examples))


def _spellings(examples: Sequence[Example]) -> tuple[str, ...]:
    """The training answers, each as it was most often written."""
    counted = Counter(
        question.answer for example in examples for question in example.asked if question.answer is not None
    )
    best: dict[tuple[str, ...], str] = {}
    for answer in sorted(counted, key=lambda answer: (-counted[answer], answer)):
        best.setdefault(text.keys(answer), answer)
    return tuple(sorted(best.values()))
