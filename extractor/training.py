"""The training loop: plain torch, seeded, resumable, alone or under torchrun; it knows nothing of any model.

A run is a function of its examples, Config and seed. The randomness of a step (drop-out, sampled targets) is seeded
by (seed, step, rank), so nothing of a generator is stored and a resumed run ends with the weights of an unbroken one.
For that a model draws its random numbers in `loss`, from torch's global generator.
"""

import hashlib
import importlib
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, count, islice, tee
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import DataLoader

from extractor import batches, resume
from extractor.errors import ConfigError, ModelError
from extractor.models.base import Trainable
from extractor.records import Example


@dataclass(frozen=True, kw_only=True)
class Config:
    """How a model is fitted; the settings named in PROTOTYPE.md section 1 are those of the demo."""

    steps: int
    """Optimiser steps; the learning rate's schedule is tied to them, never to a clock."""
    batch_products: int
    """Products a step, over all processes (PAM Table 3: 128)."""
    lr: float
    """Highest learning rate; a parameter group's `lr_scale` multiplies it (PAM Table 3: 1e-4)."""
    betas: tuple[float, float]
    """AdamW's decay of its first and second moment."""
    weight_decay: float
    """AdamW's decoupled weight decay; a parameter group's own `weight_decay` wins."""
    warmup_share: float
    """Share of the steps in which the learning rate rises linearly from 0."""
    final_lr_share: float
    """Share of `lr` that is left at the last step, reached linearly; without meaning where lr_drops are given."""
    lr_drops: tuple[float, ...]
    """Shares of the steps at which the rate falls to a tenth (PAM Table 3: 0.625, 0.8333); () falls linearly."""
    clip: float
    """Largest norm of the gradient."""
    seed: int
    """Seeds the order of products and the randomness of every step."""
    balance: float
    """Temperature of sampling over what balance_over names: 1 takes products as they come, more favours the rare."""
    balance_over: Literal["types", "answers"]
    """What `balance` counts: product types, with and without picture apart, or the rarest answer of each product."""
    pictured: float
    """Part of all draws that falls on products with a picture, 0..1, where few of those that teach have one and those
    to be asked do; 0 leaves it to chance."""
    evaluate_every: int
    """Steps between two looks at the validation examples."""
    patience: int
    """Evaluations without a better validation loss that end the run; 0 never does."""
    keep: Literal["best", "last"]
    """Weights that the model ends with: those of the best validation loss, or the last. BCE over hundreds of candidates
    grows on validation while answers still become better (docs/log.md)."""
    checkpoint_every: int
    """Steps between two states on disk."""
    max_seconds: float
    """Safety net: seconds of training after which the run ends; 0 is no limit."""
    device: Literal["auto", "cpu", "cuda"]
    """Where to train; auto takes a GPU where there is one."""
    bf16: bool
    """Compute the loss in bfloat16 (weights stay float32)."""
    threads: int
    """Torch threads of a process; 0 leaves torch's own choice. More than the free cores is far slower than one."""
    num_workers: int
    """Processes that collate batches ahead; 0 collates between steps."""
    keep_encoded: bool
    """Encode every product once and keep it in memory; otherwise once an epoch."""

    def __post_init__(self) -> None:
        for key in ("steps", "batch_products", "lr", "clip", "balance", "evaluate_every", "checkpoint_every"):
            if not getattr(self, key) > 0:
                raise ConfigError(key, getattr(self, key), "a number above 0")
        if not 0 <= self.pictured < 1:
            raise ConfigError("pictured", self.pictured, "a share from 0 to below 1")


HOW = ("checkpoint_every", "device", "threads", "num_workers", "keep_encoded")
"""Fields that say how a run is carried out, not which run it is: they may change when it is resumed."""


class Progress(NamedTuple):
    """What a step has to tell."""

    step: int
    steps: int
    loss: float
    validation_loss: float | None
    """Only at steps that evaluate."""
    lr: float
    seconds: float


class Fitted(NamedTuple):
    """How a run ended; the model holds the weights that Config.keep names."""

    steps: int
    best_step: int
    validation_loss: float | None
    """The best one; None without validation examples."""
    seconds: float
    stopped: str
    """steps, patience or max_seconds."""
    history: tuple[resume.Evaluation, ...]
    num_unreachable: int | None
    """Labelled questions whose answer the model cannot give (printed nowhere, too long), of all that teaches, changed
    copies too; None where products are not kept encoded."""


class World(NamedTuple):
    """This process among those that train together."""

    rank: int
    size: int


def fit(
    model: Trainable,
    train: Sequence[Example],
    validation: Sequence[Example],
    config: Config,
    *,
    folder: Path,
    report: Callable[[Progress], None],
) -> Fitted:
    """Fit a model and leave it with its best weights; called again on the same folder, go on from the last state.

    Under torchrun every process calls this with the same arguments; `folder` is storage that all of them reach,
    and only the first one writes and reports.
    """
    if not train:
        raise ModelError("training examples", "none", "at least one")
    if config.threads:
        torch.set_num_threads(config.threads)
    device = pick_device(config.device)
    with _joined(device) as world:
        run = _Run(
            model,
            train=train,
            validation=validation,
            config=config,
            folder=folder,
            report=report,
            device=device,
            world=world,
        )
        return run.finish()


def _shares(examples: Sequence[Example], config: Config) -> batches.Shares | None:
    """What part of the draws each product has; None where all come once an epoch."""
    if config.balance == 1 and not config.pictured:
        return None
    shares = batches.balanced(_groups(examples, over=config.balance_over), config.balance)
    if config.pictured:
        shares = batches.favoured(shares, np.array([bool(example.pictures) for example in examples]), config.pictured)
    return shares


def _groups(examples: Sequence[Example], *, over: str) -> list[str]:
    """What each product counts as where the rare is favoured."""
    if over == "types":
        return [f"{example.product_type}, {bool(example.pictures)}" for example in examples]
    answers = [[(asked.attribute, asked.answer) for asked in example.asked] for example in examples]
    counted = Counter(answer for own in answers for answer in own)
    return [str(min(own, key=lambda answer: (counted[answer], str(answer)), default="")) for own in answers]


def pick_device(wanted: str) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` means in this process; cuda without a GPU is a ConfigError."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device", wanted, "cpu or auto: torch finds no GPU here")
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]) if dist.is_torchelastic_launched() else 0)


def lr_share(step: int, config: Config) -> float:
    """The share of the highest learning rate at a step (1 .. steps): linear warm-up, then linear decay or drops."""
    warmup = config.warmup_share * config.steps
    if step < warmup:
        return step / warmup
    if config.lr_drops:
        return 0.1 ** sum(step >= drop * config.steps for drop in config.lr_drops)
    left = (config.steps - step) / max(config.steps - warmup, 1)
    return config.final_lr_share + (1 - config.final_lr_share) * left


def to_device(batch: Any, device: torch.device) -> Any:  # the model's own NamedTuple, possibly nested
    """The same batch with every tensor on the device."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, tuple):
        moved = [to_device(part, device) for part in batch]
        return type(batch)(*moved) if hasattr(batch, "_fields") else tuple(moved)
    return batch


@contextmanager
def _joined(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started, for the length of the body; alone, be the only one."""
    if dist.is_initialized():
        yield World(dist.get_rank(), dist.get_world_size())
    elif dist.is_torchelastic_launched():
        # Imported later, it would hold the group in its default arguments: the group's threads would outlive
        # Python and abort the process at its end.
        importlib.import_module("torch.distributed.nn.functional")
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        try:
            yield World(dist.get_rank(), dist.get_world_size())
        finally:
            dist.destroy_process_group()
    else:
        yield World(0, 1)


class _Run:
    """One run: what stays the same through its steps, and its position."""

    def __init__(
        self,
        model: Trainable,
        *,
        train: Sequence[Example],
        validation: Sequence[Example],
        config: Config,
        folder: Path,
        report: Callable[[Progress], None],
        device: torch.device,
        world: World,
    ) -> None:
        self.model, self.train, self.validation, self.config = model, train, validation, config
        self.folder, self.report, self.device, self.world = folder, report, device, world
        self.module = model.module.to(device)
        groups = [{"weight_decay": config.weight_decay, **group} for group in model.parameter_groups()]
        # Fused: a sixth of the time where tables of words are large (one CPU thread), and the same numbers.
        self.optimiser = torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=True)
        self.parameters = [weight for group in groups for weight in group["params"]]
        for weight in self.parameters:
            weight.grad = torch.zeros_like(weight)  # never None: one step is the same alone and among others
        self.train_items, self.validation_items = self._items(train), self._items(validation)
        self.identity = _identity(config, train, validation)
        self.position = resume.Position()
        self.best: resume.Tensors | None = None
        self._restore()

    def finish(self) -> Fitted:
        """Go from the current position to the end."""
        if self.position.stopped is None:
            self._go_on()
        if self.best is not None and self.config.keep == "best":
            resume.put_back(self.module, self.best)
        self.module.eval()
        at = self.position
        assert at.stopped is not None
        kept = self.config.keep_encoded
        unreachable = sum(item.num_unreachable for item in self.train_items) if kept else None
        return Fitted(at.step, at.best_step, at.best_loss, at.seconds, at.stopped, tuple(at.history), unreachable)

    def _go_on(self) -> None:
        at, config = self.position, self.config
        began = time.monotonic() - at.seconds
        for step, (batch, share) in enumerate(self._feed(), start=at.step + 1):
            loss, late = self._learn(step, batch, share, late=0 < config.max_seconds < time.monotonic() - began)
            at.step, at.loss_sum, at.loss_count = step, at.loss_sum + loss, at.loss_count + 1
            at.stopped = "steps" if step == config.steps else "max_seconds" if late else None
            validation_loss = None
            if at.stopped or step % config.evaluate_every == 0:
                validation_loss = self._evaluate()
            at.seconds = time.monotonic() - began
            if self.world.rank == 0:
                lr = config.lr * lr_share(step, config)
                self.report(Progress(step, config.steps, loss, validation_loss, lr, at.seconds))
                if at.stopped or step % config.checkpoint_every == 0:
                    self._save()
            if at.stopped:
                return

    def _feed(self) -> Iterator[tuple[Any, float]]:
        """This process's part of every batch to come, on the device, with its share of the batch's products."""
        rank, size = self.world
        ahead, again = tee(self._whole_batches())  # a loader with workers runs ahead of the steps
        loader = self._loader(self.train_items, (whole[rank::size] for whole in ahead))
        for batch, whole in zip(loader, again, strict=True):
            yield to_device(batch, self.device), len(whole[rank::size]) / len(whole)

    def _whole_batches(self) -> Iterator[list[int]]:
        """The batches that the run has still to see, over all processes."""
        config, at = self.config, self.position
        lengths = [batches.length(example) for example in self.train]
        shares = _shares(self.train, config)
        an_epoch = math.ceil(len(self.train) / config.batch_products)
        if len(self.train) // an_epoch < self.world.size:
            raise ConfigError("batch_products", config.batch_products, f"one for each of {self.world.size} processes")
        epochs = (
            batches.of_epoch(
                lengths,
                shares,
                batch_products=config.batch_products,
                seed=config.seed,
                epoch=epoch,
            )
            for epoch in count(at.step // an_epoch)
        )
        return islice(chain.from_iterable(epochs), at.step % an_epoch, at.step % an_epoch + config.steps - at.step)

    def _items(self, examples: Sequence[Example]) -> Sequence[Any]:  # the model's own records
        return self.model.encode(examples) if self.config.keep_encoded else examples

    def _loader(self, items: Sequence[Any], parts: Iterable[list[int]]) -> DataLoader[Any]:
        return DataLoader(
            items,  # type: ignore[arg-type]  # any sequence serves
            batch_sampler=parts,
            collate_fn=self.model.collate if self.config.keep_encoded else self._encode_and_collate,
            num_workers=self.config.num_workers,
            pin_memory=self.device.type == "cuda",
        )

    def _encode_and_collate(self, examples: Sequence[Example]) -> Any:  # the model's own NamedTuple
        return self.model.collate(self.model.encode(examples))

    def _learn(self, step: int, batch: Any, share: float, *, late: bool) -> tuple[float, bool]:
        """One step of the optimiser; the batch's loss, and whether the first process is out of time."""
        self.module.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.lr * group["lr_scale"] * lr_share(step, self.config)
        self.optimiser.zero_grad(set_to_none=False)
        loss = self._loss(batch, step) * share
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        value, late = self._summed(loss.detach(), late=late)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip).item()
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise ModelError(f"training, step {step}", f"loss {value}, gradient norm {norm}", "finite numbers")
        self.optimiser.step()
        return value, late

    def _loss(self, batch: Any, step: int) -> Tensor:
        seeds = np.random.SeedSequence([self.config.seed, step, self.world.rank])
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16):
            return self.model.loss(batch)

    def _summed(self, loss: Tensor, *, late: bool) -> tuple[float, bool]:
        """Add up losses and gradients of all processes; each weighed its own by its share of the products."""
        if self.world.size == 1:
            return loss.item(), late
        gradients = [weight.grad for weight in self.parameters if weight.grad is not None]
        # The first process's clock decides for all: they must stop at the same step.
        clock = torch.tensor([float(late and self.world.rank == 0)], device=loss.device)
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), loss.reshape(1), clock])
        dist.all_reduce(flat)
        for gradient, whole in zip(gradients, torch.split(flat[:-2], [g.numel() for g in gradients]), strict=True):
            gradient.copy_(whole.view_as(gradient))
        return flat[-2].item(), bool(flat[-1] > 0)

    @torch.no_grad()
    def _evaluate(self) -> float | None:
        """Look at the validation examples; keep the weights where they are the best so far."""
        at = self.position
        loss = self._validation_loss() if self.validation else None
        lr = self.config.lr * lr_share(at.step, self.config)
        at.history.append(
            resume.Evaluation(step=at.step, loss=at.loss_sum / at.loss_count, validation_loss=loss, lr=lr)
        )
        at.loss_sum, at.loss_count = 0.0, 0
        if loss is None or at.best_loss is None or loss < at.best_loss:
            at.best_step, at.best_loss, at.stale = at.step, loss, 0
            self.best = {name: tensor.clone() for name, tensor in resume.learnt(self.module).items()}
        else:
            at.stale += 1
            if at.stopped is None and at.stale == self.config.patience:
                at.stopped = "patience"
        return loss

    def _validation_loss(self) -> float:
        lengths = [batches.length(example) for example in self.validation]
        parts = batches.by_length(lengths, max_products=self.config.batch_products, max_tokens=sys.maxsize)
        parts = parts[self.world.rank :: self.world.size]
        self.module.eval()
        total = torch.zeros((), dtype=torch.float64)
        for part, batch in zip(parts, self._loader(self.validation_items, parts), strict=True):
            total += self._loss(to_device(batch, self.device), step=0).item() * len(part)
        if self.world.size > 1:
            total = total.to(self.device)
            dist.all_reduce(total)
        loss = total.item() / len(self.validation)
        if not math.isfinite(loss):
            raise ModelError(f"validation, step {self.position.step}", f"loss {loss}", "a finite number")
        return loss

    def _restore(self) -> None:
        state = resume.read(self.folder, self.identity)
        if state is not None:
            self.position, tensors = state
            resume.put_back(self.module, tensors["weights"])
            resume.put_back_moments(self.optimiser, tensors["optimiser"])
            self.best = {name: tensor.to(self.device) for name, tensor in tensors["best"].items()} or None
        if self.world.size > 1:
            for tensor in resume.learnt(self.module).values():
                dist.broadcast(tensor, src=0)

    def _save(self) -> None:
        tensors = {
            "weights": resume.learnt(self.module),
            "optimiser": resume.moments(self.optimiser),
            "best": self.best or {},
        }
        resume.write(self.folder, self.position, tensors, self.identity)


def _identity(config: Config, train: Sequence[Example], validation: Sequence[Example]) -> str:
    """Names a run: its settings and which answers of which products it learns."""
    digest = hashlib.sha256()
    settings = {key: value for key, value in asdict(config).items() if key not in HOW}
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for examples in (train, validation):
        for example in examples:
            asked = [[question.attribute, question.answer] for question in example.asked]
            digest.update(json.dumps([example.product_id, asked]).encode())
        digest.update(b"|")
    return digest.hexdigest()[:16]
